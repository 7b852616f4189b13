#!/usr/bin/env bash
# Runs one file of tests with the package that package.sh has installed: tests/python/run.sh BUILD FILE
set -euo pipefail
python=$1/python-venv/bin/python
[[ -x $python ]] && "$python" -c 'import splitsim' 2>/dev/null || {
  echo "skipped: the package was not installed (test python/package says why)"
  exit 77
}
export SPLITSIM_BIN=$1/bin OMP_NUM_THREADS=1
cd "$(dirname "$0")"
status=0
"$python" -m unittest -v -b "$2" >"$1/python-test-$2.log" 2>&1 || status=$?
cat "$1/python-test-$2.log"
# A file all of whose tests are skipped is skipped.
((status == 0)) && [[ $(tail -n 1 "$1/python-test-$2.log") =~ ^OK\ \(skipped=([0-9]+)\)$ ]] &&
  grep -q "^Ran ${BASH_REMATCH[1]} test" "$1/python-test-$2.log" && exit 77
exit "$status"
