#!/usr/bin/env bash
# Installs the package into a fresh virtual environment, as `pip install .` does, over the libraries that BUILD has:
#   tests/python/package.sh BUILD CUDA(0|1)
# Exit code 77 (skipped) where the build's requirements cannot be had.
set -euo pipefail
build=$(realpath "$1") cuda=$2
root=$(cd "$(dirname "$0")/../.." && pwd)
venv=$build/python-venv
skip() {
  echo "skipped: $*"
  exit 77
}
python=/usr/bin/python3
[[ -x $python ]] || python=$(command -v python3) || skip "no python3"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || skip "$python is older than 3.11"
[[ -e $("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h ]] ||
  skip "no Python.h beside $python (python3-dev)"
rm -rf "$venv"
"$python" -m venv "$venv" || skip "$python has no venv (python3-venv)"
pip=("$venv/bin/pip" --quiet --disable-pip-version-check --no-input)
source=()
[[ -e $root/.deps/wheels/wheels.txt ]] && source=(--no-index --find-links "$root/.deps/wheels") # scripts/setup.sh
# Whether there is anything to build with, apart from whether the build goes well.
"${pip[@]}" download --dest "$venv/wheels" "${source[@]}" 'scikit-build-core>=1.0,<2' 'nanobind>=3,<4' 'numpy>=1.24' ||
  skip "scikit-build-core, nanobind or numpy cannot be had"
export SKBUILD_BUILD_DIR=$build/python-package
export SKBUILD_CMAKE_DEFINE="SPLITSIM_FLOORS=$build;SPLITSIM_CUDA=$([[ $cuda == 1 ]] && echo ON || echo OFF)"
"${pip[@]}" install --no-index --find-links "$venv/wheels" "$root"
"${pip[@]}" install "${source[@]}" tensorboard || echo "no tensorboard: its tests will be skipped"
