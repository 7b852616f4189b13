#!/bin/sh
# Runs one file of the report's tests: tests/python/report/run.sh FILE. The Python is $SPLITSIM_REPORT_PYTHON, else that of
# .deps/python, else python3. Ends with 77, which ctest counts as skipped, where that lacks pandas or scipy, or where every
# test was skipped.
root=$(cd "$(dirname "$0")/../../.." && pwd)
python=${SPLITSIM_REPORT_PYTHON:-$root/.deps/python/bin/python}
[ -x "$python" ] || python=python3
if ! "$python" -c 'import pandas, scipy, tomllib' 2>/dev/null; then
  echo "skipped: $python lacks pandas, scipy or tomllib (Python 3.11): scripts/python.sh installs them"
  exit 77
fi
export PYTHONPATH="$root/python:$root/tests/python/report${PYTHONPATH:+:$PYTHONPATH}"
exec "$python" -B - "$1" <<'PY'
import pathlib
import sys
import unittest

suite = unittest.defaultTestLoader.loadTestsFromName(pathlib.Path(sys.argv[1]).stem)
result = unittest.TextTestRunner(verbosity=2).run(suite)
if not result.wasSuccessful() or not result.testsRun:
    sys.exit(1)
sys.exit(77 if len(result.skipped) == result.testsRun else 0)
PY
