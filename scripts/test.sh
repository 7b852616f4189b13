#!/usr/bin/env bash
# Runs every test of a built preset and ends with the line 'N passed, N failed': scripts/test.sh [PRESET] [CTEST ARGUMENT...].
# Each test is a process of its own; SPLITSIM_TEST_JOBS of them run at once (default: the processors).
set -euo pipefail
source "$(dirname "$0")/common.sh"
preset=$(pick_preset "${1:-}")
shift || true
build=$root/build/$preset
report=$build/test-report.xml
if [[ $preset == cpu-tsan ]]; then
  # Archer tells ThreadSanitizer what OpenMP's barriers order; oneDNN is not instrumented.
  archer=$(clang++ -print-file-name=libarcher.so)
  [[ $archer == /* ]] || archer=$(dirname "$(readlink -f "$(command -v clang++)")")/../lib/libarcher.so
  [[ -e $archer ]] || die "libarcher.so is missing (a part of LLVM's OpenMP): scripts/setup.sh fuzz installs it"
  export SPLITSIM_CONFIGS=${SPLITSIM_CONFIGS:-15}  # of the whole program's fuzzer: a run takes many seconds
  export OMP_TOOL_LIBRARIES=$archer OMP_NUM_THREADS=${OMP_NUM_THREADS:-3}
  export TSAN_OPTIONS="ignore_noninstrumented_modules=1 suppressions=$root/tests/tsan.supp ${TSAN_OPTIONS:-}"
fi
rm -f "$report"
status=0
ctest --test-dir "$build" --output-on-failure --no-tests=error --parallel "${SPLITSIM_TEST_JOBS:-$(nproc)}" \
  --progress --output-junit "$report" "$@" || status=$?
python3 - "$report" "$status" <<'PY'
import sys
import xml.etree.ElementTree as xml

try:
    cases = xml.parse(sys.argv[1]).getroot().findall("testcase")
except (OSError, xml.ParseError) as error:
    print(f"no report: {error}")
    cases = []
status = int(sys.argv[2])
passed = failed = skipped = 0
for case in cases:
    if case.find("skipped") is not None and case.get("status") == "notrun":
        skipped += 1
    elif case.get("status") == "run":
        passed += 1
    else:
        print(f"failed: {case.get('name')}")
        failed += 1
if status != 0 and failed == 0:
    failed = 1  # e.g. a test that was not built
if skipped:
    print(f"{skipped} skipped (no GPU, or data sets not at hand)")
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed or not passed else 0)
PY
