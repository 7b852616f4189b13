#!/usr/bin/env python3
"""Samplers above the front of virtual time against batch deviation, for several clocks. No learning, no images needed.

  experiments/front.py BIN_DIR OUT_DIR

50000 samples of ten classes, K = 64, B = 128, one epoch per seed, three seeds. pack is also run within four budgets, evenly
between makespan's time (delays as they are) and its own. Writes front.csv (means over the seeds) and prints it as a table.
"""
import csv
import pathlib
import subprocess
import sys

SEVERE, MILD = "partition.classes_per_client=2", "partition.classes_per_client=5"
TWO_SPEED = 'clock.delay_ms={{kind="two_speed",base={},share={},slowdown=10.0}}'
DELAYS_ONLY = ['clock.compute_ms={kind="constant",value=0.0}', 'clock.uplink_mbps={kind="constant",value=1000000.0}',
               'clock.downlink_mbps={kind="constant",value=1000000.0}', "clock.server_ms={fixed=0.1,per_sample=0.0}",
               "clock.model_sync=none"]
SETTINGS = {
    "severe, 10 % x 10": [SEVERE, TWO_SPEED.format(1.0, 0.1), *DELAYS_ONLY],
    "mild, 10 % x 10": [MILD, TWO_SPEED.format(1.0, 0.1), *DELAYS_ONLY],
    "severe, 20 % x 10": [SEVERE, TWO_SPEED.format(1.0, 0.2), *DELAYS_ONLY],
    "severe, Pareto(1.2)": [SEVERE, 'clock.delay_ms={kind="pareto",scale=1.0,alpha=1.2,cap=100.0}', *DELAYS_ONLY],
    "severe, lognormal cv 1.5": [SEVERE, 'clock.delay_ms={kind="lognormal",mean=1.0,cv=1.5}', *DELAYS_ONLY],
    "severe, default clock": [SEVERE],
    "severe, default clock, 10 and 100 ms": [SEVERE, TWO_SPEED.format(10.0, 0.1)],
}
SAMPLERS = (["ugs", "fpls"] + [f"lds:delta={delta}:em=published" for delta in (0.5, 1, 2, 3)] + ["urn:delta=1", "urn:delta=2"] +
            ["makespan:levels=0", "makespan", "lb_greedy", "lb_greedy:target=stratified", "lbpack:levels=64:order=slow_first",
             "lbpack:levels=64", "pack:levels=64", "pack"])
BUDGETS = (0.02, 0.25, 0.5, 0.75)  # of the way from makespan's time to pack's
SEEDS = (11, 12, 13)


def sample(program, folder, settings, samplers):
    command = [program, "--synthetic", "50000,10", "--set", "partition.clients=64", "--samplers", ",".join(samplers), "--front",
               "--out", str(folder)]
    for setting in settings:
        command += ["--set", setting]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with open(folder / "front.csv") as file:
        front = {row["name"]: row for row in csv.DictReader(file) if row["name"] != "bound"}
    with open(folder / "samplers.csv") as file:
        active = {row["sampler"]: row["active_clients_mean"] for row in csv.DictReader(file)}
    return {name: {"time_over_ugs": float(row["time_over_ugs"]), "deviation": float(row["deviation"]), "bound": float(row["bound"]),
                   "active": float(active[name])} for name, row in front.items()}


def measure(program, folder, settings):
    rows = sample(program, folder, settings, SAMPLERS)
    low, high = rows["makespan:levels=0"]["time_over_ugs"], rows["pack:levels=64"]["time_over_ugs"]
    if low < high:  # per participation: makespan is the fastest there is, by its levels
        budgets = {f"pack:levels=64:budget_time={low + part * (high - low) + 1e-6:.6f}": part for part in BUDGETS}
        for name, row in sample(program, folder, settings, ["ugs", *budgets]).items():
            if name in budgets:
                rows[f"pack, budget {budgets[name]}"] = row
    return rows


def main():
    program, out = str(pathlib.Path(sys.argv[1]) / "splitsim-sample"), pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "front.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["setting", "sampler", "time_over_ugs", "deviation", "bound", "active"])
        for setting, keys in SETTINGS.items():
            runs = [measure(program, out / "last", [*keys, f"seed={seed}"]) for seed in SEEDS]
            print(f"\n{setting}\n{'sampler':36} {'/ ugs':>6} {'L1':>6} {'bound':>6} {'active':>6}")
            for name in runs[0]:
                mean = [sum(run[name][key] for run in runs) / len(runs) for key in ("time_over_ugs", "deviation", "bound", "active")]
                writer.writerow([setting, name, *(f"{value:.4f}" for value in mean)])
                print(f"{name:36} {mean[0]:6.3f} {mean[1]:6.3f} {mean[2]:6.3f} {mean[3]:6.1f}")


if __name__ == "__main__":
    main()
