#!/usr/bin/env bash
# Trains the embedded default experiment with ugs, fpls and fls and prints one table: scripts/demo.sh [--set key=value ...]
# Runs are kept in runs/demo/<sampler>.
set -euo pipefail
source "$(dirname "$0")/common.sh"
run=$root/build/$(pick_preset)/bin/splitsim-run
[[ -x $run ]] || die "$run is not built: make build"
out=$root/runs/demo
for sampler in ugs fpls fls; do
  say "training with sampler $sampler"
  "$run" --set "sampler.kind=$sampler" "$@" --out "$out/$sampler" --force
done
value() { json_value "$out/$1/summary.json" "$2"; }
printf '\n%-8s %13s %15s %11s %14s %8s\n' sampler 'test accuracy' 'batch deviation' 'steps/epoch' 'virtual time s' 'wall s'
for sampler in ugs fpls fls; do
  printf '%-8s %12.2f%% %15.4f %11s %14.1f %8.1f\n' "$sampler" \
    "$(awk "BEGIN { print 100 * $(value $sampler test_accuracy) }")" "$(value $sampler batch_deviation_mean)" \
    "$(value $sampler steps_per_epoch)" "$(value $sampler virtual_time_s)" "$(value $sampler wall_time_s)"
done
