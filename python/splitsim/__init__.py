"""splitsim from Python: what runs leave behind as pandas frames (load)."""

_LAZY = {"load": "splitsim.frames", "Frames": "splitsim.frames", "InputError": "splitsim.errors"}
__all__ = sorted(_LAZY)


def __getattr__(name):
    if name in _LAZY:
        import importlib

        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'splitsim' has no attribute '{name}'")


def __dir__():
    return sorted(list(globals()) + list(_LAZY))
