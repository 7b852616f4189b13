"""A torchvision model, its weights in a file, and what PyTorch computes with them: for pytorch_test.cpp.

    torchvision_model.py MODEL DATA OUT     MODEL is splitsim's name of it, DATA has the .npy set, OUT is written

Trains for a few steps, so that running statistics and accuracy mean something, writes the state dict, then takes one
more step at a rate of 0. Prints: that step's training loss, right answers, images and loss of the test after it.
"""
import sys

import numpy as np
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import cross_entropy

name, data, out = sys.argv[1:]
torch.manual_seed(1)
train, test = (np.load(f"{data}/{file}.npy").transpose(0, 3, 1, 2) / 255 for file in ("x", "x_test"))
labels, test_labels = (torch.tensor(np.load(f"{data}/{file}.npy")).long() for file in ("y", "y_test"))
mean, std = train.mean((0, 2, 3), keepdims=True), train.std((0, 2, 3), keepdims=True)
images, test_images = (torch.tensor((part - mean) / std).float() for part in (train, test))

net = getattr(torchvision.models, name.removesuffix("_imagenet"))(num_classes=int(labels.max()) + 1)
if name.startswith("vgg"):
    net.avgpool, net.classifier = nn.Identity(), nn.Linear(512, int(labels.max()) + 1)
elif not name.endswith("imagenet"):
    net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
optimizer = torch.optim.SGD(net.parameters(), lr=0.02)
for _ in range(3):
    optimizer.zero_grad()
    cross_entropy(net(images), labels).backward()
    optimizer.step()
save_file(net.state_dict(), out)
with torch.no_grad():
    loss = cross_entropy(net(images).double(), labels).item()
    logits = net.eval()(test_images).double()
print(loss, (logits.argmax(1) == test_labels).sum().item(), len(test_labels), cross_entropy(logits, test_labels).item())
