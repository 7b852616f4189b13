#!/usr/bin/env python3
"""Tests a run's model with PyTorch on the run's test set.

    test_in_pytorch.py RUN DATA     prints: right answers, images, accuracy, the run's accuracy, loss, the run's loss

DATA is the run's data.dir: MNIST's files, CIFAR's binary ones or .npy ([N, H, W] or [N, H, W, C]). See pytorch.md.
"""
import gzip, os, sys

import numpy as np
import torch
from load_in_pytorch import load

run, data = sys.argv[1:]
net, summary = load(run)
settings = summary["settings"]


def read(name, skip=0):
    path = os.path.join(data, name)
    with open(path, "rb") if os.path.exists(path) else gzip.open(path + ".gz") as file:
        return np.frombuffer(file.read(), np.uint8, offset=skip)


if settings["data"] == "npy":
    images, labels = np.load(f"{data}/x_test.npy"), np.load(f"{data}/y_test.npy")
    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
elif settings["data"].startswith("cifar"):  # the class is the last byte before an image
    name, bytes_each = ("test_batch.bin", 3073) if settings["data"] == "cifar10" else ("test.bin", 3074)
    records = read(name).reshape(-1, bytes_each)
    images, labels = records[:, -3072:].reshape(-1, 3, 32, 32), records[:, -3073]
else:
    images, labels = read("t10k-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28), read("t10k-labels-idx1-ubyte", 8)
mean, std = (torch.tensor(settings[key]).view(-1, 1, 1) for key in ("pixel_mean", "pixel_std"))
labels = torch.tensor(labels.astype(np.int64))
right, loss = 0, 0.0
with torch.no_grad():
    for batch, wanted in zip(torch.tensor(images).split(250), labels.split(250)):
        logits = net((batch.float() / 255 - mean) / std)
        right += int((logits.argmax(1) == wanted).sum())
        loss += float(torch.nn.functional.cross_entropy(logits.double(), wanted, reduction="sum"))
print(right, len(labels), right / len(labels), summary["test_accuracy"], loss / len(labels), summary["test_loss"])
