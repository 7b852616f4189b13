"""The report of runs that the program made: what it reads is what is written, and its figures are those of the program.
$SPLITSIM_BIN names the folder of the executables."""

import contextlib
import importlib.util
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import make_sweep
import splitsim
from splitsim.report import content, groups
from splitsim.report import statistics as st
from splitsim.report.__main__ import main

BIN = pathlib.Path(os.environ.get("SPLITSIM_BIN", "build/cpu/bin"))
SETTINGS = (
    "partition.clients=6",
    "train.epochs=1",
    "eval.every_steps=30",
    "eval.step_images=500",
    "model.name=mlp",
    "model.cut=relu1",
)


@unittest.skipUnless((BIN / "splitsim-run").exists(), f"no {BIN}/splitsim-run: SPLITSIM_BIN names its folder")
class Program(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        cls.folder = pathlib.Path(holder.name)
        axes = [
            make_sweep.axis_of("sampler.kind=ugs,fls"),
            make_sweep.variant_of(
                "rates=usual:train.lr=0.05,wild:train.lr=1e30,none:train.lr=-1,held:data.validation=0.2"
            ),
            make_sweep.axis_of("seed=1,2"),
        ]
        cls.rows = make_sweep.make_sweep(BIN / "splitsim-run", cls.folder, axes, SETTINGS)
        cls.frames = splitsim.load(cls.folder)

    def summaries(self):
        for run, folder in self.frames.directories.items():
            yield run, json.loads((folder / "summary.json").read_text())

    def test_what_ended_how(self):
        ended = self.frames.runs.groupby("rates", sort=False)["status"].agg(set).to_dict()
        self.assertEqual(
            ended, {"usual": {"completed"}, "wild": {"diverged"}, "none": {"failed"}, "held": {"completed"}}
        )
        self.assertIn("train.lr", self.frames.runs.loc[self.frames.runs["rates"] == "none", "error"].iloc[0])

    def test_times_to_accuracy_are_the_programs(self):
        compared = 0
        times = {}
        for run, summary in self.summaries():
            for entry in summary["time_to_accuracy"]:
                target = entry["accuracy"]
                times.setdefault(target, st.times_to(self.frames, target))
                self.assertEqual(times[target][run], entry["virtual_time_s"], (run, target))
                compared += entry["virtual_time_s"] is not None
        self.assertGreater(compared, 4)

    def test_frames_are_the_files(self):
        runs = self.frames.runs.set_index("run")
        for run, summary in self.summaries():
            self.assertEqual(runs.loc[run, "splitsim.version"], summary["splitsim"]["version"])
            steps = self.frames.steps[self.frames.steps["run"] == run]
            self.assertEqual(steps["bytes_up"].sum(), summary["bytes_up"])
            clients = self.frames.clients[self.frames.clients["run"] == run]
            self.assertEqual(clients["bytes_down"].sum(), summary["bytes_down"])
            taking_part = clients[clients["active_ns"] > 0]
            self.assertAlmostEqual(
                (taking_part["waiting_ns"] / taking_part["active_ns"]).mean(), summary["waiting_share_mean"]
            )
            counts = self.frames.class_counts[self.frames.class_counts["run"] == run]
            self.assertEqual(counts.groupby("client")["samples"].sum().tolist(), clients["samples"].tolist())
            recall = self.frames.recall[self.frames.recall["run"] == run]["recall"].tolist()
            self.assertEqual(recall, summary["test_recall"])

    def test_plain_runs_make_the_same_groups(self):
        """Without the sweep's files, its axes are found in the configurations."""
        completed = [folder for run, folder in self.frames.directories.items() if "usual" in run]
        frames = splitsim.load(*completed)
        self.assertEqual([axis.name for axis in frames.axes], ["sampler.kind", "seed"])
        metric = st.METRICS["test_accuracy"]
        means = {}
        for name, source in (("sweep", self.frames), ("runs", frames)):
            grouping = groups.group_runs(source)
            values = content.values_of(source, [metric])[metric.key]
            means[name] = {
                group.series: st.estimate([values[run] for run in group.runs])
                for group in grouping.groups
                if "usual" in group.labels or name == "runs"
            }
        self.assertEqual(means["sweep"], means["runs"])

    def test_a_report_of_them(self):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            self.assertEqual(main([str(self.folder), "--no-html", "--target", "0.3"]), 0)
        self.assertIn("16 runs: 8 completed, 4 diverged, 4 failed.", out.getvalue())

    @unittest.skipUnless(importlib.util.find_spec("tensorboard"), "no tensorboard: scripts/python.sh tensorboard")
    def test_event_files(self):
        """Of every run that has begun, diverged ones too; they are read by TensorBoard's own reader."""
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        logdir = self.folder / "events"
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            self.assertEqual(main([str(self.folder), "--no-html", "--tensorboard", str(logdir)]), 0)
        statuses = dict(zip(self.frames.runs["run"], self.frames.runs["status"]))
        begun = {run for run, status in statuses.items() if status != "failed"}
        self.assertEqual({folder.name for folder in logdir.iterdir()}, begun)
        points = 0
        for run in begun:
            events = EventAccumulator(str(logdir / run), size_guidance={"tensors": 0})
            events.Reload()
            steps = len(self.frames.steps_of(run))
            found = {tag: events.Tensors(tag) for tag in events.Tags()["tensors"]}
            self.assertEqual([event.step for event in found["step/loss"]], list(range(1, steps + 1)))
            points += sum(map(len, found.values()))
        self.assertIn(f"event files: {logdir} (12 runs, {points} points)", out.getvalue())
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            self.assertEqual(main([str(self.folder), "--no-html", "--tensorboard", str(logdir)]), 2)
        self.assertIn("holds event files; allowed: another folder", err.getvalue())

    def test_without_tensorboard(self):
        err = io.StringIO()
        with mock.patch.dict(sys.modules, {"tensorboard.summary": None}), contextlib.redirect_stderr(err):
            self.assertEqual(main([str(self.folder), "--no-html", "--tensorboard", "none"]), 2)
        self.assertRegex(
            err.getvalue(), r"^splitsim-report: --tensorboard none: TensorBoard's writer is not installed.*\n$"
        )


@unittest.skipUnless((BIN / "splitsim-sweep").exists(), f"no {BIN}/splitsim-sweep: SPLITSIM_BIN names its folder")
class Sweep(unittest.TestCase):
    def test_what_splitsim_sweep_writes(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        out = pathlib.Path(holder.name) / "sweep"
        command = [BIN / "splitsim-sweep", "--device", "cpu", "--no-measure", "--jobs", "1", "--out", out]
        for axis in ("sampler.kind=ugs,fls", "train.lr=0.05,1e30", "seed=3"):
            command += ["--grid", axis]
        for setting in SETTINGS:
            command += ["--set", setting]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        frames = splitsim.load(out)
        self.assertEqual(
            [(a.name, a.values, a.seed) for a in frames.axes],
            [("sampler.kind", ("ugs", "fls"), False), ("train.lr", ("0.05", "1e+30"), False), ("seed", ("3",), True)],
        )
        self.assertEqual(frames.runs["status"].tolist(), ["completed", "diverged"] * 2)
        self.assertEqual(set(frames.directories), set(frames.runs["run"]))
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            self.assertEqual(main([str(out), "--no-html"]), 0)
        self.assertIn("4 runs: 2 completed, 2 diverged.", text.getvalue())


if __name__ == "__main__":
    unittest.main()
