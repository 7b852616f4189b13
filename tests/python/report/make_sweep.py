#!/usr/bin/env python3
"""A sweep directory from several calls of splitsim-run, laid out as splitsim-sweep does: for tests of the report.

  make_sweep.py BIN_DIR OUT_DIR [--config FILE] [--axis KEY=V1,V2] [--variant NAME=LABEL:K=V;K=V,LABEL:...] [--set K=V]

Runs the crossing of the axes, the last one fastest. An axis called seed, or ending in .seed, is a seed.
"""

import argparse
import csv
import itertools
import json
import pathlib
import subprocess

STATUS_OF_EXIT = {0: "completed", 4: "diverged", 130: "interrupted"}


def scalars(value, name=""):
    """Every scalar of a JSON object by its dotted name."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from scalars(entry, f"{name}.{key}" if name else key)
    elif not isinstance(value, list) and value is not None:
        yield name, value


def axis_of(text):
    name, values = text.split("=", 1)
    labels = values.split(",")
    return {
        "name": name,
        "keys": [name],
        "values": labels,
        "seed": name == "seed" or name.endswith(".seed"),
        "settings": {label: [f"{name}={label}"] for label in labels},
    }


def variant_of(text):
    name, values = text.split("=", 1)
    settings = {}
    for value in values.split(","):
        label, pairs = value.split(":", 1)
        settings[label] = [pair for pair in pairs.split(";") if pair]
    keys = sorted({pair.split("=", 1)[0] for pairs in settings.values() for pair in pairs})
    return {"name": name, "keys": keys, "values": list(settings), "seed": False, "settings": settings}


def make_sweep(run, out, axes, settings, config=None):
    """run: path of splitsim-run; axes: as axis_of() makes them; settings: key=value of every run. The index's rows."""
    out = pathlib.Path(out)
    rows = []
    for labels in itertools.product(*(axis["values"] for axis in axes)):
        row = {"run": "-".join(labels).replace("/", "_"), "error": ""}
        row.update({axis["name"]: label for axis, label in zip(axes, labels)})
        folder = out / "runs" / row["run"]
        folder.parent.mkdir(parents=True, exist_ok=True)
        command = [str(run), *([str(config)] if config else []), "--device", "cpu", "--out", str(folder), "--force"]
        for setting in list(settings) + [s for axis, label in zip(axes, labels) for s in axis["settings"][label]]:
            command += ["--set", setting]
        ended = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        row["status"] = STATUS_OF_EXIT.get(ended.returncode, "failed")
        if row["status"] == "failed":
            row["error"] = (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1]
        if (folder / "summary.json").exists():
            for name, value in scalars(json.loads((folder / "summary.json").read_text())):
                row.setdefault(name, value)
        rows.append(row)
    first = ["run", "status", "error"] + [axis["name"] for axis in axes] + ["config_sha256"]
    rest = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in first]
    with open(out / "index.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, first + rest, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    plain = [{key: axis[key] for key in ("name", "keys", "values", "seed")} for axis in axes]
    (out / "axes.json").write_text(json.dumps(plain, indent=2) + "\n")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--config", type=pathlib.Path)
    parser.add_argument("--axis", action="append", default=[], type=axis_of, dest="axes")
    parser.add_argument("--variant", action="append", type=variant_of, dest="axes")
    parser.add_argument("--set", action="append", default=[])
    args = parser.parse_args()
    for row in make_sweep(args.bin / "splitsim-run", args.out, args.axes, args.set, args.config):
        print(row["run"], row["status"], row["error"])


if __name__ == "__main__":
    main()
