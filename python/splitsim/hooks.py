"""What the compiled part calls back: samplers written in Python, progress, records, warnings."""
import json
import time
import sys
import warnings

import numpy as np

from splitsim.errors import InputError, SilentSetting
from splitsim.extension import core
from splitsim.values import Population, Progress, Schedule


def array_of(name, values, ndim=1):
    """Integers as int32, C-contiguous. Errors: InputError naming the argument."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu" and array.size > 0:
        raise InputError(f"{name}: {array.dtype} values; allowed: integers")
    if array.ndim != ndim:
        raise InputError(f"{name}: shape {array.shape}; allowed: {'(N,)' if ndim == 1 else '(slots, 3)'}")
    if array.size and (array.min() < np.iinfo(np.int32).min or array.max() > np.iinfo(np.int32).max):
        raise InputError(f"{name}: values from {array.min()} to {array.max()}; allowed: those of 32 bits")
    return np.ascontiguousarray(array, dtype=np.int32)


def rows_of(returned, epoch):
    """What a sampler has returned, as rows. Errors: InputError naming the epoch."""
    name = f"sampler, epoch {epoch}"
    if isinstance(returned, Schedule):
        returned = returned.triples
    elif isinstance(returned, tuple) and len(returned) == 3:
        columns = [array_of(f"{name}: {what}", column)
                   for what, column in zip(("step", "client", "sample"), returned)]
        if len({len(column) for column in columns}) > 1:
            raise InputError(f"{name}: {', '.join(str(len(c)) for c in columns)} steps, clients and samples; "
                             "allowed: as many of each")
        returned = np.stack(columns, axis=1)
    if not isinstance(returned, (np.ndarray, list)):
        raise InputError(f"{name}: returned {type(returned).__name__}; allowed: integers (slots, 3), a tuple "
                         "(step, client, sample) or a Schedule")
    rows = array_of(name, returned, ndim=2)
    if rows.shape[1] != 3:
        raise InputError(f"{name}: shape {rows.shape}; allowed: (slots, 3)")
    return rows


def _bound(sampler, name):
    bound = getattr(sampler, name, None)
    if bound is None:
        return 0
    if isinstance(bound, bool) or not isinstance(bound, (int, np.integer)) or not 1 <= bound <= 2**31 - 1:
        raise InputError(f"sampler: {name} = {bound!r}: allowed: None, or an integer >= 1")
    return int(bound)


class Hooks:
    """One run's or planner's."""

    def __init__(self, config, sampler=None, progress=None, on_epoch=None):
        self._config, self._sampler, self._on_epoch = config, sampler, on_epoch
        self._progress = _Line() if progress is True else progress
        self.samples = sampler is not None
        self.max_steps, self.max_batch = _bound(sampler, "max_steps"), _bound(sampler, "max_batch")
        self.wants_epochs = on_epoch is not None or progress is True

    def introduce(self, parts):
        self._population = population_of(parts, self._config)

    def rows(self, epoch):
        return rows_of(self._sampler(epoch, self._population), epoch)

    def warn(self, texts):
        warn(texts, stacklevel=3)

    def progress(self, state):
        if self._progress is not None and self._progress is not False:
            self._progress(Progress(*state))

    def epoch(self, line):
        record = json.loads(line)
        if isinstance(self._progress, _Line):
            self._progress.epoch(record)
        if self._on_epoch is not None:
            self._on_epoch(record)


def population_of(parts, config):
    return Population(batch=config._core.batch, seed=config._core.sampler_seed, **parts)


def warn(texts, stacklevel):
    for text in texts:
        warnings.warn(text, SilentSetting, stacklevel=stacklevel + 1)


class _Line:
    """progress=True: a line on sys.stderr that rewrites itself on a terminal, and one that stays per epoch."""

    def __init__(self):
        self._start = time.monotonic()
        self._live = sys.stderr is not None and sys.stderr.isatty()

    def __call__(self, state):
        if self._live:
            text = core().progress_text(state[:4], state.loss, state.accuracy, state[6:], time.monotonic() - self._start)
            print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)

    def epoch(self, record):
        tested = "" if record["test_accuracy"] is None else f", test accuracy {record['test_accuracy']:.4f}"
        if sys.stderr is not None:
            start = "\r\x1b[K" if self._live else ""
            print(f"{start}epoch {record['epoch']}: loss {record['train_loss']:.4f}{tested}, virtual time "
                  f"{record['virtual_time_s']:.6g} s, wall time {record['wall_time_s']:.2f} s", file=sys.stderr, flush=True)
