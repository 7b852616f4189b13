"""Training from Python: the executables' runs, with progress, samplers and exceptions of Python's."""
import csv
import functools
import json
import os
import pathlib
import shutil
import tempfile
import weakref

import numpy as np

from splitsim.config import Config, device_of
from splitsim.errors import Diverged, InputError
from splitsim.extension import core
from splitsim.hooks import Hooks
from splitsim.planning import split_sampler


class Result:
    """What a run left behind. directory: its run directory, made for this object alone if run() was given none: it goes
    when nothing refers to this any more."""

    def __init__(self, directory, summary, temporary=False):
        self.directory = pathlib.Path(directory)
        self.summary = summary
        if temporary:
            weakref.finalize(self, shutil.rmtree, str(directory), ignore_errors=True)

    @property
    def status(self):
        """completed, diverged or interrupted."""
        return self.summary["status"]

    @functools.cached_property
    def epochs(self):
        """List of dictionaries, one per epoch: epochs.jsonl."""
        return _json_lines(self.directory / "epochs.jsonl")

    @functools.cached_property
    def tests(self):
        """List of dictionaries, one per test, with confusion matrices: tests.jsonl."""
        return _json_lines(self.directory / "tests.jsonl")

    @functools.cached_property
    def steps(self):
        """Column -> array over all steps of the run: steps.csv."""
        return _columns(self.directory / "steps.csv")

    @functools.cached_property
    def clients(self):
        """Column -> array over clients: clients.csv."""
        return _columns(self.directory / "clients.csv")

    @functools.cached_property
    def frames(self):
        """splitsim.load() of the run: pandas frames."""
        from splitsim.frames import load
        return load(self.directory)

    def __repr__(self):
        accuracy = self.summary["test_accuracy"]
        tested = "" if accuracy is None else f", test accuracy {accuracy:.4f}"
        return f"<splitsim.Result {self.directory}: {self.status}, {self.summary['epochs']} epochs{tested}>"


def run(config=None, out=None, *, sampler=None, progress=None, on_epoch=None, resume=False, force=False, device="auto",
        threads=None, **settings):
    """Trains one experiment, as splitsim-run does, to the same bits.

    config, settings: as Config's. out: run directory, made if needed, and kept; None: one that goes with the result.
    sampler: a function (epoch, population) -> triples (docs/python.md), or keys of [sampler].
    progress: True prints to sys.stderr; or a function of a Progress, called at most about twenty times a second.
    on_epoch: a function of each finished epoch's record, a dictionary as in epochs.jsonl (epochs count from 1 there).
    resume: go on with the run in out from its last checkpoint, to the same bits; a finished one is left alone and its
    result returned. Without a config the run's own is taken; with one, a run is begun where there is none.
    force: replace the run that is in out. device: "auto" takes the GPU if there is one; threads: of the host.

    Gives a Result. Other threads of Python go on meanwhile, and may run others. Ctrl-C ends the run at the next step and
    raises KeyboardInterrupt: what was recorded stays, and resume=True goes on from the last checkpoint; so do
    exceptions of the functions, which reach the caller. Functions are called by the thread that called run().
    Errors: InputError, NoDevice, OutOfMemory before anything is written; Diverged with the result if a loss is not
    finite (train.on_nonfinite = "stop"). Warns (SilentSetting) of settings that come to nothing.
    """
    function, settings = split_sampler(sampler, settings)
    for name, value in (("progress", progress), ("on_epoch", on_epoch)):
        if value not in (None, False) and not callable(value) and not (value is True and name == "progress"):
            raise InputError(f"{name} = {value!r}: allowed: None, a function{', True' if name == 'progress' else ''}")
    use = "force" if force else "new"
    if resume:
        if force or out is None:
            raise InputError("resume = True: allowed: with out, the run's directory, and without force")
        there = (pathlib.Path(out) / "config.toml").exists()
        use = "resume" if there or config is None else "new"
        if config is None and there:
            config = out
        elif config is None:
            raise InputError(f"run directory '{os.fspath(out)}' holds no run to resume (there is no config.toml in it)")
    config = Config(config, **settings)
    hooks = Hooks(config, function, progress, on_epoch)
    chosen = device_of(device, threads)
    folder = tempfile.mkdtemp(prefix="splitsim-run-") if out is None else os.fspath(out)
    try:
        summary = json.loads(core().run(config._core, folder, use, chosen, hooks))
    except BaseException as error:
        if out is None:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, InputError):
            raise InputError(_in_python(str(error))).with_traceback(error.__traceback__) from None
        raise
    result = Result(folder, summary, temporary=out is None)
    if result.status == "diverged":
        raise Diverged(f"diverged after {summary['epochs']} whole epochs: a loss is not finite (train.on_nonfinite = "
                       '"stop")', result)
    return result


def read_run(directory):
    """The Result of a run directory; one that was interrupted has no figures in its summary. Errors: InputError."""
    directory = pathlib.Path(directory)
    if not (directory / "config.toml").exists():
        raise InputError(f"run directory '{directory}' holds no run (there is no config.toml in it)")
    summary = directory / "summary.json"
    empty = {"status": "interrupted", "epochs": 0, "test_accuracy": None}
    return Result(directory, json.loads(summary.read_text(encoding="utf-8")) if summary.exists() else empty)


def _in_python(message):
    """Options of the executables as the arguments that they are here."""
    for option, argument in (("--force", "force=True"), ("--resume", "resume=True"), ("--out", "out"),
                             ("--set", "settings")):
        message = message.replace(option, argument)
    return message


def _json_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def _columns(path):
    if not path.exists():
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        names, *rows = list(csv.reader(file))
    return {name: _numbers(column) for name, column in zip(names, zip(*rows) if rows else [[]] * len(names))}


def _numbers(texts):
    try:
        return np.array([int(text) for text in texts], dtype=np.int64)
    except ValueError:
        return np.array([float(text or "nan") for text in texts], dtype=np.float64)
