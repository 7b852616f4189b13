"""What the tests of the package share: the executables, and a small data set."""
import csv
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import numpy as np

BIN = pathlib.Path(os.environ.get("SPLITSIM_BIN", "build/cpu/bin")).resolve()


def execute(program, *arguments):
    """Its standard output. It must succeed."""
    done = subprocess.run([BIN / program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{program} {arguments}: exit code {done.returncode}: {done.stderr}")
    return done.stdout


def options(settings):
    """--set options of dotted keys with TOML values."""
    return [option for key, value in settings.items() for option in ("--set", f"{key}={value}")]


class Case(unittest.TestCase):
    """Tests with a folder of their own, and `config`, a small experiment: 240 images of 8x8, 4 classes, 6 clients."""

    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory(prefix="splitsim-test-")
        cls.addClassCleanup(cls._folder.cleanup)
        cls.folder = pathlib.Path(cls._folder.name)
        data = cls.folder / "data"
        data.mkdir()
        rng = np.random.default_rng(1)
        for name, count in (("", 240), ("_test", 80)):
            labels = np.arange(count) % 4
            images = rng.integers(0, 80, (count, 8, 8)) + 40 * labels[:, None, None]
            np.save(data / f"x{name}.npy", images.astype(np.uint8))
            np.save(data / f"y{name}.npy", labels.astype(np.int64))
        cls.labels = np.load(data / "y.npy")
        cls.config = cls.folder / "small.toml"
        cls.config.write_text("""
            [data]
            name = "npy"
            dir = "data"
            [partition]
            clients = 6
            kind = "dirichlet"
            alpha = 0.5
            [sampler]
            batch = 24
            [model]
            name = "mlp"
            cut = "fc1"
            [train]
            epochs = 2
            optimizer.schedule = "constant"
        """)

    def path(self, name):
        return self.folder / f"{self.id().rsplit('.', 1)[-1]}-{name}"

    def message(self, error, function, *arguments, **keywords):
        """The message of the error that a call raises; it is one line."""
        with self.assertRaises(error) as caught:
            function(*arguments, **keywords)
        message = str(caught.exception)
        self.assertNotIn("\n", message)
        return message

    @staticmethod
    def summary(folder):
        return json.loads((pathlib.Path(folder) / "summary.json").read_text())

    @staticmethod
    def epochs(folder):
        return [json.loads(line) for line in (pathlib.Path(folder) / "epochs.jsonl").read_text().splitlines()]

    @staticmethod
    def rows(path):
        with open(path, newline="") as file:
            return list(csv.DictReader(file))


HASHES = ("config_sha256", "partition_sha256", "schedule_sha256", "timeline_sha256", "model_sha256")
