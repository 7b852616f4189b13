#!/usr/bin/env bash
# Fuzzes one target: scripts/fuzz.sh TARGET SECONDS. Targets: the folders of tests/fuzz/corpus. What it finds and learns stays in
# build/fuzz/TARGET; a finding is the file crash-* there, and the exit code is not 0.
set -euo pipefail
source "$(dirname "$0")/common.sh"
target=${1:-} seconds=${2:-60}
corpus=$root/tests/fuzz/corpus/$target
[[ -n $target && -d $corpus ]] || die "usage: scripts/fuzz.sh TARGET SECONDS; targets: $(cd "$root/tests/fuzz/corpus" && echo *)"
[[ -x $(command -v clang++) ]] || die "clang++ is missing: scripts/setup.sh fuzz installs it"
build=$root/build/fuzz
[[ -n ${SPLITSIM_FUZZ_BUILT:-} ]] || "$root/scripts/build.sh" fuzz "fuzz_$target" >/dev/null
work=$build/$target
mkdir -p "$work/corpus"
dictionary=()
[[ -e $root/tests/fuzz/$target.dict ]] && dictionary=(-dict="$root/tests/fuzz/$target.dict")
# Sizes in files are checked against the file before memory is taken: 512 MiB at once is a finding.
export OMP_NUM_THREADS=1 UBSAN_OPTIONS=print_stacktrace=1 ASAN_OPTIONS=detect_leaks=1
cd "$work"
exec "$build/bin/fuzz_$target" corpus "$corpus" "${dictionary[@]}" -max_total_time="$seconds" -rss_limit_mb=2048 -malloc_limit_mb=512 \
  -timeout=20 -max_len=16384 -print_final_stats=1 -artifact_prefix="$work/"
