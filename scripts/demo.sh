#!/usr/bin/env bash
# Trains the embedded experiment with ugs, fpls and fls and three seeds as one sweep, prints the comparison and makes a
# page of it: scripts/demo.sh [--set key=value ...]. Called again it trains only what is missing or has other settings.
set -euo pipefail
source "$(dirname "$0")/common.sh"
bin=$root/build/$(pick_preset)/bin
[[ -x $bin/splitsim-sweep && -x $bin/splitsim-run ]] || die "$bin has no splitsim-sweep and splitsim-run: make build"
"$bin/splitsim-sweep" "$root/experiments/demo.sweep.toml" "$@" --out "$root/runs/demo" --force
"$bin/splitsim-report" "$root/runs/demo" --target 0.7,0.8
