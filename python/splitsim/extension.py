"""The compiled part of the package."""
import functools
import importlib
import os


@functools.cache
def core():
    """splitsim._core. Errors: ImportError that says how to build it."""
    # OpenMP reads from the environment, when it is loaded, whether threads that wait spin; those that do make programs side
    # by side many times slower. What the user has said counts.
    quiet = "GOMP_SPINCOUNT" not in os.environ and "OMP_WAIT_POLICY" not in os.environ
    if quiet:
        os.environ["GOMP_SPINCOUNT"] = "500"
    try:
        return importlib.import_module("splitsim._core")
    except ModuleNotFoundError as error:
        if error.name != "splitsim._core":
            raise
        raise ImportError("splitsim._core is not built: run `pip install .` in splitsim's repository "
                          "(docs/python.md)") from None
    finally:
        if quiet:
            del os.environ["GOMP_SPINCOUNT"]
