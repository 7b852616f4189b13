#!/usr/bin/env bash
# One command that says whether this machine's GPU runs splitsim rightly and how fast, in under twenty minutes. Run it from the
# bundle (make bundle) or from a source tree after make build. It needs nothing but a shell, the driver and cuBLAS.
#
#   gpu_check.sh [--device cuda|cpu] [--bin DIR] [--out DIR] [--data DIR] [--quick]
#
# --device cpu   checks its own logic without a GPU: two thread counts take the place of two backends
# --bin DIR      executables (default: bin/ beside this script, else the newest build/*/bin)
# --out DIR      logs, runs and summary.txt (default: gpu_check_<date>)
# --data DIR     folder with fashion-mnist/ (default: $SPLITSIM_DATA; without it the embedded glyphs are trained)
# --quick        shorter training, for testing this script
#
# Exit code: 0 all well, 1 a check failed, 3 no GPU.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
device=cuda bin='' out='' data=${SPLITSIM_DATA:-} quick=0
usage() { sed -n '2,/^set -/p' "${BASH_SOURCE[0]}" | sed '$d; s/^# \{0,1\}//'; }
while (($#)); do
  case $1 in
    --device) device=${2:?} && shift 2 ;;
    --bin) bin=${2:?} && shift 2 ;;
    --out) out=${2:?} && shift 2 ;;
    --data) data=${2:?} && shift 2 ;;
    --quick) quick=1 && shift ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
done
[[ $device == cuda || $device == cpu ]] || { printf 'error: --device %s: cuda or cpu\n' "$device" >&2 && exit 2; }
if [[ -z $bin ]]; then
  if [[ -x $here/bin/splitsim-run ]]; then
    bin=$here/bin
  else
    bin=$(ls -td "$here"/../build/*/bin 2>/dev/null | head -n 1)
  fi
fi
[[ -x $bin/splitsim-run ]] || { printf 'error: no splitsim-run in "%s"\n' "$bin" >&2 && exit 2; }
out=${out:-gpu_check_$(date +%Y%m%d-%H%M%S)}
mkdir -p "$out" && out=$(cd "$out" && pwd)
rm -f "$out"/*.log "$out"/table.txt "$out"/summary.txt
[[ -n ${OMP_WAIT_POLICY:-} ]] || export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-500} # threads that wait soon sleep
# Device tests read their fixtures from here rather than from where they were built.
if [[ -d $here/tests ]]; then export SPLITSIM_SOURCE=$here; else SPLITSIM_SOURCE=$(cd "$here/.." && pwd) && export SPLITSIM_SOURCE; fi
[[ -n $data ]] && export SPLITSIM_DATA=$data

# CUDA's own libraries are the machine's: find cuBLAS where toolkits and Python packages put it.
find_cuda_libraries() {
  local dir python
  for dir in /usr/local/cuda/lib64 /usr/local/cuda-13*/lib64 /usr/local/cuda-13*/targets/x86_64-linux/lib /usr/lib/x86_64-linux-gnu; do
    [[ -e $dir/libcublas.so.13 ]] && printf '%s:' "$dir" && return
  done
  for python in python3 python; do
    command -v "$python" >/dev/null || continue
    dir=$("$python" -c 'import glob, sys
print(":".join(sorted({d for p in sys.path for d in glob.glob(p + "/nvidia/*/lib")})))' 2>/dev/null)
    [[ -n $dir ]] && printf '%s:' "$dir" && return
  done
}
if ldd "$bin/splitsim-run" 2>/dev/null | grep -q 'not found'; then
  LD_LIBRARY_PATH=$(find_cuda_libraries)${LD_LIBRARY_PATH:-}
  export LD_LIBRARY_PATH
fi

started=$SECONDS
failures=0
record() { # record RESULT NAME SECONDS DETAIL
  [[ $1 == FAILED ]] && failures=$((failures + 1))
  printf '%-8s %-34s %6ss  %s\n' "$1" "$2" "$3" "$4" | tee -a "$out/table.txt"
}
# timed LOG LIMIT COMMAND...: runs it with its output in the log; its exit code (124 past the limit), its time in `took`.
# The whole check ends within twenty minutes: limits shrink to what is left of them.
timed() {
  local log=$1 limit=$2 from=$SECONDS code=0 left=$((1170 - SECONDS + started))
  shift 2
  ((limit <= left)) || limit=$((left > 1 ? left : 1))
  printf '$ %s\n' "$*" >>"$log"
  timeout -k 10 "$limit" "$@" >>"$log" 2>&1 || code=$?
  took=$((SECONDS - from))
  return $code
}
value() { # value FILE KEY: a scalar of a JSON file
  sed -n 's/.*"'"$2"'"[[:space:]]*:[[:space:]]*"\{0,1\}\([^",}]*\).*/\1/p' "$1" 2>/dev/null | head -n 1
}
last_line() { grep -v '^[[:space:]]*$' "$1" | tail -n 1 | cut -c1-100; }

# ---- the device ----
{
  date -u
  uname -srm
  grep -m1 'model name' /proc/cpuinfo
  nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv 2>&1
  "$bin/splitsim-info" 2>&1
} >"$out/device.log"
if [[ $device == cuda ]]; then
  code=0
  "$bin/splitsim-run" --device cuda --dry-run --out "$out/probe" >"$out/probe.log" 2>&1 || code=$?
  if ((code != 0)); then
    printf 'error: no GPU to check (exit code %s): %s\n' "$code" "$(last_line "$out/probe.log")" >&2
    ((code == 3)) && exit 3
    exit 1
  fi
fi

# ---- device tests: the typed tests of this backend (index 0 is the CPU, 1 is CUDA) ----
filter='*/0.*'
[[ $device == cuda ]] && filter='*/1.*:*Cuda*'
for test in test_kernels test_samplers test_runtime; do
  [[ -x $bin/$test ]] || { record FAILED "$test" 0 'not in the bundle' && continue; }
  log=$out/$test.log
  timed "$log" 150 "$bin/$test" "--gtest_filter=$filter"
  code=$?
  passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log")
  skipped=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test.*/\1/p' "$log")
  failed=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$log")
  detail="${passed:-0} passed, ${skipped:-0} skipped, ${failed:-0} failed"
  if ((code == 124)); then detail+=', out of time'; elif ((code > 1)); then detail+=", exit code $code"; fi
  result=ok
  ((code == 0 && ${passed:-0} > 0)) || result=FAILED
  record $result "$test" "$took" "$detail"
done

# ---- the same schedules and timelines, bit for bit ----
small=(--set data.name=glyphs --set partition.clients=64 --set sampler.batch=128 --set train.epochs=1
  --set 'clock.jitter={kind="lognormal",mean=1.0,cv=0.3}')
for sampler in ugs urn fls fpls pack lbpack; do
  a=$out/hash/$sampler-cpu b=$out/hash/$sampler-$device log=$out/hash-$sampler.log
  mkdir -p "$out/hash"
  first=(--device cpu) second=(--device "$device")
  [[ $device == cpu ]] && first+=(--threads 1) second+=(--threads 2) b=$out/hash/$sampler-cpu-2
  options=("${small[@]}" --set "sampler.kind=$sampler")
  [[ $sampler == urn ]] && options+=(--set sampler.delta=1.5)
  total=0 code=0
  timed "$log" 60 "$bin/splitsim-run" "${options[@]}" "${first[@]}" --out "$a" --force || code=$?
  total=$((total + took))
  timed "$log" 60 "$bin/splitsim-run" "${options[@]}" "${second[@]}" --out "$b" --force || code=$?
  total=$((total + took))
  detail='partition, schedule and timeline are the same bits' result=ok
  for key in partition_sha256 schedule_sha256 timeline_sha256; do
    x=$(value "$a/summary.json" $key) y=$(value "$b/summary.json" $key)
    [[ -n $x && $x == "$y" ]] || { result=FAILED detail="$key: '${x:0:12}' and '${y:0:12}'"; }
  done
  ((code == 0)) || { result=FAILED detail="exit code $code: $(last_line "$log")"; }
  record $result "hashes, $sampler" "$total" "$detail"
done

# ---- memory errors ----
sanitizer=$(command -v compute-sanitizer || true)
for path in /usr/local/cuda/bin/compute-sanitizer /usr/local/cuda/compute-sanitizer/compute-sanitizer /usr/local/cuda-13*/bin/compute-sanitizer; do
  [[ -z $sanitizer && -x $path ]] && sanitizer=$path
done
if [[ $device == cpu ]]; then
  record skipped compute-sanitizer 0 'no device'
elif [[ -z $sanitizer ]]; then
  record skipped compute-sanitizer 0 'the tool is not on this machine'
else
  log=$out/sanitizer.log
  timed "$log" 120 "$sanitizer" --tool memcheck --error-exitcode 9 "$bin/splitsim-run" --device cuda --force \
    --out "$out/sanitizer" --set data.name=glyphs --set partition.clients=16 --set sampler.batch=2000 \
    --set train.epochs=1 --set train.mode=psl_local --set eval.every_epochs=0
  code=$?
  if grep -qi 'device not supported' "$log"; then
    record skipped compute-sanitizer "$took" 'the tool does not support this device here'
  elif ((code == 0)); then
    record ok compute-sanitizer "$took" "$(grep 'ERROR SUMMARY' "$log" | tail -n 1 | sed 's/^=* *//')"
  elif ((code == 124)); then
    record skipped compute-sanitizer "$took" 'out of time'
  else
    record FAILED compute-sanitizer "$took" "exit code $code: $(grep 'ERROR SUMMARY' "$log" | tail -n 1)"
  fi
fi

# ---- every mode, a ResNet with BatchNorm: it trains, and a second run has the same bits ----
for mode in psl psl_local sflv1 sflv2 sflv3 sl; do
  log=$out/mode-$mode.log total=0 code=0
  options=(--set data.name=glyphs --set model.name=resnet18 --set model.width=8 --set model.cut=layer1 --set model.client_norm=batch
    --set model.server_norm=batch --set "train.mode=$mode" --set train.epochs=1 --set partition.clients=8
    --set sampler.batch=1000 --set eval.batch=1000 --device "$device")
  [[ $mode == sflv* ]] && options+=(--set train.round=5)
  for n in 1 2; do
    timed "$log" 60 "$bin/splitsim-run" "${options[@]}" --out "$out/modes/$mode-$n" --force || code=$?
    total=$((total + took))
  done
  x=$(value "$out/modes/$mode-1/summary.json" model_sha256) y=$(value "$out/modes/$mode-2/summary.json" model_sha256)
  if ((code == 0)) && [[ -n $x && $x == "$y" ]]; then
    record ok "mode, $mode" "$total" 'two equal runs: the same model'
  else
    record FAILED "mode, $mode" "$total" "exit code $code, models '${x:0:12}' and '${y:0:12}': $(last_line "$log")"
  fi
done

# ---- a real training run; the least accuracy is far below what is usual and far above chance ----
real=(--set partition.clients=128 --set partition.classes_per_client=2 --set sampler.batch=128 --set model.name=lenet)
if [[ -n $data && -d $data/fashion-mnist ]]; then
  real+=(--set data.name=fashion_mnist --set "data.dir=$data/fashion-mnist") least=0.70 what=fashion_mnist
else
  real+=(--set data.name=glyphs) least=0.30 what=glyphs
fi
epochs=5
((quick)) && epochs=1 least=0.15
log=$out/training.log
timed "$log" 180 "$bin/splitsim-run" "${real[@]}" --set train.epochs=$epochs --device "$device" --out "$out/training" --force
code=$?
summary=$out/training/summary.json
accuracy=$(value "$summary" test_accuracy)
if ((code == 0)) && awk "BEGIN { exit !(${accuracy:-0} >= $least) }"; then result=ok; else result=FAILED; fi
detail="accuracy ${accuracy:-none} (least $least), $(value "$summary" train_samples_per_s) samples/s"
((code == 0)) || detail="exit code $code: $(last_line "$log")"
record $result "training, $what, $epochs epochs" "$took" "$detail"

# ---- lower precisions, who convolves, what runs ----
if [[ $device == cuda && -x $bin/splitsim-bench ]]; then
  hurry=() batch=128
  ((quick)) && hurry=(--quick) batch=2000
  printf '%s\n' 'model.name = "cnn"' 'data.name = "glyphs"' "sampler.batch = $batch" 'train.epochs = 1' >"$out/cnn.toml"
  log=$out/tune.log code=0
  timed "$log" 120 "$bin/splitsim-bench" --device cuda "${hurry[@]}" --config "$out/cnn.toml" --tune "$out/conv_table.json" || code=$?
  if ((code == 0)); then result=ok detail='ours beside cuDNN in tune.log'; else result=FAILED detail="exit code $code: $(last_line "$log")"; fi
  record $result 'convolutions' "$took" "$detail"
  for precision in fp32 tf32 bf16; do
    log=$out/precision-$precision.log code=0
    timed "$log" 120 "$bin/splitsim-run" "$out/cnn.toml" --set "train.precision=$precision" --set "train.conv_table=$out/conv_table.json" \
      --device cuda --out "$out/precision/$precision" --force || code=$?
    summary=$out/precision/$precision/summary.json
    detail="accuracy $(value "$summary" test_accuracy), $(value "$summary" train_samples_per_s) samples/s"
    if ((code == 0)); then result=ok; else result=FAILED detail="exit code $code: $(last_line "$log")"; fi
    record $result "precision, $precision" "$took" "$detail"
  done
  log=$out/kernel_times.log code=0
  timed "$log" 120 "$bin/splitsim-bench" --device cuda --config "$out/cnn.toml" --kernel-times || code=$?
  if ((code == 0)); then
    record ok 'kernel times' "$took" "$(grep -m1 'launches,' "$log")"
  else
    record skipped 'kernel times' "$took" "$(last_line "$log")"
  fi
fi

# ---- the benchmark ----
if [[ -x $bin/splitsim-bench ]]; then
  log=$out/bench.log
  timed "$log" 180 "$bin/splitsim-bench" --quick --device "$device" --json "$out/bench.json"
  code=$?
  if ((code == 0)); then result=ok detail='figures in bench.log and bench.json'; else result=FAILED detail="exit code $code: $(last_line "$log")"; fi
  record $result splitsim-bench "$took" "$detail"
else
  record FAILED splitsim-bench 0 'not in the bundle'
fi

{
  cat "$out/device.log"
  printf '\n'
  cat "$out/table.txt"
  printf '\n'
  if [[ -f $out/bench.log ]]; then grep -v '^\$ ' "$out/bench.log"; fi
} >"$out/summary.txt"
printf '\n%s check(s) failed, %s s; all of it in %s/summary.txt\n' "$failures" $((SECONDS - started)) "$out"
((failures == 0))
