#!/usr/bin/env bash
# Makes .deps/python, the virtual environment of splitsim-report: Debian's pandas and scipy (elsewhere PyPI's) and what
# python/requirements.txt pins; with the argument `tensorboard` also what its option --tensorboard needs (make test).
# When nothing is missing it uses no network, changes nothing and says nothing.
set -euo pipefail
source "$(dirname "$0")/common.sh"
venv=$root/.deps/python
pins=$root/python/requirements.txt
extra=${1:-}

# Whether the environment runs, has pandas and scipy, and has the pinned versions and what was asked for.
complete() {
  [[ -x $venv/bin/python ]] && "$venv/bin/python" - "$pins" $extra 2>/dev/null <<'PY'
import importlib.metadata as metadata
import importlib.util
import re
import sys

assert sys.version_info >= (3, 11)
assert all(importlib.util.find_spec(name) for name in ("pandas", "scipy", *sys.argv[2:]))
for line in open(sys.argv[1]):
    if pin := re.match(r"([\w.-]+)==(\S+)", line):
        assert metadata.version(pin[1]) == pin[2]
PY
}

complete && exit 0
command -v dpkg-query >/dev/null && install_packages python3-venv python3-pandas python3-scipy
python=/usr/bin/python3
[[ -x $python ]] || python=python3
say "making .deps/python, for splitsim-report"
rm -rf "$venv"
"$python" -m venv --system-site-packages "$venv" || die "could not make $venv with $python"
wanted=(-r "$pins")
"$venv/bin/python" -c 'import pandas, scipy' 2>/dev/null || wanted+=('pandas>=1.5' 'scipy>=1.10')
[[ -z $extra ]] || wanted+=("$extra>=2.15")
[[ -d $root/.deps/wheels ]] && wanted+=(--find-links "$root/.deps/wheels") # what setup.sh has fetched already
"$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "${wanted[@]}" ||
  die "could not fetch Python packages: ${wanted[*]}"
complete || die "$venv lacks pandas, scipy or what $pins names; Python must be 3.11 or newer"
