#!/usr/bin/env python3
"""What a training step costs on a GPU, counted without one: the emulated build runs a few captured steps, and the emulator
counts launches, bytes and instructions; its cost model of an H100 estimates microseconds. A model, not a measurement.

    profiling/model/cost_account.py --check      compare with costs.json: 1 if launches or bytes of a case grew by over 5 %
    profiling/model/cost_account.py --update     write costs.json
    profiling/model/cost_account.py --table      print a case's kernels, the costliest first (--cases NAME)

--cases all takes the slow ones too, which emulate for minutes: experiments as one, the full ResNet-18 in every precision, and a schedule of 10^7
samples (a step of it is an epoch's schedule and timeline).

Needs build/emulated (scripts/test_emulated.py or `run.sh . --target splitsim-run` of the emulator makes it) and the emulator's
folder: $SPLITSIM_EMULATOR, else ../shared/gpu-emulator beside the source tree. Without one it says so and ends with 0.
"""
import argparse
import csv
import json
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
from test_emulated import BUILD, emulator  # noqa: E402

COSTS = pathlib.Path(__file__).resolve().parent / "costs.json"
LIMIT = 1.05

# name: image (channels, size), samples, and what splitsim-run is given. The first step runs kernel by kernel, the others as
# a graph, which is what counts.
CASES = {
    "lenet_psl": ((1, 28), 512, ["model.name=lenet", "model.cut=pool1", "partition.clients=128"]),
    "cnn_psl": ((3, 32), 384, ["model.name=cnn", "model.cut=pool1", "partition.clients=256"]),
    "cnn_psl_local": ((3, 32), 384, ["model.name=cnn", "model.cut=pool1", "partition.clients=256",
                                     "train.mode=psl_local"]),
    "resnet18_width16_psl": ((3, 32), 256, ["model.name=resnet18", "model.cut=layer1", "model.width=16",
                                            "partition.clients=16", "sampler.batch=64"]),
}

RESNET = ["model.name=resnet18", "model.cut=layer1", "partition.clients=16"]
SLOW = {
    # Experiments as one: the launches of one.
    "lenet_psl_4": ((1, 28), 512, ["model.name=lenet", "model.cut=pool1", "partition.clients=128"]),
    "lenet_psl_16": ((1, 28), 512, ["model.name=lenet", "model.cut=pool1", "partition.clients=128"]),
    "resnet18_psl": ((3, 32), 256, RESNET),
    "resnet18_psl_tf32": ((3, 32), 256, [*RESNET, "train.precision=tf32"]),
    "resnet18_psl_bf16": ((3, 32), 256, [*RESNET, "train.precision=bf16"]),
    "ugs_10m": (None, 10**7, ["partition.clients=100000", "sampler.batch=1024"]),
}


# How many experiments of a case, with seeds 1, 2, .., are trained as one.
TOGETHER = {"lenet_psl_4": 4, "lenet_psl_16": 16}


def together(folder, count, settings):
    """The list of `count` runs that splitsim-run --together reads."""
    lines = []
    for seed in range(1, count + 1):
        config = folder / f"{seed}.toml"
        words = [word for setting in [*settings, f"seed={seed}"] for word in ("--set", setting)]
        config.write_text(subprocess.run([BUILD / "bin" / "splitsim-run", "--print-config", *words], check=True,
                                         capture_output=True, text=True).stdout)
        lines.append(f"{config}\t{folder / 'runs' / str(seed)}\n")
    (folder / "list").write_text("".join(lines))
    return str(folder / "list")


def write_npy(path, kind, shape, data):
    """A NumPy file of bytes that are laid out already."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data)


def write_data(folder, image, samples):
    channels, size = image
    rng = random.Random(1)
    for end, count in (("", samples), ("_test", 10)):
        write_npy(folder / f"x{end}.npy", "|u1", [count, size, size, channels], rng.randbytes(count * size * size * channels))
        write_npy(folder / f"y{end}.npy", "|i1", [count], bytes(i % 10 for i in range(count)))


def profile(case, tools):
    """The rows of a step's kernels and the model's text."""
    image, samples, overrides = {**CASES, **SLOW}[case]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if image is None:  # a schedule without learning
            program, settings = "splitsim-sample", ["partition.kind=iid", *overrides]
            arguments = ["--synthetic", f"{samples},10", "--samplers", "ugs", "--epochs", "1"]
        else:
            write_data(folder, image, samples)
            program, arguments = "splitsim-run", []
            settings = [f"data={{name='npy',dir='{folder}'}}", "partition.kind=iid", "sampler.batch=128",
                        "train.epochs=1", "train.checkpoint_epochs=0", *overrides]
        if case in TOGETHER:
            arguments = ["--together", together(folder, TOGETHER[case], settings)]
        else:
            arguments += [word for setting in settings for word in ("--set", setting)]
        env = dict(os.environ, GPUEMU_PROFILE=str(folder / "profile.csv"), GPUEMU_SMS="132",
                   GPUEMU_CACHE=str(BUILD / "kernels"), OMP_NUM_THREADS="1")
        run = subprocess.run([BUILD / "bin" / program, "--device", "cuda", *arguments], env=env,
                             capture_output=True, text=True)
        if run.returncode != 0:
            raise SystemExit(f"error: {case}: exit {run.returncode}: {run.stderr}")
        rows = [row for row in csv.DictReader(open(folder / "profile.csv"))]
        text = subprocess.run([sys.executable, tools / "profile/roofline.py", folder / "profile.csv",
                               *(["--all"] if image is None else [])], capture_output=True, text=True, check=True).stdout
    return rows, text


def costs(rows, text):
    steps = sum(int(row["launches"]) for row in rows if row["kernel"] == "cudaGraphLaunch") or 1
    graphs = any(int(row["graph"]) for row in rows)
    inside = [row for row in rows if row["kernel"] != "cudaGraphLaunch" and (int(row["graph"]) or not graphs)]

    def per_step(*columns):
        return sum(int(row[column]) for row in inside for column in columns) / steps

    return {
        "launches": round(per_step("launches"), 2),
        "megabytes": round(per_step("unique_read", "unique_write") / 1e6, 3),
        "million_warp_instructions": round(per_step("warp_instructions") / 1e6, 3),
        "estimated_us": float(re.search(r"([\d.]+) us estimated", text).group(1)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    for name in ("check", "update", "table"):
        what.add_argument("--" + name, action="store_true")
    parser.add_argument("--cases", default=",".join(CASES), help="names with commas between them, or all")
    options = parser.parse_args()
    folder = emulator()
    if folder is None:
        return 0
    known = json.loads(COSTS.read_text()) if COSTS.exists() else {}
    grown = False
    for case in [*CASES, *SLOW] if options.cases == "all" else options.cases.split(","):
        rows, text = profile(case, folder)
        if options.table:
            print(f"{case}: {text}")
            continue
        now = costs(rows, text)
        print(f"{case}: " + ", ".join(f"{value:g} {name}" for name, value in now.items()), flush=True)
        if options.update:
            known[case] = now
            continue
        if case not in known:
            print(f"  {case} is not in {COSTS.name}: --update records it")
            continue
        for name in ("launches", "megabytes"):
            if now[name] > known[case][name] * LIMIT:
                print(f"FAILED: {case}: {now[name]:g} {name} a step, {known[case][name]:g} before")
                grown = True
    if options.update:
        COSTS.write_text(json.dumps(known, indent=2) + "\n")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
