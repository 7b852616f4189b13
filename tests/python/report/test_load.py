"""splitsim.load: frames of sweeps and of runs, and what it says of folders that are neither."""

import json
import math
import pathlib
import tempfile
import unittest

import fake_runs
import splitsim


class Load(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def run_at(self, name, config, **arguments):
        fake_runs.write_run(self.folder / name, config, **arguments)
        return self.folder / name

    def refused(self, part, *paths):
        with self.assertRaisesRegex(splitsim.InputError, part) as caught:
            frames = splitsim.load(*paths)
            for name in ("epochs", "steps", "tests", "evaluations", "recall", "clients", "class_counts"):
                getattr(frames, name)
        self.assertNotIn("\n", str(caught.exception))

    def test_frames_of_a_sweep(self):
        frames = splitsim.load(fake_runs.two_samplers(self.folder / "s"))
        self.assertEqual(
            [(a.name, a.values, a.seed) for a in frames.axes],
            [("sampler.kind", ("ugs", "fls"), False), ("seed", ("1", "2", "3"), True)],
        )
        self.assertEqual(len(frames.runs), 6)
        self.assertAlmostEqual(frames.runs.groupby("sampler.kind")["test_accuracy"].mean()["fls"], 0.72)
        self.assertEqual(frames.runs["splitsim.version"].tolist(), ["0.1.0"] * 6)
        self.assertEqual(
            (len(frames.epochs), len(frames.steps), len(frames.tests), len(frames.clients)), (12, 24, 12, 12)
        )
        self.assertEqual((len(frames.recall), len(frames.class_counts)), (12, 18))
        for frame in (frames.epochs, frames.steps, frames.tests, frames.evaluations, frames.clients, frames.recall):
            self.assertEqual(list(frame.columns[:3]), ["run", "sampler.kind", "seed"])
        self.assertEqual(frames.steps["batch_deviation"].tolist()[:2], [0.2, 0.4])
        self.assertEqual(set(frames.configs), {f"r{at}" for at in range(6)})

    def test_axes_of_runs_are_what_differs(self):
        runs = [
            self.run_at("a", {"seed": 1, "sampler.kind": "ugs", "sampler.batch": 64, "data.dir": "/here"}),
            self.run_at(
                "b", {"seed": 1, "sampler.kind": "lds", "sampler.batch": 64, "sampler.delta": 1.5, "data.dir": "/x"}
            ),
            self.run_at("c", {"seed": 2, "sampler.kind": "ugs", "sampler.batch": 64, "data.dir": "/here"}),
        ]
        frames = splitsim.load(*runs)
        self.assertEqual(
            [(a.name, a.keys, a.values, a.seed) for a in frames.axes],
            [
                ("sampler.kind", ("sampler.kind", "sampler.delta"), ("ugs", "lds"), False),
                ("seed", ("seed",), ("1", "2"), True),
            ],
        )

    def test_numbers_are_in_order_and_two_deltas_are_an_axis(self):
        for delta in (10.0, 9.0, 0.5):
            self.run_at(f"d{delta}", {"seed": 1, "sampler.kind": "lds", "sampler.delta": delta})
        self.run_at("u", {"seed": 1, "sampler.kind": "ugs"})
        axes = {axis.name: axis.values for axis in splitsim.load(self.folder).axes}
        self.assertEqual(set(axes["sampler.delta"]), {"0.5", "9.0", "10.0", ""})
        (self.folder / "u" / "run.lock").unlink()
        axes = {axis.name: axis.values for axis in splitsim.load(self.folder).axes}
        self.assertEqual(axes, {"sampler.delta": ("0.5", "9.0", "10.0")})

    def test_data_elsewhere_is_an_axis_when_it_is_other_data(self):
        self.run_at("a", {"seed": 1, "data.dir": "/a"})
        path = self.run_at("b", {"seed": 1, "data.dir": "/b"}) / "summary.json"
        self.refused("same configuration", self.folder)
        path.write_text(path.read_text().replace('"images": "i"', '"images": "j"'))
        self.assertEqual([axis.name for axis in splitsim.load(self.folder).axes], ["data.dir"])

    def test_one_run(self):
        frames = splitsim.load(self.run_at("a", {"seed": 1}))
        self.assertEqual((frames.axes, len(frames.runs), frames.runs["status"][0]), ([], 1, "completed"))

    def test_a_run_that_is_under_way(self):
        path = self.run_at("a", {"seed": 1}, summary=False)
        with open(path / "steps.csv", "a") as file:
            file.write("2,1,0.3")
        with open(path / "epochs.jsonl", "a") as file:
            file.write('{"epoch": 2, "st')
        frames = splitsim.load(path)
        self.assertEqual(frames.runs["status"][0], "interrupted")
        self.assertEqual((len(frames.steps), len(frames.epochs)), (2, 1))

    def test_losses_that_are_not_finite(self):
        path = self.run_at("a", {"seed": 1}, accuracies=(0.5, 0.4), losses=("nan", "inf"), status="diverged")
        losses = splitsim.load(path).steps["train_loss"].tolist()
        self.assertTrue(math.isnan(losses[0]) and math.isinf(losses[2]))

    def test_no_tests(self):
        frames = splitsim.load(self.run_at("a", {"seed": 1}, accuracies=(None, None)))
        self.assertEqual((len(frames.tests), len(frames.evaluations), len(frames.recall)), (0, 0, 0))
        self.assertTrue(frames.epochs["test_accuracy"].isna().all())

    def test_a_sweep_without_its_runs_has_its_index(self):
        path = fake_runs.write_sweep(
            self.folder / "s", {"seed": ["1"]}, [(("1",), "completed", "", {"accuracies": (0.5,)})]
        )
        (path / "runs").rename(self.folder / "elsewhere")
        frames = splitsim.load(path)
        self.assertEqual(frames.runs["test_accuracy"].tolist(), [0.5])
        self.assertEqual(len(frames.steps), 0)

    def test_folders_that_are_something_else(self):
        (self.folder / "empty").mkdir()
        a = self.run_at("a", {"seed": 1})
        sweep = fake_runs.two_samplers(self.folder / "s")
        self.refused("'/nonexistent' is no sweep directory", "/nonexistent")
        self.refused("empty' is no sweep directory", self.folder / "empty")
        self.refused("is named twice", a, self.folder / "s" / ".." / "a")
        self.refused("name it alone", a, sweep)
        self.refused("no sweep or run directory is named")

    def test_another_version(self):
        a = self.run_at("a", {"seed": 1})
        clients = (a / "clients.csv").read_text()
        (a / "clients.csv").write_text(clients.replace("waiting_ns", "waiting_us"))
        self.refused("clients.csv' line 1: 'waiting_ns' is missing: the run was written by another version", a)
        (a / "clients.csv").write_text(clients)
        summary = json.loads((a / "summary.json").read_text())
        del summary["waiting_share_mean"]
        (a / "summary.json").write_text(json.dumps(summary))
        self.refused("summary.json': 'waiting_share_mean' is missing", a)

    def test_broken_files(self):
        a = self.run_at("a", {"seed": 1})

        def broken(name, change, part):
            text = (a / name).read_text()
            (a / name).write_text(change(text))
            self.refused(part, a)
            (a / name).write_text(text)

        broken("steps.csv", lambda t: t + "1,2,3\n", r"steps.csv' line 4: 3 fields; allowed: 22")
        broken(
            "steps.csv",
            lambda t: t.replace("\n1,2,1.0", "\n1,2,one"),
            r"steps.csv' line 3: 'train_loss' = 'one'; allowed: a n",
        )
        broken("steps.csv", lambda t: "", r"steps.csv' line 1: there is no header")
        broken("epochs.jsonl", lambda t: "[1]\n", r"epochs.jsonl' line 1: not a JSON object")
        broken("epochs.jsonl", lambda t: t.replace('"steps"', '"stops"'), r"epochs.jsonl' line 1: 'steps' is missing")
        broken("tests.jsonl", lambda t: t + "{}\n", r"tests.jsonl' line 2: 'epoch' is missing")
        broken("summary.json", lambda t: t[:-1], r"summary.json' is not a JSON object")
        broken("config.toml", lambda t: "seed = \n", r"config.toml' is not TOML")
        (a / "clients.csv").unlink()
        self.refused("clients.csv' is missing", a)

    def test_broken_sweeps(self):
        sweep = fake_runs.two_samplers(self.folder / "s")
        index, axes = (sweep / "index.csv").read_text(), (sweep / "axes.json").read_text()
        for name, text, part in (
            (
                "index.csv",
                index.replace("completed", "done", 1),
                r"index.csv' line 2: 'status' = 'done'; allowed: completed",
            ),
            (
                "index.csv",
                index.replace("run,status", "name,status"),
                r"index.csv' line 1: the first columns must be run,status",
            ),
            (
                "index.csv",
                index.replace(",ugs,2", ",urn,2"),
                r"index.csv' line 3: 'sampler.kind' = 'urn'; allowed: ugs, fls",
            ),
            ("index.csv", index + "r9,completed\n", r"index.csv' line 8: 2 fields; allowed: 8"),
            ("axes.json", "{}", r"axes.json' is not a list of axes"),
            ("axes.json", "[{}]", r"axes.json' is not a list of axes"),
            ("axes.json", axes.replace("sampler.kind", "samples"), r"index.csv' line 1"),
            ("axes.json", "nothing", r"axes.json' is not a list of axes"),
        ):
            (sweep / "index.csv").write_text(index)
            (sweep / "axes.json").write_text(axes)
            (sweep / name).write_text(text)
            self.refused(part, sweep)
        (sweep / "index.csv").write_text(index.replace("sampler.kind", "samples"))
        (sweep / "axes.json").write_text(axes.replace("sampler.kind", "samples"))
        self.refused("an axis must not be called 'samples'", sweep)
        (sweep / "axes.json").unlink()
        self.refused("axes.json' is missing", sweep)


if __name__ == "__main__":
    unittest.main()
