"""Readers of the files of one run directory (README.md, "A run directory"; runtime/record/records.hpp).

Epochs and steps count from 1, clients from 0. What is absent or not finite is null in JSON and nan or inf in CSV; both
become NaN or inf. An unfinished last line (a kill while it was written) is dropped. Errors: InputError naming the file
and line.
"""

import io
import json
import pathlib
import tomllib

import pandas as pd

from splitsim.errors import InputError

# The columns that the report and the examples use; a file may have more.
STEP_COLUMNS = (
    "epoch",
    "step",
    "train_loss",
    "samples",
    "active_clients",
    "batch_deviation",
    "start_ns",
    "end_ns",
    "bytes_up",
    "bytes_down",
)
CLIENT_COLUMNS = ("client", "samples", "steps", "waiting_ns", "active_ns", "bytes_up", "bytes_down")
EPOCH_FIELDS = (
    "epoch",
    "steps",
    "train_loss",
    "test_accuracy",
    "validation_accuracy",
    "test_recall",
    "virtual_time_s",
    "step_evaluations",
)
TEST_FIELDS = ("epoch", "step", "set", "virtual_time_s", "accuracy", "recall", "confusion")
SUMMARY_FIELDS = (
    "splitsim",
    "status",
    "config_sha256",
    "inputs",
    "epochs",
    "test_accuracy",
    "test_recall",
    "batch_deviation_mean",
    "virtual_time_s",
    "waiting_share_mean",
    "bytes_up",
    "bytes_down",
)


def read_text(path):
    """A whole file of UTF-8."""
    try:
        return pathlib.Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"'{path}' is missing") from None
    except UnicodeDecodeError:
        raise InputError(f"'{path}' is not UTF-8 text") from None
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}") from None


def _other_version(where, missing):
    return InputError(
        f"{where}: '{missing}' is missing: the run was written by another version of splitsim; repeat it with this one"
    )


def read_csv(path, columns):
    """A CSV file with a header that has at least these columns."""
    text = read_text(path)
    text = text[: text.rfind("\n") + 1]
    if not text:
        raise InputError(f"'{path}' line 1: there is no header")
    header = text[: text.index("\n")].split(",")
    for name in columns:
        if name not in header:
            raise _other_version(f"'{path}' line 1", name)
    # pandas fills short lines with NaN: count fields here, and name the line.
    for number, line in enumerate(text.splitlines()[1:], start=2):
        if line.count(",") + 1 != len(header):
            raise InputError(f"'{path}' line {number}: {line.count(',') + 1} fields; allowed: {len(header)}")
    frame = pd.read_csv(io.StringIO(text))
    for name in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[name]) and len(frame):
            number = int(pd.to_numeric(frame[name], errors="coerce").isna().to_numpy().argmax())
            raise InputError(f"'{path}' line {number + 2}: '{name}' = '{frame[name].iloc[number]}'; allowed: a number")
    return frame


def read_json_lines(path, fields):
    """A list of objects, one per line."""
    text = read_text(path)
    objects = []
    for number, line in enumerate(text[: text.rfind("\n") + 1].splitlines(), start=1):
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            raise InputError(f"'{path}' line {number}: not a JSON object")
        for name in fields:
            if name not in entry:
                raise _other_version(f"'{path}' line {number}", name)
        objects.append(entry)
    return objects


def read_summary(path):
    """summary.json as an object."""
    try:
        summary = json.loads(read_text(path))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        summary = None
    if not isinstance(summary, dict):
        raise InputError(f"'{path}' is not a JSON object")
    for name in SUMMARY_FIELDS:
        if name not in summary:
            raise _other_version(f"'{path}'", name)
    return summary


def _label(value):
    """A value of a configuration as the index of a sweep writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(_label(entry) for entry in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_label(entry)}" for key, entry in value.items()) + "}"
    return str(value)


def flat(value, name="", of_value=lambda value: value):
    """(dotted name, value) of every leaf of nested objects; lists are leaves."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from flat(entry, f"{name}.{key}" if name else key, of_value)
    else:
        yield name, of_value(value)


def read_config(path):
    """config.toml: its text, and label of each value by dotted key."""
    text = read_text(path)
    try:
        return text, dict(flat(tomllib.loads(text), of_value=_label))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"'{path}' is not TOML: {error}") from None


def summary_scalars(summary):
    """Every scalar of summary.json by its dotted name; null is left out."""
    return {name: value for name, value in flat(summary) if not isinstance(value, list) and value is not None}
