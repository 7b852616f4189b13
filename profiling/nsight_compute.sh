#!/usr/bin/env bash
# Profiles the kernels of splitsim-sample (samplers and clock, no learning) with Nsight Compute: a report for ncu-ui and, as
# text, each kernel's duration, throughput and occupancy. README.md beside this script says how to read it.
#
#   nsight_compute.sh [--bin DIR] [--out NAME] [--phase NAME] [--set basic|detailed|full] [--kernels N]
#                     [-- ARGUMENTS of splitsim-sample]
#
# --bin DIR      folder of splitsim-sample (default: bin/ beside this script, else the newest build/*/bin)
# --out NAME     NAME.ncu-rep and NAME.txt (default: nsight_compute)
# --phase NAME   only kernels within this NVTX range, such as "keyed: sort" (default: "schedule and timeline", all phases)
# --set SET      sections to collect; full replays each kernel some 40 times (default: basic)
# --kernels N    at most so many kernels (default: 200)
#
# Exit code: 0 done, 1 no ncu or it failed, 2 bad arguments, 3 no GPU.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/nsight_common.sh"

usage() { sed -n '2,/^set -/p' "${BASH_SOURCE[0]}" | sed '$d; s/^# \{0,1\}//'; }
bin='' out=nsight_compute phase='schedule and timeline' sections=basic kernels=200 workload=()
while (($#)); do
  case $1 in
    --bin) bin=${2:?} && shift 2 ;;
    --out) out=${2:?} && shift 2 ;;
    --phase) phase=${2:?} && shift 2 ;;
    --set) sections=${2:?} && shift 2 ;;
    --kernels) kernels=${2:?} && shift 2 ;;
    --) shift && workload=("$@") && break ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
done
[[ $kernels =~ ^[1-9][0-9]*$ ]] || die 2 "--kernels $kernels: a number of at least 1"
((${#workload[@]})) || workload=("${default_workload[@]}" --epochs 1)
bin=$(find_bin "$bin")
ncu=$(find_tool ncu 'Nsight Compute' /usr/local/cuda/bin/ncu /opt/nvidia/nsight-compute/*/ncu)
need_gpu "$bin"
# "domain@range/": the slash says that it is a pushed range, which all of ours are.
# Clocks stay as they are: on a shared or borrowed machine they are not ours to lock.
"$ncu" --clock-control none --nvtx --nvtx-include "splitsim@$phase/" --set "$sections" --launch-count "$kernels" --force-overwrite \
  --export "$out" "$bin/splitsim-sample" --device cuda "${workload[@]}"
"$ncu" --import "$out.ncu-rep" --print-summary per-kernel | tee "$out.txt"
