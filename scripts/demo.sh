#!/usr/bin/env bash
# Trains the embedded experiment with ugs, fpls and fls and three seeds, prints the comparison and makes a page of it:
# scripts/demo.sh [--set key=value ...]. Runs are kept in runs/demo/<sampler>-<seed>.
set -euo pipefail
source "$(dirname "$0")/common.sh"
bin=$root/build/$(pick_preset)/bin
[[ -x $bin/splitsim-run ]] || die "$bin/splitsim-run is not built: make build"
out=$root/runs/demo
# Tests within epochs, of 1000 images, show what a sampler does to the accuracy between two tests at their ends.
settings=(--set train.epochs=3 --set eval.every_steps=20 --set eval.step_images=1000)
mkdir -p "$out"
runs=()
for sampler in ugs fpls fls; do
  for seed in 1 2 3; do
    say "training with sampler $sampler, seed $seed"
    runs+=("$out/$sampler-$seed")
    "$bin/splitsim-run" "${settings[@]}" --set "sampler.kind=$sampler" --set "seed=$seed" "$@" --out "${runs[-1]}" --force \
      >"$out/last.log" 2>&1 || { cat "$out/last.log" >&2; exit 1; }
  done
done
"$bin/splitsim-report" "${runs[@]}" --target 0.7,0.8 --html "$out/report.html"
