"""Runs as event files of TensorBoard, written by TensorBoard's own writer (`pip install 'splitsim[tensorboard]'`)."""
import math
import os
import pathlib

from splitsim.errors import InputError
from splitsim.running import Result, read_run

# Columns of steps.csv, and fields of epochs.jsonl, by tag.
_STEPS = {"step/loss": "train_loss", "step/batch_deviation": "batch_deviation", "step/batch_drift": "batch_drift",
          "step/samples": "samples", "step/active_clients": "active_clients", "step/client_lr": "client_lr",
          "step/server_lr": "server_lr"}
_EPOCHS = {"epoch/train_loss": "train_loss", "epoch/train_accuracy": "train_accuracy", "epoch/test_loss": "test_loss",
           "epoch/test_accuracy": "test_accuracy", "epoch/test_macro_f1": "test_macro_f1",
           "epoch/validation_loss": "validation_loss", "epoch/validation_accuracy": "validation_accuracy",
           "epoch/personal_accuracy": "personal_accuracy", "epoch/batch_deviation": "batch_deviation_mean",
           "epoch/virtual_time_s": "virtual_time_s", "epoch/client_drift": "client_drift",
           "epoch/server_drift": "server_drift"}


def to_tensorboard(run, logdir):
    """Writes the scalars of runs below logdir, and gives the number of points.

    run: a Result, a run directory, or several: then each gets a folder of its directory's name. Scalars: loss, deviation,
    drift, samples, active clients and rates of each step; losses, accuracies and drifts of each epoch, at its last step.
    `step` counts the steps of the run from 1. `wall_time` is virtual time in seconds (so "Relative" shows it, and dates
    begin in 1970). Values are float32, as TensorBoard keeps them.
    Errors: InputError for what is no run, or a folder that holds event files already; ImportError without tensorboard.
    """
    try:
        from tensorboard.summary import Writer
    except ImportError:
        raise ImportError("TensorBoard's writer is not installed: pip install 'splitsim[tensorboard]' (in a checkout: "
                          "scripts/python.sh tensorboard)") from None
    if isinstance(run, (Result, str, os.PathLike)):
        return _write(_result(run), pathlib.Path(logdir), Writer)
    results = [_result(each) for each in run]
    names = [result.directory.name for result in results]
    if len(set(names)) < len(names):
        raise InputError(f"to_tensorboard: runs {', '.join(names)}: allowed: directories of different names")
    return sum(_write(result, pathlib.Path(logdir) / name, Writer) for result, name in zip(results, names))


def _result(run):
    return run if isinstance(run, Result) else read_run(run)


def _write(result, folder, writer_class):
    if any(folder.glob("events.out.tfevents.*")):
        raise InputError(f"logdir '{folder}' holds event files; allowed: another folder")
    steps, points, last = result.steps, 0, {}
    writer = writer_class(str(folder))
    try:
        for at in range(len(steps.get("epoch", ()))):
            last[int(steps["epoch"][at])] = at + 1
            for tag, column in _STEPS.items():
                writer.add_scalar(tag, float(steps[column][at]), at + 1, wall_time=float(steps["end_ns"][at]) * 1e-9)
                points += 1
        for record in result.epochs:
            for tag, field in _EPOCHS.items():
                value = record.get(field)
                if value is None or not math.isfinite(value) or record["epoch"] not in last:
                    continue
                writer.add_scalar(tag, value, last[record["epoch"]], wall_time=record["virtual_time_s"])
                points += 1
    finally:
        writer.close()
    return points
