"""The training loop of docs/python.md, as it stands there, in PyTorch ($SPLITSIM_PYTHON may name a Python that has it)."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import splitsim

ROOT = pathlib.Path(__file__).resolve().parents[2]

AROUND = """
import torch, splitsim
torch.manual_seed(1)
torch.set_num_threads(1)
targets = torch.arange(1280) % 4
images = torch.randn(1280, 6) + 2.0 * torch.nn.functional.one_hot(targets, 6)


class Images(torch.utils.data.TensorDataset):
    targets = targets.tolist()


dataset = Images(images, targets)
model = torch.nn.Linear(6, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
{loop}
accuracy = (model(images).argmax(1) == targets).float().mean().item()
assert accuracy > 0.7, accuracy
expected = splitsim.Planner(labels=labels.numpy(), partition={{"clients": 64, "classes_per_client": 2}},
                            sampler={{"kind": "ugs", "batch": 128}}, seed=1).schedule(4)
assert schedule.sha256 == expected.sha256
seen = [int(i) for batch in torch.utils.data.DataLoader(range(1280), batch_sampler=schedule) for i in batch]
assert seen == expected.sample.tolist()
workers = torch.utils.data.DataLoader(range(1280), batch_sampler=schedule, num_workers=2)  # processes that are forked
assert [int(i) for batch in workers for i in batch] == seen
print("steps", step + 1)
"""


def pythons():
    return [sys.executable, *filter(None, [os.environ.get("SPLITSIM_PYTHON")])]


class Torch(unittest.TestCase):
    def test_the_loop_of_the_manual(self):
        text = (ROOT / "docs/python.md").read_text().split("## PyTorch trains on a schedule")[1].split("\n## ")[0]
        loop = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
        self.assertIn("DataLoader(dataset, batch_sampler=schedule)", loop)
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(pathlib.Path(splitsim.__file__).parent, pathlib.Path(folder) / "splitsim")
            env = {**os.environ, "PYTHONPATH": folder}
            why = []
            for python in pythons():
                probe = subprocess.run([python, "-c", "import torch, splitsim; splitsim.Config()"], capture_output=True,
                                       text=True, env=env)
                if probe.returncode != 0:
                    why.append(f"{python}: {probe.stderr.strip().splitlines()[-1]}")
                    continue
                done = subprocess.run([python, "-c", AROUND.format(loop=loop)], capture_output=True, text=True, env=env)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("steps 10", done.stdout)
                self.assertEqual(done.stdout.count("s of virtual time"), 5)
                return
        self.skipTest("; ".join(why))
