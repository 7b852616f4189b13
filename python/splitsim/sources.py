"""Where runs come from: sweep directories, run directories, folders of them.

Axes of a sweep are those of its axes.json; of plain run directories, the keys in which their config.toml differ.
"""

import csv
import dataclasses
import io
import json
import pathlib

from splitsim import records
from splitsim.errors import InputError

RESERVED = frozenset(("run", "status", "error", "class", "recall", "number", "at_end", "epochs_done")).union(
    records.STEP_COLUMNS, records.CLIENT_COLUMNS, records.EPOCH_FIELDS, records.TEST_FIELDS
)
STATUSES = ("completed", "diverged", "failed", "interrupted", "waiting")


@dataclasses.dataclass(frozen=True)
class Axis:
    """What runs differ in. values: the labels in order, as in the column `name` of frames; seed: repetitions."""

    name: str
    keys: tuple
    values: tuple
    seed: bool = False


@dataclasses.dataclass(frozen=True)
class Run:
    name: str
    folder: pathlib.Path
    status: str
    error: str
    labels: dict  # axis -> label
    summary: dict  # dotted name -> scalar
    recall: list  # of the last test, [classes] or empty


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


def read_sweep(folder):
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
    if not rows or rows[0][: len(expected)] != expected:
        raise InputError(f"'{index}' line 1: the first columns must be {','.join(expected)}")
    for axis in axes:
        if axis.name in RESERVED:
            raise InputError(
                f"'{axes_file}': an axis must not be called '{axis.name}', which is a column of the records"
            )
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
                raise InputError(
                    f"'{index}' line {number}: '{axis.name}' = '{labels[axis.name]}'; "
                    f"allowed: {', '.join(axis.values)} ('{axes_file}')"
                )
        listed = {key: _number(text) for key, text in zip(rows[0][len(expected) :], cells[len(expected) :]) if text}
        run_folder = folder / "runs" / name
        scalars, recall, _ = (
            _summary_of(run_folder) if status in ("completed", "diverged", "interrupted") else ({}, [], {})
        )
        runs.append(Run(name, run_folder, status, error, labels, scalars or listed, recall))
    return axes, runs


def is_run(folder):
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
    return [Axis(key, tuple(own), _ordered(column(key))) for key, own in chosen.items()] + [
        Axis(key, (key,), _ordered(column(key)), True) for key in seeds
    ]


def _decides(labels, others):
    """Whether equal labels always go with equal others."""
    seen = {}
    return all(seen.setdefault(label, other) == other for label, other in zip(labels, others))


def _read_data(summary):
    """Hashes of what a run read, less what follows from its configuration."""
    return {name: value for name, value in summary.get("inputs", {}).items() if name != "partition"}


def read_runs(folders):
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
        runs.append(Run(name, folder, summary.get("status", "interrupted"), "", labels, scalars, recall))
    return axes, runs
