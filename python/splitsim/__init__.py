"""Parallel split learning with global sampling (arXiv 2407.15738), simulated.

    import splitsim

    owner = splitsim.partition(labels, kind="dirichlet", alpha=0.3, clients=64)       # sample -> client
    epoch = splitsim.schedule(labels=labels, owner=owner, sampler={"kind": "ugs", "batch": 128})
    for batch in epoch:                                                                # the samples of each step
        ...
    result = splitsim.run("my.toml", out="runs/a", train={"epochs": 20}, progress=True)
    frames = splitsim.load("runs/a")                                                   # pandas

Schedules, partitions, virtual times and training are those of the executables, with the same bits and hashes
(docs/python.md). What needs the compiled part, splitsim._core, loads it when it is first used; load() and the report do
without it.
"""
import importlib

_LAZY = {
    "BackendError": "splitsim.errors",
    "Config": "splitsim.config",
    "Diverged": "splitsim.errors",
    "Error": "splitsim.errors",
    "Frames": "splitsim.frames",
    "InputError": "splitsim.errors",
    "NoDevice": "splitsim.errors",
    "OutOfMemory": "splitsim.errors",
    "Planner": "splitsim.planning",
    "Population": "splitsim.values",
    "Progress": "splitsim.values",
    "Result": "splitsim.running",
    "Schedule": "splitsim.values",
    "SilentSetting": "splitsim.errors",
    "Timeline": "splitsim.values",
    "load": "splitsim.frames",
    "partition": "splitsim.planning",
    "run": "splitsim.running",
    "schedule": "splitsim.planning",
    "timeline": "splitsim.planning",
    "to_tensorboard": "splitsim.tensorboard",
    "triples": "splitsim.values",
}
__all__ = sorted(_LAZY)


def __getattr__(name):
    if name == "__version__":
        return importlib.import_module("splitsim.extension").core().__version__
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'splitsim' has no attribute '{name}'")


def __dir__():
    return sorted([*globals(), *_LAZY, "__version__"])
