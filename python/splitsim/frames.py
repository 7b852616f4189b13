"""Runs and sweeps as pandas frames.

    frames = splitsim.load("runs/my_sweep")                     # a directory of splitsim-sweep
    frames = splitsim.load("runs/a", "runs/b")                  # run directories; a folder of them does, too
    frames.runs.groupby("sampler.kind")["test_accuracy"].mean()

Every frame has the column `run` and one column per axis. Axes of a sweep are those of its axes.json; of plain run
directories, the keys in which their config.toml differ.
"""

import functools
import pathlib

import numpy as np
import pandas as pd

from splitsim import records, sources
from splitsim.errors import InputError


class Frames:
    """What runs left behind. Frames are read when they are first asked for, and kept.

    axes        list of sources.Axis, seeds included
    runs        one row per run: run, status, error, axes, every scalar of summary.json by its dotted name
    epochs      one row per finished epoch (epochs.jsonl without its lists)
    steps       one row per step (steps.csv)
    tests       one row per test or validation (tests.jsonl without its lists)
    evaluations one row per test in the order of time, those within epochs included: `accuracy` is the validation set's
                where there is one, which decides times to accuracy; `test_accuracy` always the test set's
    recall      one row per run and class: recall at the last test at an epoch's end
    clients     one row per client (clients.csv)
    class_counts  one row per client and class that it holds: samples
    """

    def __init__(self, source, axes, runs):
        self.source = source
        self.axes = axes
        self._runs = runs
        columns = [
            {
                "run": run.name,
                "status": run.status,
                "error": run.error,
                **run.labels,
                **{name: value for name, value in run.summary.items() if name not in run.labels and name != "status"},
            }
            for run in runs
        ]
        self.runs = pd.DataFrame(columns)

    def __repr__(self):
        axes = ", ".join(f"{axis.name} ({len(axis.values)})" for axis in self.axes)
        return f"<splitsim.Frames of {self.source}: {len(self._runs)} runs; axes: {axes or 'none'}>"

    @property
    def directories(self):
        """Run -> its folder, of those that have one."""
        return {run.name: run.folder for run in self._runs if run.folder.is_dir()}

    @functools.cached_property
    def configs(self):
        """Run -> text of its config.toml."""
        return {
            run.name: (run.folder / "config.toml").read_text(encoding="utf-8")
            for run in self._runs
            if (run.folder / "config.toml").exists()
        }

    def _gather(self, name, rows_of, columns):
        """One frame of all runs that have the file; a completed run must have it."""
        parts = []
        for run in self._runs:
            path = run.folder / name
            if not path.exists() and (run.status != "completed" or not run.folder.is_dir()):
                continue
            part = rows_of(path)
            part = part if isinstance(part, pd.DataFrame) else pd.DataFrame(part, columns=columns if not part else None)
            for at, (axis, label) in enumerate([("run", run.name), *run.labels.items()]):
                part.insert(at, axis, label)
            parts.append(part)
        parts = [part for part in parts if len(part)] or parts[:1]
        if not parts:
            return pd.DataFrame(columns=["run", *(axis.name for axis in self.axes), *columns])
        return pd.concat(parts, ignore_index=True)

    @functools.cached_property
    def _epoch_objects(self):
        return {}

    def _epochs_of(self, path):
        if path not in self._epoch_objects:
            self._epoch_objects[path] = records.read_json_lines(path, records.EPOCH_FIELDS)
        return self._epoch_objects[path]

    @functools.cached_property
    def epochs(self):
        return self._gather(
            "epochs.jsonl", lambda path: [_without_lists(e) for e in self._epochs_of(path)], records.EPOCH_FIELDS
        )

    @functools.cached_property
    def steps(self):
        return self._gather(
            "steps.csv", lambda path: records.read_csv(path, records.STEP_COLUMNS), records.STEP_COLUMNS
        )

    def steps_of(self, run):
        """The steps of one run, not kept: those of long sweeps are many. Empty where it has none."""
        path = next(own.folder for own in self._runs if own.name == run) / "steps.csv"
        return (
            records.read_csv(path, records.STEP_COLUMNS)
            if path.exists()
            else pd.DataFrame(columns=records.STEP_COLUMNS)
        )

    @functools.cached_property
    def tests(self):
        def rows(path):
            return [_without_lists(test) for test in records.read_json_lines(path, records.TEST_FIELDS)]

        return self._gather("tests.jsonl", rows, [f for f in records.TEST_FIELDS if f not in ("recall", "confusion")])

    @functools.cached_property
    def evaluations(self):
        def rows(path):
            return [row for epoch in self._epochs_of(path) for row in _evaluations(epoch)]

        return self._gather(
            "epochs.jsonl",
            rows,
            ["epoch", "number", "at_end", "epochs_done", "virtual_time_s", "accuracy", "test_accuracy"],
        )

    @functools.cached_property
    def recall(self):
        rows = [
            {"run": run.name, **run.labels, "class": index, "recall": np.nan if value is None else float(value)}
            for run in self._runs
            for index, value in enumerate(run.recall)
        ]
        return pd.DataFrame(rows, columns=None if rows else ["run", *(a.name for a in self.axes), "class", "recall"])

    @functools.cached_property
    def clients(self):
        return self._gather(
            "clients.csv", lambda path: records.read_csv(path, records.CLIENT_COLUMNS), records.CLIENT_COLUMNS
        )

    @functools.cached_property
    def class_counts(self):
        def rows(path):
            wide = records.read_csv(path, ("client",))
            counts = wide.drop(columns="client").to_numpy()
            client, label = np.nonzero(counts)
            return pd.DataFrame(
                {"client": wide["client"].to_numpy()[client], "class": label, "samples": counts[client, label]}
            )

        return self._gather("class_counts.csv", rows, ["client", "class", "samples"])


def _without_lists(entry):
    return {name: np.nan if value is None else value for name, value in entry.items() if not isinstance(value, list)}


def _evaluations(epoch):
    """The tests of an epoch in order, those within it first, as the program's own times to accuracy count them."""

    def number(value):
        return np.nan if value is None else float(value)

    start = epoch["epoch"] - 1
    for at, test in enumerate(epoch["step_evaluations"], start=1):
        deciding = test["test_accuracy"] if test.get("validation_accuracy") is None else test["validation_accuracy"]
        yield {
            "epoch": epoch["epoch"],
            "number": at,
            "at_end": False,
            "epochs_done": start + test["step"] / max(epoch["steps"], 1),
            "virtual_time_s": test["virtual_time_s"],
            "accuracy": number(deciding),
            "test_accuracy": number(test["test_accuracy"]),
        }
    deciding = epoch["test_accuracy"] if epoch["validation_accuracy"] is None else epoch["validation_accuracy"]
    if deciding is not None:
        yield {
            "epoch": epoch["epoch"],
            "number": 0,
            "at_end": True,
            "epochs_done": float(epoch["epoch"]),
            "virtual_time_s": epoch["virtual_time_s"],
            "accuracy": number(deciding),
            "test_accuracy": number(epoch["test_accuracy"]),
        }


def load(*paths):
    """Frames of a sweep directory, of run directories, or of folders that hold run directories.

    Errors: InputError naming the path or the file and line; runs that differ in nothing.
    """
    if not paths:
        raise InputError("no sweep or run directory is named")
    paths = [pathlib.Path(path) for path in paths]
    folders = []
    for path in paths:
        if (path / "axes.json").exists() or (path / "index.csv").exists():
            if len(paths) > 1:
                raise InputError(f"'{path}' is a sweep directory: name it alone")
            return Frames(str(path), *sources.read_sweep(path))
        below = (
            [path]
            if sources.is_run(path)
            else sorted(p for p in path.glob("*") if sources.is_run(p))
            if path.is_dir()
            else []
        )
        if not below:
            raise InputError(
                f"'{path}' is no sweep directory (index.csv), no run directory (config.toml, run.lock) "
                "and no folder of run directories"
            )
        folders += below
    resolved = [folder.resolve() for folder in folders]
    for at, folder in enumerate(resolved):
        if folder in resolved[:at]:
            raise InputError(f"'{folders[at]}' is named twice")
    return Frames(", ".join(str(path) for path in paths), *sources.read_runs(folders))
