#!/usr/bin/env python3
"""Times PyTorch on the same training steps, for the comparisons of splitsim-bench. Prints one JSON object.

    profiling/pytorch_reference.py --model lenet --batch 128 --clients 128 --threads 2
    profiling/pytorch_reference.py --loop tied ...    one way only: median_step_s, min_step_s at the top level

Three ways to take the same step (SGD with momentum, fp32, synthetic data; K clients' samples drawn as global sampling
draws them, so a step has a random number of active clients):

  central  one model, the whole batch
  tied     parallel split learning as it is usually written: one module per client; every active client takes the current
           weights (load_state_dict) and runs its own samples; the server runs the concatenated cut tensors; each client
           runs backward from its slice; client gradients are added up and the shared client half steps
  shared   the same without copies: all clients call one module, one after another (kinder than what is usual)
"""

import argparse
import json
import math
import os
import statistics
import sys
import time

try:
    import torch
except ImportError:  # Debian's python3-torch belongs to the system's interpreter
    system = "/usr/bin/python3"
    if os.path.realpath(sys.executable) == os.path.realpath(system) or not os.path.exists(system):
        sys.exit("error: this script needs PyTorch (a pip wheel, or Debian's python3-torch)")
    os.execv(system, [system, *sys.argv])

CLASSES = 10
LOOPS = ["central", "tied", "shared"]


class BasicBlock(torch.nn.Module):
    def __init__(self, before, after, stride, norm):
        super().__init__()
        nn = torch.nn
        self.residual = nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), norm(after), nn.ReLU(inplace=True),
                                      nn.Conv2d(after, after, 3, 1, 1, bias=False), norm(after))
        same = before == after and stride == 1
        self.shortcut = nn.Identity() if same else nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), norm(after))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.residual(x) + self.shortcut(x))


def resnet18(channels, norm):
    """Small-image stem, client half up to layer1."""
    nn = torch.nn
    client = nn.Sequential(nn.Conv2d(channels, 64, 3, 1, 1, bias=False), norm(64), nn.ReLU(inplace=True),
                           BasicBlock(64, 64, 1, norm), BasicBlock(64, 64, 1, norm))
    stages = []
    for before, after in [(64, 128), (128, 256), (256, 512)]:
        stages += [BasicBlock(before, after, 2, norm), BasicBlock(after, after, 1, norm)]
    server = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, CLASSES))
    return client, server


def make_halves(model, shape):
    """Client half up to the cut, and the rest: the layers of splitsim's models of the same names, resnet18_batch being
    resnet18 with BatchNorm. lenet and cnn are cut at pool1, resnet18 at layer1."""
    nn = torch.nn
    channels, height, width = shape
    if model == "lenet":
        flat = 16 * ((height // 2 - 4) // 2) * ((width // 2 - 4) // 2)
        client = nn.Sequential(nn.Conv2d(channels, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2))
        server = nn.Sequential(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(flat, 120),
                               nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, CLASSES))
        return client, server

    if model.startswith("resnet18"):
        return resnet18(channels, nn.BatchNorm2d if model.endswith("_batch") else
                        lambda width: nn.GroupNorm(math.gcd(32, width), width))

    def block(before, after):
        return [nn.Conv2d(before, after, 3, padding=1), nn.GroupNorm(8, after), nn.ReLU(), nn.MaxPool2d(2)]

    client = nn.Sequential(*block(channels, 32))
    server = nn.Sequential(*block(32, 64), *block(64, 128), nn.Flatten(),
                           nn.Linear(128 * (height // 8) * (width // 8), CLASSES))
    return client, server


class Experiment:
    def __init__(self, args):
        self.args = args
        self.device = torch.device(args.device)
        shape = (args.channels, args.size, args.size)
        torch.manual_seed(1)
        self.layout = torch.channels_last if args.layout == "channels_last" else torch.contiguous_format

        def placed(half):
            return half.to(self.device, memory_format=self.layout)

        self.client, self.server = (placed(half) for half in make_halves(args.model, shape))
        self.clients = [placed(make_halves(args.model, shape)[0]) for _ in range(args.clients)]
        parameters = [*self.client.parameters(), *self.server.parameters()]
        self.optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9)
        # Batches of several steps, so that no step finds its inputs in the cache of the one before.
        self.batches = []
        for _ in range(args.batches):
            owner = torch.randint(args.clients, (args.batch,)).sort().values
            sizes = torch.unique_consecutive(owner, return_counts=True)
            self.batches.append((torch.randn(args.batch, *shape, device=self.device).to(memory_format=self.layout),
                                 torch.randint(CLASSES, (args.batch,), device=self.device),
                                 [int(k) for k in sizes[0]], [int(n) for n in sizes[1]]))

    def precision(self):
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.args.precision == "bf16")

    def loss(self, logits, labels):
        return torch.nn.functional.cross_entropy(logits, labels)

    def central(self, batch):
        images, labels, _, _ = batch
        self.optimizer.zero_grad(set_to_none=True)
        with self.precision():
            loss = self.loss(self.server(self.client(images)), labels)
        loss.backward()
        self.optimizer.step()

    def split(self, batch, modules):
        """One step of parallel split learning; modules: the active clients' client halves."""
        images, labels, _, sizes = batch
        self.optimizer.zero_grad(set_to_none=True)
        with self.precision():
            smashed = [module(part) for module, part in zip(modules, images.split(sizes))]
            cut = torch.cat([part.detach() for part in smashed]).requires_grad_()
            loss = self.loss(self.server(cut), labels)
        loss.backward()
        for part, gradient in zip(smashed, cut.grad.split(sizes)):
            part.backward(gradient)

    def shared(self, batch):
        self.split(batch, [self.client] * len(batch[2]))
        self.optimizer.step()

    def tied(self, batch):
        modules = [self.clients[k] for k in batch[2]]
        weights = self.client.state_dict()
        for module in modules:
            module.load_state_dict(weights)
            module.zero_grad(set_to_none=True)
        self.split(batch, modules)
        for shared, *copies in zip(self.client.parameters(), *(module.parameters() for module in modules)):
            shared.grad = torch.stack([copy.grad for copy in copies]).sum(0)
        self.optimizer.step()

    def synchronize(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def block(self, step):
        """Seconds per step over all batches."""
        self.synchronize()
        start = time.perf_counter()
        for batch in self.batches:
            step(batch)
        self.synchronize()
        return (time.perf_counter() - start) / len(self.batches)

    def measure(self, names):
        """Blocks of the ways in turn, so that a busy moment of the machine touches all of them, until the time is up."""
        times = {name: [] for name in names}
        for name in names:
            self.block(getattr(self, name))
        begin = time.perf_counter()
        while len(times[names[0]]) < 3 or time.perf_counter() - begin < self.args.seconds * len(names):
            for name in names:
                times[name].append(self.block(getattr(self, name)))
        return {name: {"median_step_s": statistics.median(values), "min_step_s": min(values),
                       "steps": len(values) * len(self.batches)} for name, values in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=["lenet", "cnn", "resnet18", "resnet18_batch"], default="lenet")
    parser.add_argument("--channels", type=int, default=1, help="image channels (default 1)")
    parser.add_argument("--size", type=int, default=28, help="image height and width (default 28)")
    parser.add_argument("--batch", type=int, default=128, help="global batch size (default 128)")
    parser.add_argument("--clients", type=int, default=128, help="clients K of the loops (default 128)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="PyTorch's threads (default: all cores)")
    parser.add_argument("--batches", type=int, default=8, help="different batches, timed as one block (default 8)")
    parser.add_argument("--seconds", type=float, default=5.0, help="time for each of the three ways (default 5)")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--layout", choices=["nchw", "channels_last"], default="nchw",
                        help="of images and weights (default nchw)")
    parser.add_argument("--precision", choices=["fp32", "tf32", "bf16"], default="fp32",
                        help="fp32 without TF32 anywhere, tf32 on a GPU, or bf16 by autocast (default fp32)")
    parser.add_argument("--loop", choices=["all", *LOOPS], default="all", help="which way (default all)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    # PyTorch's own default is TF32 in convolutions and not in products.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = args.precision == "tf32"
    experiment = Experiment(args)
    result = {"torch": torch.__version__, "threads": torch.get_num_threads(), "device": args.device, "model": args.model,
              "layout": args.layout, "precision": args.precision,
              "image": [args.channels, args.size, args.size], "batch": args.batch, "clients": args.clients,
              "mean_active": statistics.mean(len(batch[2]) for batch in experiment.batches)}
    if args.loop == "all":
        measured = experiment.measure(LOOPS)
        for name in LOOPS[1:]:
            measured[name]["over_central"] = measured[name]["median_step_s"] / measured["central"]["median_step_s"]
        result.update(measured)
    else:
        result.update(experiment.measure([args.loop])[args.loop])
    json.dump(result, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
