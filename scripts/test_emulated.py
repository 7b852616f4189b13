#!/usr/bin/env python3
"""Runs the CUDA twins of the tests on a machine without a GPU, under an emulator of CUDA's libraries.

    scripts/test_emulated.py [--minutes M] [--modes "plain check lazy+shuffle"] [--filter PATTERN] [--jobs N]

The emulator is a folder with run.sh: $SPLITSIM_EMULATOR, else ../shared/gpu-emulator beside the source tree; where there is
none, this says so and ends with 0. Every twin runs plain; then as many as fit into the minutes run with the checks (memory,
races, uninitialised reads, synchronisation), then with late streams and shuffled blocks, the quickest first. What did not
fit is listed. Each test is a process of its own; logs are in build/emulated/logs. The last line counts.
"""
import argparse
import concurrent.futures
import fnmatch
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "emulated"
PROGRAMS = ["test_kernels", "test_samplers", "test_runtime"]
CHECKS = ("memory", "race", "init", "sync")
HEAVY = ("ImplicitGemm.",)  # a quarter of an hour plain, half of one under the checks: only where --filter names them


def emulator():
    """The emulator's folder, or None after a line that says that there is none."""
    folder = pathlib.Path(os.environ.get("SPLITSIM_EMULATOR", ROOT.parent / "shared" / "gpu-emulator"))
    if (folder / "run.sh").exists():
        return folder
    print(f"skipped: no emulator of CUDA here ({folder}; $SPLITSIM_EMULATOR names its folder)")
    return None


def environment(mode):
    """The emulator's variables for a mode: plain, check, lazy, shuffle, or several joined with +."""
    env = dict(os.environ, OMP_WAIT_POLICY="passive", OMP_NUM_THREADS="1", SPLITSIM_REQUIRE_GPU="1",
               GPUEMU_CACHE=str(BUILD / "kernels"), GPUEMU_SMS=os.environ.get("GPUEMU_SMS", "8"))
    for part in mode.split("+"):
        if part == "check":
            env["GPUEMU_CHECK"] = ",".join(CHECKS)
        elif part == "lazy":
            env["GPUEMU_LAZY"] = "1"
        elif part == "shuffle":
            env["GPUEMU_SEED"] = os.environ.get("GPUEMU_SEED", "1")
        elif part != "plain":
            raise SystemExit(f"error: --modes: unknown mode {part}")
    return env


def twins(program, pattern):
    """The tests of a program that run on the CUDA backend: the second of the typed contexts, and those named for it."""
    out = subprocess.run([BUILD / "bin" / program, "--gtest_list_tests"], capture_output=True, text=True, check=True).stdout
    suite, found = "", []
    for line in out.splitlines():
        name = line.split("#")[0].rstrip()
        if line.startswith("  "):
            test = suite + name.strip()
            on_device = suite.rstrip(".").endswith("/1") or "Cuda" in test or "Device" in test
            on_device = on_device or (suite in HEAVY and pattern != "*")
            if on_device and fnmatch.fnmatchcase(test, pattern):
                found.append((program, test))
        elif name.endswith("."):
            suite = name
    return found


def run(job, mode, limit):
    """(passed, skipped, seconds) of one test in one mode."""
    program, test = job
    log = BUILD / "logs" / mode / (test.replace("/", "_") + ".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    with open(log, "w") as out:
        try:
            code = subprocess.run([BUILD / "bin" / program, "--gtest_filter=" + test], stdout=out, stderr=subprocess.STDOUT,
                                  env=environment(mode), timeout=limit).returncode
        except subprocess.TimeoutExpired:
            code = 124
    text = log.read_text(errors="replace")
    if code != 0:
        print(f"FAILED  {mode}: {test} (exit {code}): {log}", flush=True)
    return code == 0, "[  SKIPPED ]" in text, time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=25.0, help="for running, the build not counted")
    parser.add_argument("--modes", default="plain check lazy+shuffle", help="the first runs for every twin")
    parser.add_argument("--filter", default="*", help="of names, as suite.test")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()

    folder = emulator()
    if folder is None:
        return 0
    # splitsim-run is for profiling/model/cost_account.py.
    targets = [word for program in [*PROGRAMS, "splitsim-run"] for word in ("--target", program)]
    print("== building for the emulator", flush=True)
    subprocess.run([folder / "run.sh", ROOT, "--jobs", str(options.jobs), *targets], check=True)

    jobs = [job for program in PROGRAMS for job in twins(program, options.filter)]
    if not jobs:
        print("error: no test has this name")
        return 1
    if options.filter == "*":
        print("left out, since they take long: " + ", ".join(f"--filter '{suite}*'" for suite in HEAVY))
    end = time.monotonic() + 60.0 * options.minutes
    passed = failed = 0
    seconds = {}
    for place, mode in enumerate(options.modes.split()):
        order = sorted(jobs, key=lambda job: seconds.get(job, 0.0))
        late, skipped, begin = [], [], time.monotonic()

        def one(job):
            # A check takes about ten times as long; what would not end in time is not begun.
            left = end - time.monotonic()
            if place > 0 and seconds.get(job, 1.0) * 4.0 > left:
                late.append(job)
                return None
            return job, run(job, mode, 1200.0 if place == 0 else left + 300.0)

        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for result in pool.map(one, order):
                if result is None:
                    continue
                job, (good, skip, took) = result
                passed += good and not skip
                failed += not good
                if skip:
                    skipped.append(job[1])
                if place == 0:
                    seconds[job] = took
        print(f"{mode}: {len(jobs) - len(late)} of {len(jobs)} twins in {time.monotonic() - begin:.0f} s", flush=True)
        for name in skipped:
            print(f"  skipped by its own decision: {name}")
        for _, name in late:
            print(f"  no time left for: {name}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
