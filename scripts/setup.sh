#!/usr/bin/env bash
# Installs what the build needs and is missing: Debian packages, and, where there is no CUDA toolkit, its headers (Thrust, cuRAND)
# or the whole compiler from their wheels, into .deps/cuda. When nothing is missing it uses no network and changes nothing.
#
#   scripts/setup.sh [tidy|fuzz|test]  tidy: also clang-tidy and clang-format; fuzz: also clang with libFuzzer; test: also what
#                                     some tests need: Chromium, Slurm, the notebook's kernel
#
# SPLITSIM_CUDA_WHEELS=1  fetch the CUDA compiler and cuBLAS too (600 MB), so that the CUDA backend is built
#                     =0  headers only (65 MB), even where there is an NVIDIA GPU
#   unset: the compiler where an NVIDIA GPU is present, headers elsewhere
set -euo pipefail
source "$(dirname "$0")/common.sh"

packages=(g++ make cmake ninja-build git ca-certificates libdnnl-dev libfmt-dev libcli11-dev libtomlplusplus-dev
  nlohmann-json3-dev zlib1g-dev nettle-dev libzip-dev libpng-dev libturbojpeg0-dev libgtest-dev librapidcheck-dev
  liblemon-dev libfccp-dev coinor-libclp-dev python3 pkg-config python3-dev python3-venv)
# Without them some tests are skipped, and say so: the notebook's, the page's in a browser, those of a real Slurm.
[[ ${1:-} == test ]] && packages+=(python3-nbclient python3-ipykernel python3-matplotlib chromium slurmctld slurmd
  slurm-client munge)
[[ ${1:-} == tidy ]] && packages+=(clang-tidy clang-format)
[[ ${1:-} == fuzz ]] && packages+=(clang libclang-rt-dev libomp-dev)

# Versions that belong together: CUDA 13.0 Update 2.
header_wheels=(nvidia-cuda-cccl==13.0.85 nvidia-curand==10.4.0.35 nvidia-cuda-runtime==13.0.96 nvidia-cuda-crt==13.0.88
  nvidia-nvtx==13.0.85)
compiler_wheels=(nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cublas==13.1.0.3)

# fetch_wheels NAME==VERSION...: unpacks the wheels and puts their CUDA tree at .deps/cuda, in one rename at the end.
fetch_wheels() {
  install_packages python3-venv
  local venv=$root/.deps/venv fresh=$root/.deps/fetch.$$ python=/usr/bin/python3
  [[ -x $python ]] || python=python3
  [[ -x $venv/bin/pip ]] || "$python" -m venv "$venv"
  mkdir -p "$fresh"
  trap 'rm -rf "$fresh"' EXIT
  say "fetching into .deps/cuda: $*"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: --target "$fresh/site" "$@" ||
    die "could not fetch CUDA's wheels; install a CUDA 13 toolkit (CUDA_HOME names it) and try again"
  local tree=$fresh/site/nvidia/cu13 library
  # What a toolkit has and the wheels lack: lib64, targets/, and the names that the linker looks for.
  ln -s lib "$tree/lib64"
  mkdir -p "$tree/targets/x86_64-linux"
  ln -s ../../include "$tree/targets/x86_64-linux/include"
  ln -s ../../lib "$tree/targets/x86_64-linux/lib"
  for library in "$tree"/lib/lib*.so.*; do
    ln -sf "$(basename "$library")" "${library%%.so.*}.so"
  done
  printf '%s\n' "$@" >"$tree/wheels.txt"
  rm -rf "$root/.deps/cuda"
  mv "$tree" "$root/.deps/cuda"
  rm -rf "$fresh"
  trap - EXIT
}

# What the Python package is built and tested with, as wheels: its tests install it without a network.
python_wheels=(scikit-build-core==1.1.2 nanobind==3.1.0 numpy==2.4.6 tensorboard==2.21.0)
fetch_python_wheels() {
  local wheels=$root/.deps/wheels python=/usr/bin/python3
  [[ -x $python ]] || python=python3
  [[ "$(cat "$wheels/wheels.txt" 2>/dev/null)" != "${python_wheels[*]}" ]] || return 0
  say "fetching into .deps/wheels: ${python_wheels[*]}"
  rm -rf "$wheels"
  "$python" -m venv "$root/.deps/venv" && "$root/.deps/venv/bin/pip" download --quiet --disable-pip-version-check \
    --only-binary :all: --dest "$wheels" "${python_wheels[@]}" && printf '%s\n' "${python_wheels[*]}" >"$wheels/wheels.txt" ||
    say "could not fetch them: tests of the Python package will be skipped"
}

have_gpu() { compgen -G '/dev/nvidia[0-9]*' >/dev/null; }

install_packages "${packages[@]}"
fetch_python_wheels
want=${SPLITSIM_CUDA_WHEELS:-$(have_gpu && echo 1 || echo 0)}
if cuda_toolkit >/dev/null; then
  :
elif [[ $want == 1 ]]; then
  fetch_wheels "${header_wheels[@]}" "${compiler_wheels[@]}"
elif ! cuda_headers; then
  fetch_wheels "${header_wheels[@]}"
fi
if toolkit=$(cuda_toolkit); then
  say "CUDA compiler: $toolkit/bin/nvcc"
else
  say "no CUDA compiler: building the CPU backend (SPLITSIM_CUDA_WHEELS=1 fetches the compiler, 600 MB)"
fi
