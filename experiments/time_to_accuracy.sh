#!/usr/bin/env bash
# Virtual time to 85 % test accuracy (or 20 epochs) on Fashion-MNIST with stragglers, sampler by sampler: LeNet, 64 clients, severe and
# mild label skew, 10 % of the clients with a delay ten times the others'. Tested every 50 steps on 2000 test images. Half an hour on 2 cores.
#   experiments/time_to_accuracy.sh BIN_DIR DATA_DIR OUT_DIR [THREADS]
set -euo pipefail
bin=$1 data=$2 out=$3 threads=${4:-0}
config=$(dirname "$0")/fashion_mnist_severe.toml
common=(--set "data.dir=$data" --set partition.clients=64 --set train.epochs=20 --set eval.every_steps=50 --set eval.step_images=2000
  --set eval.stop_at_accuracy=0.85 --set 'train.client_optimizer.schedule=constant' --set 'train.server_optimizer.schedule=constant'
  --set 'clock.delay_ms={kind="two_speed",base=10.0,share=0.1,slowdown=10.0}' --set clock.model_sync=none --threads "$threads")
for skew in severe:2 mild:5; do
  for sampler in ugs fpls lds:2 urn:2 makespan lb_greedy; do
    delta=()
    [[ $sampler == *:* ]] && delta=(--set "sampler.delta=${sampler#*:}")
    run=$out/${skew%:*}-${sampler%:*}
    [[ -e $run/summary.json ]] && continue # resumable: finished runs stay
    "$bin/splitsim-run" "$config" "${common[@]}" --set "partition.classes_per_client=${skew#*:}" \
      --set "sampler.kind=${sampler%:*}" "${delta[@]}" --out "$run" --force >"$out.log" 2>&1 ||
      { tail -n 3 "$out.log" >&2; continue; } # a diverged run has its summary too
  done
done
python3 - "$out" <<'PY'
import json, pathlib, sys
print(f"{'skew':8} {'sampler':10} {'status':10} {'epochs':>6} {'to 85 % (virtual s)':>20} {'virtual s':>10} {'last acc':>9} {'deviation':>9}")
for skew in ("severe", "mild"):
    for sampler in ("ugs", "fpls", "lds", "urn", "makespan", "lb_greedy"):
        folder = pathlib.Path(sys.argv[1]) / f"{skew}-{sampler}"
        if not (folder / "summary.json").exists():
            continue
        s = json.loads((folder / "summary.json").read_text())
        epochs = [json.loads(line) for line in (folder / "epochs.jsonl").read_text().splitlines()]
        points = [(e["virtual_time_s"], e["test_accuracy"]) for r in epochs for e in r["step_evaluations"]]
        reached = next((t["virtual_time_s"] for t in s["time_to_accuracy"] if t["accuracy"] == 0.85), None)
        print(f"{skew:8} {sampler:10} {s['status']:10} {s['epochs']:6d} {reached if reached is None else round(reached, 1)!s:>20} "
              f"{s['virtual_time_s']:10.1f} {100 * points[-1][1]:8.2f}% {s['batch_deviation_mean']:9.4f}")
PY
