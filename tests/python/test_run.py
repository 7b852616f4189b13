"""run(): the executables' bits, progress, exceptions, resuming; what it leaves behind."""
import contextlib
import gc
import io
import json
import pathlib
import tempfile
from unittest import mock

import numpy as np

import splitsim
from support import HASHES, Case, execute, options


class Run(Case):
    def test_equals_splitsim_run(self):
        for name, settings in {"ugs": {}, "lds": {"sampler.kind": "lds", "sampler.delta": 1.0},
                               "sflv1": {"train.mode": "sflv1", "sampler.kind": "fls", "train.round": 2},
                               "sl": {"train.mode": "sl", "sampler.kind": "relay"},
                               "absent": {"clients.availability": "bernoulli", "clients.available": 0.6,
                                          "clients.on_absence": "defer"}}.items():
            with self.subTest(name):
                out = self.path(name)
                execute("splitsim-run", self.config, *options(settings), "--device", "cpu", "--out", out)
                result = splitsim.run(self.config, device="cpu", **settings)
                expected = self.summary(out)
                for key in HASHES:
                    self.assertEqual(result.summary[key], expected[key], key)
                timed = ("wall_time_s", "train_samples_per_s", "peak_memory_bytes", "splitsim")
                for key in expected.keys() - set(timed):
                    self.assertEqual(result.summary[key], expected[key], key)
                for file in ("steps.csv", "clients.csv", "tests.jsonl", "config.toml", "model.safetensors"):
                    self.assertEqual((result.directory / file).read_bytes(), (out / file).read_bytes(), file)

    def test_what_it_leaves(self):
        out = self.path("out")
        result = splitsim.run(self.config, out)
        self.assertEqual((result.status, result.directory, result.summary), ("completed", out, self.summary(out)))
        self.assertEqual([record["epoch"] for record in result.epochs], [1, 2])
        self.assertEqual(result.epochs, self.epochs(out))
        rows = self.rows(out / "steps.csv")
        self.assertEqual(result.steps.keys(), rows[0].keys())
        self.assertEqual(result.steps["end_ns"].dtype, np.int64)
        self.assertEqual(result.steps["train_loss"].dtype, np.float64)
        self.assertEqual(result.steps["end_ns"].tolist(), [int(row["end_ns"]) for row in rows])
        self.assertEqual(result.steps["train_loss"].tolist(), [float(row["train_loss"]) for row in rows])
        self.assertEqual(len(result.clients["client"]), 6)
        self.assertEqual(len(result.tests), 2)

    def test_without_a_folder_nothing_stays(self):
        result = splitsim.run(self.config)
        folder = pathlib.Path(result.directory)
        self.assertTrue((folder / "summary.json").exists())
        self.assertEqual(len(result.steps["epoch"]), 20)
        del result
        gc.collect()
        self.assertFalse(folder.exists())
        self.path("temporary").mkdir()
        with mock.patch.object(tempfile, "tempdir", str(self.path("temporary"))):
            self.message(splitsim.InputError, splitsim.run, self.config, sampler={"batch": 500})
        self.assertEqual(list(self.path("temporary").iterdir()), [])

    def test_progress_and_records(self):
        seen, records = [], []
        splitsim.run(self.config, progress=seen.append, on_epoch=records.append)
        self.assertEqual([record["epoch"] for record in records], [1, 2])
        self.assertIsInstance(seen[-1], splitsim.Progress)
        self.assertEqual((seen[-1].epoch, seen[-1].epochs, seen[-1].step, seen[-1].steps), (1, 2, 10, 10))
        self.assertEqual((seen[-1].samples, seen[-1].samples_total), (480, 480))
        text = io.StringIO()
        with contextlib.redirect_stderr(text):
            splitsim.run(self.config, progress=True)
        self.assertEqual([line.split(":")[0] for line in text.getvalue().splitlines()], ["epoch 1", "epoch 2"])

    def test_exceptions_of_functions_reach_the_caller_and_the_run_goes_on_later(self):
        def fail(_):
            raise LookupError("mine")

        for name, epochs in (("progress", 60), ("on_epoch", 2)):
            with self.subTest(name):
                out, train = self.path(name), {"epochs": epochs, "checkpoint_epochs": 1}
                self.assertEqual(self.message(LookupError, splitsim.run, self.config, out, train=train, **{name: fail}),
                                 "mine")
                self.assertFalse((out / "summary.json").exists())
                resumed = splitsim.run(out=out, resume=True)
                whole = splitsim.run(self.config, train=train)
                self.assertEqual(resumed.summary["model_sha256"], whole.summary["model_sha256"])

    def test_resume(self):
        out, whole = self.path("out"), splitsim.run(self.config, train={"epochs": 3})
        splitsim.run(self.config, out, resume=True)  # there is none: it is begun
        longer = splitsim.run(out=out, resume=True, train={"epochs": 3})
        for key in HASHES:
            self.assertEqual(longer.summary[key], whole.summary[key], key)
        before = (out / "steps.csv").stat().st_mtime_ns
        again = splitsim.run(self.config, out, resume=True, train={"epochs": 3})
        self.assertEqual((again.summary, (out / "steps.csv").stat().st_mtime_ns), (longer.summary, before))

    def test_folders_are_refused(self):
        def refused(*arguments, **keywords):
            return self.message(splitsim.InputError, splitsim.run, *arguments, **keywords)

        out = self.path("out")
        splitsim.run(self.config, out)
        self.assertIn("resume=True, or replace it with force=True", refused(self.config, out))
        self.assertIn("settings with resume=True: allowed", refused(self.config, out, resume=True, seed=9))
        splitsim.run(self.config, out, force=True, seed=9)
        self.assertEqual(self.summary(out)["seed"], 9)
        self.assertIn("without force", refused(self.config, out, resume=True, force=True))
        self.assertIn("with out", refused(self.config, resume=True))
        self.assertIn("no config.toml", refused(out=self.path("none"), resume=True))
        self.assertFalse(self.path("none").exists())
        self.assertIn("progress = 3", refused(self.config, progress=3))
        self.assertIn("on_epoch = True", refused(self.config, on_epoch=True))
        self.assertIn("is not a folder", refused(self.config, self.config))

    def test_errors(self):
        with self.assertRaises(splitsim.NoDevice):
            splitsim.run(self.config, device="cuda") if not _gpu() else self.skipTest("there is a GPU")
        out = self.path("big")
        message = self.message(splitsim.OutOfMemory, splitsim.run, self.config, out, train={"mode": "psl_local"},
                               model={"name": "resnet18", "cut": "layer4"}, data={"name": "glyphs"},
                               partition={"clients": 20000, "kind": "iid"})
        self.assertIn("the largest part is", message)
        self.assertFalse(out.exists())

    def test_divergence(self):
        with self.assertRaises(splitsim.Diverged) as caught:
            splitsim.run(self.config, self.path("out"), train={"lr": 1e30})
        result = caught.exception.result
        self.assertEqual(result.status, "diverged")
        self.assertEqual(result.summary, json.loads((self.path("out") / "summary.json").read_text()))

    def test_silent_settings_are_warnings(self):
        with self.assertWarnsRegex(splitsim.SilentSetting, "eval.every_epochs = 5"):
            splitsim.run(self.config, eval={"every_epochs": 5})


def _gpu():
    try:
        splitsim.Planner(device="cuda")
    except splitsim.NoDevice:
        return False
    return True
