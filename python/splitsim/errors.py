"""What can go wrong, sorted by what the caller can still do; every message is one line."""


class Error(Exception):
    """Any of these."""


class InputError(Error, ValueError):
    """A mistake in the input: a key, a value, a file. Names it, its value and what is allowed (exit code 2)."""


class OutOfMemory(Error, MemoryError):
    """The experiment needs more memory than there is; known before it starts (exit code 2)."""


class NoDevice(Error, RuntimeError):
    """A GPU was asked for and there is none, or this build cannot use one (exit code 3)."""


class Diverged(Error, ArithmeticError):
    """A loss was not finite, with train.on_nonfinite = "stop" (exit code 4). `result`: what the run left behind."""

    def __init__(self, message, result=None):
        super().__init__(message)
        self.result = result


class BackendError(Error, RuntimeError):
    """A library or a driver failed; nothing that was asked for can be blamed (exit code 1)."""


class SilentSetting(UserWarning):
    """A setting that is allowed and comes to nothing, or to something else than it says."""
