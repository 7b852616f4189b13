#!/usr/bin/env python3
"""Virtual training time against batch deviation: label skew x sampler, with stragglers. No learning, no images needed.

  experiments/tradeoff.py BIN_DIR OUT_DIR

50000 samples of ten classes, K = 64, B = 128, delays per participation only (two_speed: 1 ms, a share of the clients slower by
a factor), one epoch per seed, three seeds. Writes tradeoff.csv and, with matplotlib, tradeoff.png; prints the table.
"""
import csv
import json
import pathlib
import subprocess
import sys

SKEWS = {"iid": ["partition.kind=iid"], "mild": ["partition.classes_per_client=5"], "severe": ["partition.classes_per_client=2"]}
DELTAS = ("0.25", "0.5", "1", "2", "3")
SAMPLERS = (["ugs", "fpls", "fls", "makespan", "lb_greedy"] + [f"lds:delta={d}" for d in ("0",) + DELTAS] +
            [f"urn:delta={d}" for d in DELTAS])
SEEDS = (1, 2, 3)


def measure(sample, folder, skew, share, slowdown, seed):
    delay = f'clock.delay_ms={{kind="two_speed",base=1.0,share={share},slowdown={slowdown}}}'
    settings = SKEWS[skew] + ["partition.clients=64", f"seed={seed}", delay, 'clock.compute_ms={kind="constant",value=0.0}',
                              'clock.uplink_mbps={kind="constant",value=1000000.0}',
                              'clock.downlink_mbps={kind="constant",value=1000000.0}', "clock.server_ms={fixed=0.1,per_sample=0.0}",
                              "clock.model_sync=none"]  # delays per participation only
    command = [sample, "--synthetic", "50000,10", "--samplers", ",".join(SAMPLERS), "--out", str(folder)]
    for setting in settings:
        command += ["--set", setting]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads((folder / "samplers.json").read_text())


def main():
    sample, out = str(pathlib.Path(sys.argv[1]) / "splitsim-sample"), pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for skew in SKEWS:
        for share in (0.1, 0.2):
            for slowdown in (5.0, 10.0):
                runs = [measure(sample, out / "last", skew, share, slowdown, seed) for seed in SEEDS]
                mean = lambda i, key: sum(run[i][key] for run in runs) / len(runs)
                base = mean(0, "virtual_time_s")
                for i, name in enumerate(SAMPLERS):
                    rows.append({"skew": skew, "share": share, "slowdown": slowdown, "sampler": name,
                                 "steps": mean(i, "steps_per_epoch"), "virtual_s": mean(i, "virtual_time_s"),
                                 "time_over_ugs": mean(i, "virtual_time_s") / base, "deviation_l1": mean(i, "batch_deviation_mean"),
                                 "active": mean(i, "active_clients_mean")})
    with open(out / "tradeoff.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    print(f"{'skew':7} {'share':>5} {'slow':>5} {'sampler':16} {'steps':>7} {'virtual s':>9} {'/ ugs':>6} {'L1':>7} {'active':>7}")
    for r in rows:
        print(f"{r['skew']:7} {r['share']:5} {r['slowdown']:5} {r['sampler']:16} {r['steps']:7.0f} {r['virtual_s']:9.3f} "
              f"{r['time_over_ugs']:6.3f} {r['deviation_l1']:7.4f} {r['active']:7.1f}")
    plot(rows, out / "tradeoff.png")


def plot(rows, path):
    try:
        import matplotlib
        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError:
        print("no matplotlib: the plot is left out", file=sys.stderr)
        return
    figure, axes = plt.subplots(1, len(SKEWS), figsize=(13, 4.2), sharey=True)
    for axis, skew in zip(axes, SKEWS):
        mine = [r for r in rows if (r["skew"], r["share"], r["slowdown"]) == (skew, 0.1, 10.0)]
        for family, marker in (("lds", "o-"), ("urn", "s--")):
            points = [r for r in mine if r["sampler"].startswith(family)]
            axis.plot([r["time_over_ugs"] for r in points], [r["deviation_l1"] for r in points], marker, label=f"{family}, delta sweep",
                      markersize=5, alpha=0.8)
        for r in mine:
            if ":" not in r["sampler"]:
                axis.plot(r["time_over_ugs"], r["deviation_l1"], "*", markersize=11, label=r["sampler"])
        axis.set_title(f"{skew}")
        axis.set_xlabel("virtual time of an epoch / ugs")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("mean batch deviation (L1)")
    axes[-1].legend(fontsize=8)
    figure.suptitle("Time against deviation: K = 64, B = 128, 10 % of the clients 10 x slower per participation")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
