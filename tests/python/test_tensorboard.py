"""Event files, read back by TensorBoard's own reader."""
import importlib.util
import math
import unittest

import splitsim
from support import Case


@unittest.skipUnless(importlib.util.find_spec("tensorboard"), "no tensorboard (pip install 'splitsim[tensorboard]')")
class TensorBoard(Case):
    def scalars(self, folder):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        events = EventAccumulator(str(folder), size_guidance={"tensors": 0, "scalars": 0})
        events.Reload()
        from tensorboard.util.tensor_util import make_ndarray
        return {tag: [(e.step, e.wall_time, float(make_ndarray(e.tensor_proto))) for e in events.Tensors(tag)]
                for tag in events.Tags()["tensors"]}

    def test_reads_back(self):
        result = splitsim.run(self.config, self.path("out"))
        points = splitsim.to_tensorboard(result, self.path("tb"))
        read = self.scalars(self.path("tb"))
        self.assertEqual(points, sum(len(events) for events in read.values()))
        losses = read["step/loss"]
        self.assertEqual([step for step, _, _ in losses], list(range(1, 21)))
        for (_, wall, value), loss, end in zip(losses, result.steps["train_loss"], result.steps["end_ns"], strict=True):
            self.assertTrue(math.isclose(value, loss, rel_tol=1e-6) and math.isclose(wall, end * 1e-9, rel_tol=1e-9))
        accuracies = read["epoch/test_accuracy"]
        self.assertEqual([step for step, _, _ in accuracies], [10, 20])
        self.assertAlmostEqual(accuracies[-1][2], result.summary["test_accuracy"], places=6)
        self.assertNotIn("epoch/validation_loss", read)

    def test_several_runs_and_mistakes(self):
        a, b = (splitsim.run(self.config, self.path(name), seed=seed) for name, seed in (("a", 1), ("b", 2)))
        logdir = self.path("tb")
        splitsim.to_tensorboard([a, b.directory], logdir)
        self.assertEqual(sorted(folder.name for folder in logdir.iterdir()), sorted((a.directory.name, b.directory.name)))
        self.assertIn("holds event files",
                      self.message(splitsim.InputError, splitsim.to_tensorboard, [a], logdir))
        self.assertIn("holds no run", self.message(splitsim.InputError, splitsim.to_tensorboard, self.folder, logdir))
        self.assertIn("different names", self.message(splitsim.InputError, splitsim.to_tensorboard, [a, a], logdir))


class Without(Case):
    def test_says_what_to_install(self):
        import sys
        from unittest import mock
        with mock.patch.dict(sys.modules, {"tensorboard.summary": None}):
            self.assertIn("splitsim[tensorboard]",
                          self.message(ImportError, splitsim.to_tensorboard, self.folder, self.folder))
