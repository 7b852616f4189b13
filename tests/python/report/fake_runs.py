"""Run directories with chosen figures, small enough to compute by hand what a report must say of them."""

import csv
import json
import pathlib

STEP = (
    "epoch,step,train_loss,samples,active_clients,batch_deviation,batch_drift,train_correct,client_lr,server_lr,"
    "start_ns,end_ns,critical_forward,critical_backward,missed_samples,deferred_samples,absent_clients,late_clients,"
    "bytes_up,bytes_down,model_bytes_up,model_bytes_down"
)
CLIENT = (
    "client,samples,steps,waiting_ns,active_ns,missed_samples,absences,late,bytes_up,bytes_down,model_bytes_up,"
    "model_bytes_down,energy_j,personal_accuracy"
)


def write_run(
    folder,
    config,
    accuracies=(0.5,),
    times=None,
    status="completed",
    within=(),
    validation=None,
    losses=None,
    deviations=(0.2, 0.4),
    clients=((10, 4), (30, 2)),
    recall=(0.4, 0.6),
    bytes_up=1 << 20,
    summary=True,
):
    """One epoch per accuracy (None: no test), ending at times[e] s; within: (epoch, step, time, accuracy) of tests
    inside epochs; every epoch has one step per deviation; clients: (samples, waiting s), all active throughout."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    times = times or [10.0 * (e + 1) for e in range(len(accuracies))]
    lines, sections = [], {}
    for key, value in config.items():
        section, dot, name = key.rpartition(".")
        (sections.setdefault(section, []) if dot else lines).append(f"{name if dot else key} = {json.dumps(value)}")
    text = "\n".join(lines) + "\n" + "".join(f"[{s}]\n" + "\n".join(own) + "\n" for s, own in sections.items())
    (folder / "config.toml").write_text(text, encoding="utf-8")
    (folder / "run.lock").write_text("")
    steps, epochs, tests, before = [STEP], [], [], 0.0
    for e, (accuracy, time) in enumerate(zip(accuracies, times), start=1):
        per_step = (time - before) / len(deviations)
        for s, deviation in enumerate(deviations, start=1):
            loss = losses[e - 1] if losses else 1.0 / e
            start, end = int((before + (s - 1) * per_step) * 1e9), int((before + s * per_step) * 1e9)
            steps.append(f"{e},{s},{loss},32,2,{deviation},0,10,0.1,0.1,{start},{end},0,0,0,0,0,0,10,10,0,0")
        inside = [
            {
                "step": s,
                "virtual_time_s": t,
                "test_loss": 1.0,
                "test_accuracy": a,
                "validation_loss": None,
                "validation_accuracy": None,
            }
            for at, s, t, a in within
            if at == e
        ]
        epochs.append(
            {
                "epoch": e,
                "steps": len(deviations),
                "train_loss": 1.0 / e,
                "train_accuracy": 0.5,
                "test_loss": None if accuracy is None else 1.0,
                "test_accuracy": accuracy,
                "test_recall": [] if accuracy is None else list(recall),
                "validation_accuracy": validation[e - 1] if validation else None,
                "virtual_time_s": time,
                "batch_deviation_mean": sum(deviations) / len(deviations),
                "step_evaluations": inside,
            }
        )
        if accuracy is not None:
            tests.append(
                {
                    "epoch": e,
                    "step": len(deviations),
                    "set": "test",
                    "virtual_time_s": time,
                    "images": 100,
                    "loss": 1.0,
                    "accuracy": accuracy,
                    "macro_accuracy": accuracy,
                    "macro_f1": accuracy,
                    "recall": list(recall),
                    "confusion": [[1, 0], [0, 1]],
                }
            )
        before = time
    (folder / "steps.csv").write_text("\n".join(steps) + "\n")
    (folder / "epochs.jsonl").write_text("".join(json.dumps(e) + "\n" for e in epochs))
    (folder / "tests.jsonl").write_text("".join(json.dumps(t) + "\n" for t in tests))
    total = int(before * 1e9)
    rows = [
        f"{k},{n},{len(steps) - 1},{int(w * 1e9)},{total},0,0,0,{bytes_up},{bytes_up},0,0,0,nan"
        for k, (n, w) in enumerate(clients)
    ]
    (folder / "clients.csv").write_text("\n".join([CLIENT, *rows]) + "\n")
    counts = [f"{k},{n},{0 if k % 2 else n}" for k, (n, _) in enumerate(clients)]
    (folder / "class_counts.csv").write_text("\n".join(["client,class_0,class_1", *counts]) + "\n")
    last = next((a for a in reversed(accuracies) if a is not None), None)
    entry = {
        "splitsim": {"version": "0.1.0", "git": "0", "device": "cpu", "backend": "cpu"},
        "status": status,
        "config_sha256": "c" * 64,
        "inputs": {"images": "i", "labels": "l", "partition": str(config.get("seed"))},
        "epochs": len(accuracies),
        "steps_per_epoch": len(deviations),
        "batch_deviation_mean": sum(deviations) / len(deviations),
        "virtual_time_s": before,
        "test_accuracy": last,
        "test_recall": [] if last is None else list(recall),
        "waiting_share_mean": 0.25,
        "bytes_up": bytes_up,
        "bytes_down": bytes_up,
    }
    if summary:
        (folder / "summary.json").write_text(json.dumps(entry))
    return entry


def write_sweep(folder, axes, runs):
    """axes: name -> labels ("seed" and "*.seed" are seeds); runs: (labels, status, error, arguments or None)."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    listed = [
        {"name": name, "keys": [name], "values": list(labels), "seed": name == "seed" or name.endswith(".seed")}
        for name, labels in axes.items()
    ]
    (folder / "axes.json").write_text(json.dumps(listed))
    with open(folder / "index.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["run", "status", "error", *axes, "config_sha256", "test_accuracy", "splitsim.version"])
        for at, (labels, status, error, arguments) in enumerate(runs):
            accuracy = ""
            if arguments is not None:
                entry = write_run(
                    folder / "runs" / f"r{at}",
                    dict(zip(axes, labels)),
                    **{"status": status if status == "diverged" else "completed", **arguments},
                )
                accuracy = "" if entry["test_accuracy"] is None else entry["test_accuracy"]
            writer.writerow([f"r{at}", status, error, *labels, "", accuracy, ""])
    return folder


def two_samplers(folder, **more):
    """ugs and fls, three seeds: final accuracies 80, 84, 86 and 70, 75, 71 %."""
    finals = {"ugs": (0.80, 0.84, 0.86), "fls": (0.70, 0.75, 0.71)}
    runs = [
        (
            (kind, str(seed)),
            "completed",
            "",
            {"accuracies": (0.5, accuracy), "times": (8.0 + seed, 18.0 + seed), **more},
        )
        for kind, own in finals.items()
        for seed, accuracy in enumerate(own, start=1)
    ]
    return write_sweep(folder, {"sampler.kind": ["ugs", "fls"], "seed": ["1", "2", "3"]}, runs)
