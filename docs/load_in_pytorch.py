#!/usr/bin/env python3
"""Loads a LeNet run on Fashion-MNIST or MNIST into PyTorch and tests it.

    load_in_pytorch.py RUN DATA     prints: right answers, images, accuracy, the accuracy in RUN's summary.json

Needs torch, numpy and safetensors. Other models go the same way: tensors are named side.layer.what, layers as
`splitsim-run --help model` lists them, shapes are torch.nn's.
"""
import gzip, json, os, sys
from collections import OrderedDict

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

run, data = sys.argv[1:]
averaged = os.path.join(run, "model_average.safetensors")
weights = load_file(averaged if os.path.exists(averaged) else os.path.join(run, "model.safetensors"))
net = nn.Sequential(OrderedDict(
    conv1=nn.Conv2d(1, 6, 5, padding=2), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2),
    conv2=nn.Conv2d(6, 16, 5), relu2=nn.ReLU(), pool2=nn.MaxPool2d(2), flat=nn.Flatten(),
    fc1=nn.Linear(400, 120), relu3=nn.ReLU(), fc2=nn.Linear(120, 84), relu4=nn.ReLU(), fc3=nn.Linear(84, 10)))
net.load_state_dict({name.split(".", 1)[1]: tensor for name, tensor in weights.items()})
summary = json.load(open(os.path.join(run, "summary.json")))
read = lambda name, skip: np.frombuffer(gzip.open(os.path.join(data, name)).read(), np.uint8, offset=skip)
images = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)
labels = torch.tensor(read("t10k-labels-idx1-ubyte.gz", 8).astype(np.int64))
mean, std = summary["settings"]["pixel_mean"][0], summary["settings"]["pixel_std"][0]
with torch.no_grad():
    right = int((net((torch.tensor(images).float() / 255 - mean) / std).argmax(1) == labels).sum())
print(right, len(labels), right / len(labels), summary["test_accuracy"])
