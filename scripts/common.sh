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
