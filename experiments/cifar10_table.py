#!/usr/bin/env python3
"""Test accuracy by sampler and skew on CIFAR-10, mean and standard deviation over seeds, beside the paper's published figures.

  experiments/cifar10_table.py BIN_DIR DATA_DIR OUT_DIR            the scaled-down twin: half an hour on 2 cores at most
  experiments/cifar10_table.py --full BIN_DIR DATA_DIR OUT_DIR     the paper's workload at full size: for a GPU

Twin: experiments/cifar10_cnn.toml (cnn, 5 epochs, K = 64, B = 128, SGD 0.01 with momentum 0.9 and cosine) on whatever CIFAR-10 files
are in DATA_DIR, three seeds. Full: experiments/paper_cifar10.toml, 100 epochs; --clients and --batch choose its other tables.
Resumable: finished runs stay, an interrupted one goes on from its checkpoint. Writes table.csv and table.txt into OUT_DIR.
"""
import argparse
import csv
import json
import pathlib
import statistics
import subprocess
import sys

SKEWS = {"iid": ["partition.kind=iid"], "mild": ["partition.classes_per_client=5"], "severe": ["partition.classes_per_client=2"]}
SAMPLERS = {"ugs": [], "fpls": [], "fls": [], "central": ["train.mode=central"]}
# Published: severe skew, K = 64, 100 epochs of the full set, per cent; under IID about 84 for all.
PUBLISHED = {"severe": {"ugs": "84.71", "fpls": "64.35", "fls": "52.57", "central": "84.65"},
             "iid": dict.fromkeys(SAMPLERS, "about 84"), "mild": dict.fromkeys(SAMPLERS, "-")}


def run(args, config, skew, sampler, seed):
    """The run's summary; trains only what is missing."""
    folder = args.out / f"{skew}-{sampler}-{seed}"
    summary = folder / "summary.json"
    if not summary.exists():
        command = [str(args.bin / "splitsim-run")]
        if (folder / "checkpoint").exists():
            command += ["--resume", str(folder)]
        else:
            settings = [f"data.dir={args.data}", f"seed={seed}", f"sampler.kind={sampler}", *SKEWS[skew], *SAMPLERS[sampler]]
            if args.clients:
                settings.append(f"partition.clients={args.clients}")
            if args.batch:
                settings.append(f"sampler.batch={args.batch}")
            command += [str(config), "--out", str(folder), "--force"] + [w for s in settings for w in ("--set", s)]
        if args.threads:
            command += ["--threads", str(args.threads)]
        with open(args.out / "last.log", "w") as log:
            code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT).returncode
        if code not in (0, 4):  # 4: diverged, which is a result
            sys.exit(f"{' '.join(command)}\nended with {code}: see {args.out / 'last.log'}")
    return json.loads(summary.read_text())


def figures(summaries):
    """Means over seeds; a run that diverged before its first test has no accuracy and is left out of its mean."""
    tested = [100 * s["test_accuracy"] for s in summaries if s["test_accuracy"] is not None]
    return {"accuracy": statistics.mean(tested) if tested else float("nan"),
            "std": statistics.stdev(tested) if len(tested) > 1 else float("nan"), "runs": len(tested),
            "diverged": sum(s["status"] == "diverged" for s in summaries),
            "deviation": statistics.mean(s["batch_deviation_mean"] for s in summaries),
            "steps": statistics.mean(s["steps_per_epoch"] for s in summaries),
            "virtual_s": statistics.mean(s["virtual_time_s"] for s in summaries),
            "wall_s": sum(s["wall_time_s"] for s in summaries)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin", type=pathlib.Path, help="folder of splitsim-run")
    parser.add_argument("data", type=pathlib.Path, help="folder of CIFAR-10's binary files")
    parser.add_argument("out", type=pathlib.Path, help="folder for the runs and the table")
    parser.add_argument("--full", action="store_true", help="the paper's workload instead of its twin")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 1 .. N (default 3)")
    parser.add_argument("--clients", type=int, help="K (default: the config's)")
    parser.add_argument("--batch", type=int, help="B (default: the config's)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all)")
    args = parser.parse_args()
    config = pathlib.Path(__file__).parent / ("paper_cifar10.toml" if args.full else "cifar10_cnn.toml")
    args.out.mkdir(parents=True, exist_ok=True)
    rows, lines = [], []
    lines.append(f"{'skew':7} {'sampler':8} {'test accuracy':>15} {'published':>9} {'deviation':>9} {'steps':>6} {'virtual s':>9} {'wall s':>7}")
    print(lines[-1], flush=True)
    for skew in SKEWS:
        for sampler in SAMPLERS:
            f = figures([run(args, config, skew, sampler, seed) for seed in range(1, args.seeds + 1)])
            published = PUBLISHED[skew][sampler]
            note = f"  {f['diverged']} of {args.seeds} diverged" if f["diverged"] else ""
            rows.append({"skew": skew, "sampler": sampler, **f, "published": published})
            lines.append(f"{skew:7} {sampler:8} {f['accuracy']:7.2f} +- {f['std']:4.2f} {published:>9} {f['deviation']:9.4f} "
                         f"{f['steps']:6.0f} {f['virtual_s']:9.1f} {f['wall_s']:7.0f}{note}")
            print(lines[-1], flush=True)
    (args.out / "table.txt").write_text("\n".join(lines) + "\n")
    with open(args.out / "table.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
