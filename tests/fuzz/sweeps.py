"""What whole_program.py checks of splitsim-sweep."""
import os, subprocess


class Finding(Exception):
    pass


def check_sweep(bin_folder, number, values, alone, folder, env, timeout_s):
    """A sweep of this seed and another one, every second time with both in one process. Raises a Finding unless this one's
    files are those of the run `alone`."""
    others = {key: value for key, value in values.items() if key != "seed"}
    seed = int(values.get("seed", "1"))
    command = [os.path.join(bin_folder, "splitsim-sweep"), "--device", "cpu", "--no-measure", "--jobs", "1", "--out", f"{folder}/sweep",
               "--grid", f"seed={seed},{seed - 1 if seed > 1 else seed + 1}", "--together", str(1 + number // 4 % 2)]
    for key, value in others.items():
        command += ["--set", f"{key}={value}"]
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s)
    if done.returncode not in (0, 1):  # 1: the other seed may be refused, by a file that fits one partition alone
        raise Finding(f"{' '.join(command)}: exit code {done.returncode}: {done.stderr[:2000]}")
    for name in ("steps.csv", "clients.csv", "tests.jsonl", "model.safetensors", "partition.npy"):
        there = [os.path.join(where, name) for where in (alone, f"{folder}/sweep/runs/seed={seed}")]
        if os.path.exists(there[0]) != os.path.exists(there[1]):
            raise Finding(f"{' '.join(command)}: {name} is there alone or in the sweep, not in both: {done.stderr[:2000]}")
        if os.path.exists(there[0]) and open(there[0], "rb").read() != open(there[1], "rb").read():
            raise Finding(f"{' '.join(command)}: {name} has other bits than alone")
