"""Runs and sweeps as pandas frames.

    frames = splitsim.load("runs/my_sweep")                     # a directory of splitsim-sweep
    frames = splitsim.load("runs/a", "runs/b")                  # run directories; a folder of them does, too
    frames.runs.groupby("sampler.kind")["test_accuracy"].mean()

Every frame has the column `run` and one column per axis. Axes of a sweep are those of its axes.json; of plain run
directories, the keys in which their config.toml differ.
"""
import csv
import dataclasses
import functools
import io
import json
import pathlib

import numpy as np
import pandas as pd

from splitsim import records
from splitsim.errors import InputError

RESERVED = frozenset(("run", "status", "error", "class", "recall", "number", "at_end", "epochs_done")).union(
    records.STEP_COLUMNS, records.CLIENT_COLUMNS, records.EPOCH_FIELDS, records.TEST_FIELDS)
STATUSES = ("completed", "diverged", "failed", "interrupted", "waiting")


@dataclasses.dataclass(frozen=True)
class Axis:
    """What runs differ in. values: the labels in order, as in the column `name` of frames; seed: repetitions."""
    name: str
    keys: tuple
    values: tuple
    seed: bool = False


@dataclasses.dataclass(frozen=True)
class _Run:
    name: str
    folder: pathlib.Path
    status: str
    error: str
    labels: dict    # axis -> label
    summary: dict   # dotted name -> scalar
    recall: list    # of the last test, [classes] or empty


class Frames:
    """What runs left behind. Frames are read when they are first asked for, and kept.

    axes        list of Axis, seeds included
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
        columns = [{"run": run.name, "status": run.status, "error": run.error, **run.labels,
                    **{name: value for name, value in run.summary.items() if name not in run.labels and name != "status"}}
                   for run in runs]
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
        return {run.name: (run.folder / "config.toml").read_text(encoding="utf-8") for run in self._runs
                if (run.folder / "config.toml").exists()}

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
        return self._gather("epochs.jsonl", lambda path: [_without_lists(e) for e in self._epochs_of(path)],
                            records.EPOCH_FIELDS)

    @functools.cached_property
    def steps(self):
        return self._gather("steps.csv", lambda path: records.read_csv(path, records.STEP_COLUMNS), records.STEP_COLUMNS)

    @functools.cached_property
    def tests(self):
        def rows(path):
            return [_without_lists(test) for test in records.read_json_lines(path, records.TEST_FIELDS)]
        return self._gather("tests.jsonl", rows, [f for f in records.TEST_FIELDS if f not in ("recall", "confusion")])

    @functools.cached_property
    def evaluations(self):
        def rows(path):
            return [row for epoch in self._epochs_of(path) for row in _evaluations(epoch)]
        return self._gather("epochs.jsonl", rows, ["epoch", "number", "at_end", "epochs_done", "virtual_time_s", "accuracy",
                                                   "test_accuracy"])

    @functools.cached_property
    def recall(self):
        rows = [{"run": run.name, **run.labels, "class": index, "recall": np.nan if value is None else float(value)}
                for run in self._runs for index, value in enumerate(run.recall)]
        return pd.DataFrame(rows, columns=None if rows else ["run", *(a.name for a in self.axes), "class", "recall"])

    @functools.cached_property
    def clients(self):
        return self._gather("clients.csv", lambda path: records.read_csv(path, records.CLIENT_COLUMNS),
                            records.CLIENT_COLUMNS)

    @functools.cached_property
    def class_counts(self):
        def rows(path):
            wide = records.read_csv(path, ("client",))
            counts = wide.drop(columns="client").to_numpy()
            client, label = np.nonzero(counts)
            return pd.DataFrame({"client": wide["client"].to_numpy()[client], "class": label,
                                 "samples": counts[client, label]})
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
        yield {"epoch": epoch["epoch"], "number": at, "at_end": False,
               "epochs_done": start + test["step"] / max(epoch["steps"], 1),
               "virtual_time_s": test["virtual_time_s"], "accuracy": number(deciding),
               "test_accuracy": number(test["test_accuracy"])}
    deciding = epoch["test_accuracy"] if epoch["validation_accuracy"] is None else epoch["validation_accuracy"]
    if deciding is not None:
        yield {"epoch": epoch["epoch"], "number": 0, "at_end": True, "epochs_done": float(epoch["epoch"]),
               "virtual_time_s": epoch["virtual_time_s"], "accuracy": number(deciding),
               "test_accuracy": number(epoch["test_accuracy"])}


def _summary_of(folder):
    """Scalars, recall and the object itself; empty where the run has not ended."""
    if not (folder / "summary.json").exists():
        return {}, [], {}
    summary = records.read_summary(folder / "summary.json")
    return records.summary_scalars(summary), summary["test_recall"] or [], summary


def _number(text):
    """A cell of index.csv as what it is."""
    try:
        return float(text) if any(c in text for c in ".eEn") else int(text)
    except ValueError:
        return text


def _load_sweep(folder):
    index, axes_file = folder / "index.csv", folder / "axes.json"
    try:
        listed = json.loads(records.read_text(axes_file))
        if not isinstance(listed, list):
            raise TypeError
        axes = [Axis(a["name"], tuple(a["keys"]), tuple(str(v) for v in a["values"]), bool(a["seed"])) for a in listed]
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"'{axes_file}' is not a list of axes with name, keys, values, seed") from None
    rows = list(csv.reader(io.StringIO(records.read_text(index), newline="")))
    expected = ["run", "status", "error", *(axis.name for axis in axes)]
    if not rows or rows[0][:len(expected)] != expected:
        raise InputError(f"'{index}' line 1: the first columns must be {','.join(expected)}")
    for axis in axes:
        if axis.name in RESERVED:
            raise InputError(f"'{axes_file}': an axis must not be called '{axis.name}', which is a column of the records")
    runs = []
    for number, cells in enumerate(rows[1:], start=2):
        if len(cells) != len(rows[0]):
            raise InputError(f"'{index}' line {number}: {len(cells)} fields; allowed: {len(rows[0])}")
        name, status, error = cells[:3]
        if status not in STATUSES:
            raise InputError(f"'{index}' line {number}: 'status' = '{status}'; allowed: {', '.join(STATUSES)}")
        labels = dict(zip((axis.name for axis in axes), cells[3:]))
        for axis in axes:
            if labels[axis.name] not in axis.values:
                raise InputError(f"'{index}' line {number}: '{axis.name}' = '{labels[axis.name]}'; "
                                 f"allowed: {', '.join(axis.values)} ('{axes_file}')")
        listed = {key: _number(text) for key, text in zip(rows[0][len(expected):], cells[len(expected):]) if text}
        run_folder = folder / "runs" / name
        scalars, recall, _ = _summary_of(run_folder) if status in ("completed", "diverged", "interrupted") else ({}, [], {})
        runs.append(_Run(name, run_folder, status, error, labels, scalars or listed, recall))
    return Frames(str(folder), axes, runs)


def _is_run(folder):
    return (folder / "config.toml").exists() and (folder / "run.lock").exists()


def _ordered(labels):
    """Labels as an axis lists them: numbers by size, others as they come."""
    labels = list(dict.fromkeys(labels))
    try:
        return tuple(sorted(labels, key=float))
    except ValueError:
        return tuple(labels)


def _axes_of(configs, inputs):
    """Keys in which configurations differ, less those that others decide: fls has no delta, so sampler.kind says it.

    Paths are no difference where what was read is the same. An axis' `keys` are its own and those that it decides.
    """
    def column(key):
        return [config.get(key, "") for config in configs]

    def is_path(labels):
        return all(label == "" or label.startswith("/") for label in labels)

    keys = [key for key in dict.fromkeys(key for config in configs for key in config) if len(set(column(key))) > 1]
    if all(i == inputs[0] for i in inputs):
        keys = [key for key in keys if not is_path(column(key))]
    keys.sort(key=lambda key: "" in column(key))  # those of every run first; stable
    seeds = [key for key in keys if key == "seed" or key.endswith(".seed")]
    chosen = {}
    for key in [key for key in keys if key not in seeds]:
        decider = next((other for other in chosen if _decides(column(other), column(key))), None)
        if decider is None and chosen and _decides(list(zip(*map(column, chosen))), column(key)):
            decider = list(chosen)[-1]
        if decider is None:
            chosen[key] = [key]
        else:
            chosen[decider].append(key)
    return ([Axis(key, tuple(own), _ordered(column(key))) for key, own in chosen.items()] +
            [Axis(key, (key,), _ordered(column(key)), True) for key in seeds])


def _decides(labels, others):
    """Whether equal labels always go with equal others."""
    seen = {}
    return all(seen.setdefault(label, other) == other for label, other in zip(labels, others))


def _read_data(summary):
    """Hashes of what a run read, less what follows from its configuration."""
    return {name: value for name, value in summary.get("inputs", {}).items() if name != "partition"}


def _load_runs(folders, source):
    names = [folder.name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    configs = [records.read_config(folder / "config.toml")[1] for folder in folders]
    summaries = [_summary_of(folder) for folder in folders]
    axes = _axes_of(configs, [_read_data(summary) for _, _, summary in summaries])
    runs, seen = [], {}
    for name, folder, config, (scalars, recall, summary) in zip(names, folders, configs, summaries):
        labels = {axis.name: config.get(axis.name, "") for axis in axes}
        twin = seen.setdefault(tuple(labels.values()), name)
        if twin != name:
            raise InputError(f"'{name}' and '{twin}' are runs of the same configuration: name one of them")
        runs.append(_Run(name, folder, summary.get("status", "interrupted"), "", labels, scalars, recall))
    return Frames(source, axes, runs)


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
            return _load_sweep(path)
        below = [path] if _is_run(path) else sorted(p for p in path.glob("*") if _is_run(p)) if path.is_dir() else []
        if not below:
            raise InputError(f"'{path}' is no sweep directory (index.csv), no run directory (config.toml, run.lock) "
                             "and no folder of run directories")
        folders += below
    resolved = [folder.resolve() for folder in folders]
    for at, folder in enumerate(resolved):
        if folder in resolved[:at]:
            raise InputError(f"'{folders[at]}' is named twice")
    return _load_runs(folders, ", ".join(str(path) for path in paths))
