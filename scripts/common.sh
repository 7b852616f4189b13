# shellcheck shell=bash
# Sourced by the other scripts: where things are, and one way to say things.
# Threads that spin while waiting are many times slower when anything else runs on the machine. The executables see to
# that themselves; this is for the test programs.
[[ -n ${OMP_WAIT_POLICY:-} ]] || export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-500}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '== %s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Prints the root of the CUDA toolkit (13 or newer) that has a compiler; fails when there is none. The build looks in the
# same places in the same order (cmake/SplitsimToolchain.cmake).
cuda_toolkit() {
  local nvcc release
  for nvcc in "${CUDACXX:-}" "${CUDA_HOME:-}/bin/nvcc" "$(command -v nvcc || true)" /usr/local/cuda/bin/nvcc \
    "$root/.deps/cuda/bin/nvcc"; do
    [[ -n $nvcc && -x $nvcc ]] || continue
    release=$("$nvcc" --version 2>/dev/null | sed -n 's/.*release \([0-9]*\)\..*/\1/p')
    if ((${release:-0} >= 13)); then
      (cd "$(dirname "$(readlink -f "$nvcc")")/.." && pwd)
      return 0
    fi
  done
  return 1
}

# Whether Thrust's and cuRAND's headers are somewhere the build looks.
cuda_headers() {
  local dir toolkit
  toolkit=$(cuda_toolkit || true)
  for dir in "${toolkit:-/nonexistent}" "${CUDA_HOME:-/nonexistent}" /usr/local/cuda "$root/.deps/cuda"; do
    if [[ -e $dir/include/curand_philox4x32_x.h && (-e $dir/include/cccl/thrust/version.h || -e $dir/include/thrust/version.h) ]]; then
      return 0
    fi
  done
  return 1
}

# The preset to build: what is named, else cuda where its compiler is, else cpu.
pick_preset() {
  if [[ -n ${1:-} ]]; then
    printf '%s\n' "$1"
  elif cuda_toolkit >/dev/null; then
    printf 'cuda\n'
  else
    printf 'cpu\n'
  fi
}

# json_value FILE KEY: a top-level-looking scalar of a JSON file, without needing anything installed.
json_value() {
  sed -n 's/.*"'"$2"'"[[:space:]]*:[[:space:]]*"\{0,1\}\([^",}]*\).*/\1/p' "$1" | head -n 1
}

# install_packages PACKAGE...: Debian packages that are missing; says so, and what to do, where it cannot.
install_packages() {
  local missing=() package
  if ! command -v dpkg-query >/dev/null; then
    say "not a Debian system: please see to these packages yourself: $*"
    say "what CMake looks for: OpenMP, Threads, fmt, CLI11, tomlplusplus, nlohmann_json, ZLIB, PNG, GTest, rapidcheck (by name);" \
      "oneapi/dnnl/dnnl.h with libdnnl, nettle/sha2.h with libnettle, zip.h with libzip, turbojpeg.h with libturbojpeg," \
      "lemon/edmonds_karp.h, Clp_C_Interface.h with libClp (by file)"
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
