#!/usr/bin/env bash
# Installs what the build needs and is missing: Debian packages, and, where there is no CUDA toolkit, its headers (Thrust, cuRAND)
# or the whole compiler from their wheels, into .deps/cuda. When nothing is missing it uses no network and changes nothing.
#
#   scripts/setup.sh [tidy|fuzz]  tidy: also clang-tidy and clang-format; fuzz: also clang with libFuzzer
#
# SPLITSIM_CUDA_WHEELS=1  fetch the CUDA compiler and cuBLAS too (600 MB), so that the CUDA backend is built
#                     =0  headers only (65 MB), even where there is an NVIDIA GPU
#   unset: the compiler where an NVIDIA GPU is present, headers elsewhere
set -euo pipefail
source "$(dirname "$0")/common.sh"

packages=(g++ make cmake ninja-build git ca-certificates libdnnl-dev libfmt-dev libcli11-dev libtomlplusplus-dev
  nlohmann-json3-dev zlib1g-dev nettle-dev libgtest-dev librapidcheck-dev liblemon-dev libfccp-dev
  python3 pkg-config python3-dev python3-venv python3-nbclient python3-ipykernel python3-matplotlib)
[[ ${1:-} == tidy ]] && packages+=(clang-tidy clang-format)
[[ ${1:-} == fuzz ]] && packages+=(clang libclang-rt-dev libomp-dev)

install_packages() {
  local missing=() package
  if ! command -v dpkg-query >/dev/null; then
    say "not a Debian system: please see to these packages yourself: $*"
    say "what CMake looks for: OpenMP, Threads, fmt, CLI11, tomlplusplus, nlohmann_json, ZLIB, GTest, rapidcheck (by name);" \
      "oneapi/dnnl/dnnl.h with libdnnl, nettle/sha2.h with libnettle, lemon/edmonds_karp.h (by file)"
    return 0
  fi
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  say "installing Debian packages: ${missing[*]}"
  local sudo=()
  if [[ $(id -u) != 0 ]]; then
    command -v sudo >/dev/null || die "these Debian packages are missing and need root to install: ${missing[*]}"
    sudo=(sudo)
  fi
  export DEBIAN_FRONTEND=noninteractive
  local install=("${sudo[@]}" apt-get install -y --no-install-recommends "${missing[@]}")
  # The package lists may be absent or stale: refresh them only when the first try fails.
  "${install[@]}" >/dev/null 2>&1 || { "${sudo[@]}" apt-get update && "${install[@]}"; } >&2 ||
    die "could not install: ${missing[*]}"
}

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
  local wheels=$root/.deps/python python=/usr/bin/python3
  [[ -x $python ]] || python=python3
  [[ "$(cat "$wheels/wheels.txt" 2>/dev/null)" != "${python_wheels[*]}" ]] || return 0
  say "fetching into .deps/python: ${python_wheels[*]}"
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
