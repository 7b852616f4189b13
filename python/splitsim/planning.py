"""Partitions, schedules and timelines without learning, from the code that trains."""
import collections.abc
import numbers

import numpy as np

from splitsim.config import Config, device_of
from splitsim.errors import InputError
from splitsim.extension import core
from splitsim.hooks import Hooks, array_of, population_of, warn
from splitsim.values import Schedule, Timeline


def split_sampler(sampler, settings):
    """(function or None, settings): a callable is a sampler of its own, text a kind, a dictionary keys of [sampler]."""
    if sampler is None:
        return None, settings
    if callable(sampler) and not isinstance(sampler, (str, collections.abc.Mapping)):
        return sampler, {**settings, "sampler": {"kind": "callable"}}
    return None, {"sampler": {"kind": sampler} if isinstance(sampler, str) else sampler, **settings}


def classes_of(labels, classes):
    """How many classes: the largest label and one, unless it is said. Errors: InputError."""
    if len(labels) == 0:
        raise InputError("labels: there are none; allowed: at least one")
    most = int(labels.max()) + 1
    if labels.min() < 0:
        raise InputError(f"labels: {labels.min()}; allowed: integers from 0")
    if classes is None:
        return most
    if isinstance(classes, bool) or not isinstance(classes, numbers.Integral) or not most <= classes < 2**31:
        raise InputError(f"classes = {classes!r}: allowed: None, or an integer >= {most}, since labels go to {most - 1}")
    return int(classes)


def partition(labels, kind="extended_dirichlet", clients=32, *, seed=1, classes=None, column=None, **settings):
    """Deals samples to clients: the client of every sample.

    labels: (N,) integers from 0, the class of each sample. kind: iid, dirichlet, client_dirichlet, extended_dirichlet,
    shards, label_count, quantity, file or by_column; column: (N,) by_column's: whom each sample comes from, any numbers or
    texts, whose number must be `clients`; client k is the k-th of them in order. settings: other keys of [partition], such as alpha=0.3,
    classes_per_client=2, min_samples=10 (Config(partition={"kind": kind}).commented lists them). classes: C, if more
    than the largest label says.
    Gives an array (N,) of int32 in [0, clients), C-contiguous: partition.npy of a run with this seed and these labels.
    Errors: InputError naming the key, its value and what is allowed. Determinism: exact by labels, settings and seed.
    Source: runtime's make_partition(), docs/samplers.md.
    """
    labels = array_of("labels", labels)
    classes = classes_of(labels, classes)
    if (column is None) == (kind == "by_column"):
        raise InputError(f"column: {'must be given' if column is None else 'not read'} with kind = {kind!r}; allowed: with "
                         "\"by_column\", and there only")
    natural = np.zeros(0, np.int32)
    if column is not None:
        column = np.asarray(column)
        if column.shape != labels.shape or column.dtype.kind not in "iuUS":
            raise InputError(f"column: {column.dtype} of shape {column.shape}; allowed: integers or texts of shape "
                             f"{labels.shape}")
        natural = np.unique(column, return_inverse=True)[1].astype(np.int32)
    for name in ("label_noise", "contrast_sd", "brightness_sd", "pixel_noise", "rotation"):
        if name in settings:
            raise InputError(f"partition.{name} = {settings[name]!r}: changes data, not whose they are; allowed: in run(), "
                             "schedule() and timeline()")
    config = Config({"seed": seed, "partition": {"kind": kind, "clients": clients, **settings}})
    return core().partition(config._core, labels, classes, natural)


class Planner:
    """Schedules and timelines of one experiment, epoch after epoch, without learning.

    config, settings: as Config's; of them count [partition], [sampler], [clock], [clients], seeds, train.mode,
    train.round, and [model] and [cut] for what crosses the cut.
    labels: (N,) classes of the samples, instead of the config's data set; owner: (N,) their clients, instead of
    [partition] (clients: the largest and one, unless partition.clients is given); classes: C, if more than the labels
    say. image_shape: (channels, height, width), for the model
    (a window: (C, 1, L), a row: (D, 1, 1)); cut_bytes: of one sample's activations at the cut, instead
    of the model's. sampler: a function (docs/python.md), or keys of [sampler].
    device: "auto", "cpu" or "cuda"; threads: of the host. Neither changes a bit.

    Attributes: config, population, max_steps (T at most), max_batch.
    Errors: InputError; NoDevice; OutOfMemory; what the sampler raises. Warns (SilentSetting) of settings that come to
    nothing. Determinism: exact: hashes are those of splitsim-run and splitsim-sample with the same settings.
    """

    def __init__(self, config=None, *, labels=None, owner=None, classes=None, image_shape=(1, 28, 28), cut_bytes=None,
                 sampler=None, device="auto", threads=None, **settings):
        function, settings = split_sampler(sampler, settings)
        self.config = Config(config, **settings)
        if labels is not None:
            labels = array_of("labels", labels)
            classes = classes_of(labels, classes)
        elif classes is not None:
            raise InputError(f"classes = {classes!r}: allowed: with labels")
        if owner is not None:
            owner = array_of("owner", owner)
            if len(owner) and not self.config.says("partition.clients"):
                self.config = Config(self.config, **{"partition.clients": max(int(owner.max()) + 1, 1)})
        self._hooks = Hooks(self.config, function)
        self._planner = core().Planner(self.config._core, device_of(device, threads), self._hooks, labels, owner,
                                       (classes or 0, *_shape(image_shape)), _cut_bytes(cut_bytes))
        self.population = population_of(self._planner.population(), self.config)
        self.max_steps, self.max_batch = self._planner.max_steps, self._planner.max_batch
        warn(self._planner.warnings, stacklevel=2)

    def schedule(self, epoch=0):
        """The Schedule of an epoch, counted from 0. Whatever was asked before changes nothing."""
        return _schedule(self._planner.plan(_epoch(epoch), False), epoch)

    def timeline(self, epoch=0):
        """The Timeline of an epoch. It begins where the epoch before it ends, so those before it are planned, too."""
        return self.epoch(epoch)[1]

    def epoch(self, epoch=0):
        """(Schedule, Timeline) of an epoch; one after the other costs no more than each."""
        plan = self._planner.plan(_epoch(epoch), True)
        return _schedule(plan, epoch), _timeline(plan, epoch)

    def epochs(self, count):
        """(Schedule, Timeline) of epochs 0 to count - 1, one after the other."""
        for epoch in range(_epoch(count)):
            yield self.epoch(epoch)


def schedule(config=None, *, epoch=0, labels=None, owner=None, **settings):
    """The schedule of one epoch: which samples of which clients make up each step.

    Takes what Planner takes; for several epochs make one of those. Gives a Schedule: arrays step, client, sample
    (slots,), int32; deviations per step; sha256. With the settings, seed and data of a run, it is the schedule that the
    run trains on in that epoch, and its hash is the one in epochs.jsonl.
    """
    return Planner(config, labels=labels, owner=owner, **settings).schedule(epoch)


def timeline(config=None, *, epoch=0, labels=None, owner=None, **settings):
    """The virtual time of one epoch: start and end of each step, who held it up, who waited for how long.

    Takes what Planner takes. Gives a Timeline: integer nanoseconds (int64), clients (int32), sha256.
    """
    return Planner(config, labels=labels, owner=owner, **settings).timeline(epoch)


def _schedule(plan, epoch):
    sizes = np.diff(plan["step_first"])
    return Schedule(epoch=int(epoch), step=np.repeat(np.arange(len(sizes), dtype=np.int32), sizes), client=plan["client"],
                    sample=plan["sample"], step_first=plan["step_first"], deviation=plan["deviation"],
                    drift=plan["drift"], missed=plan["missed"], deferred=plan["deferred"], absent=plan["absent"],
                    sha256=plan["sha256"])


def _timeline(plan, epoch):
    active = np.diff(plan["active_first"])
    return Timeline(epoch=int(epoch), start_ns=plan["start_ns"], end_ns=plan["end_ns"],
                    critical_forward=plan["critical_forward"], critical_backward=plan["critical_backward"],
                    step=np.repeat(np.arange(len(active), dtype=np.int32), active),
                    client=plan["active_client"], waiting_ns=plan["waiting_ns"],
                    active_ns=plan["active_ns"], sha256=plan["timeline_sha256"])


def _epoch(epoch):
    if isinstance(epoch, bool) or not isinstance(epoch, numbers.Integral) or not 0 <= epoch < 2**24:
        raise InputError(f"epoch = {epoch!r}: allowed: an integer in [0, {2**24 - 1}]")
    return int(epoch)


def _shape(shape):
    ok = isinstance(shape, (tuple, list)) and len(shape) == 3 and all(
        isinstance(n, numbers.Integral) and not isinstance(n, bool) and 1 <= n <= 65536 for n in shape)
    if not ok:
        raise InputError(f"image_shape = {shape!r}: allowed: (channels, height, width), integers from 1 to 65536")
    return tuple(int(n) for n in shape)


def _cut_bytes(cut_bytes):
    if cut_bytes is None:
        return 0
    if isinstance(cut_bytes, bool) or not isinstance(cut_bytes, numbers.Integral) or not 1 <= cut_bytes <= 2**40:
        raise InputError(f"cut_bytes = {cut_bytes!r}: allowed: None, or an integer in [1, {2**40}]")
    return int(cut_bytes)
