"""Mistakes of a user."""


class InputError(ValueError):
    """One line that names the file or option, the value, and what is allowed; executables end with exit code 2."""
