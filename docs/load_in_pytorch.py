"""A run's model as a torch.nn.Module. Needs torch and safetensors; for ResNets torchvision. See pytorch.md.

    from load_in_pytorch import load
    net, summary = load("runs/a")      the model that was tested last, and the run's summary.json
"""
import json, math, os
from collections import OrderedDict

import torch
from safetensors.torch import load_file
from torch import nn

STACKS = {"mlp": "flat fc1 relu1 fc2 relu2 fc3",
          "lenet": "conv1 relu1 pool1 conv2 relu2 pool2 flat fc1 relu3 fc2 relu4 fc3",
          "cnn": "conv1 norm1 relu1 pool1 conv2 norm2 relu2 pool2 conv3 norm3 relu3 pool3 flat fc1",
          "vgg11": "conv1 norm1 relu1 pool1 conv2 norm2 relu2 pool2 conv3 norm3 relu3 conv4 norm4 relu4 pool3 "
                   "conv5 norm5 relu5 conv6 norm6 relu6 pool4 conv7 norm7 relu7 conv8 norm8 relu8 pool5 flat fc",
          "har_cnn": "conv1 relu1 pool1 conv2 relu2 pool2 flat fc1 relu3 fc2 relu4 fc3",
          "text_cnn": "", "vit": ""}  # classes below
TORCHVISION = (("norm", "bn"), ("down.conv", "downsample.0"), ("down.bn", "downsample.1"))  # in this order


def per_token(before, after): return nn.Conv2d(before, after, 1)


class ChannelNorm(nn.LayerNorm):
    def forward(self, x): return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Position(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape))

    def forward(self, x): return x + self.weight


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.qkv, self.proj = ChannelNorm(width), per_token(width, 3 * width), per_token(width, width)
        self.norm2, self.fc1, self.fc2 = ChannelNorm(width), per_token(width, 2 * width), per_token(2 * width, width)

    def forward(self, x):
        q, k, v = (part.flatten(2).unflatten(1, (4, -1)).mT for part in self.qkv(self.norm1(x)).chunk(3, 1))
        y = nn.functional.scaled_dot_product_attention(q, k, v)  # [N, heads, tokens, channels of a head]
        x = x + self.proj(y.mT.flatten(1, 2).reshape(x.shape))
        return x + self.fc2(nn.functional.gelu(self.fc1(self.norm2(x))))


class TextCnn(nn.Module):
    def __init__(self, vocabulary, width, classes):
        super().__init__()
        self.embedding, self.fc = nn.Embedding(vocabulary, width), nn.Linear(3 * width, classes)
        self.conv3, self.conv4, self.conv5 = (nn.Conv2d(width, width, (1, n)) for n in (3, 4, 5))

    def forward(self, x):  # [N, 1, 1, L] ids
        y = self.embedding(x.long())[:, 0].movedim(-1, 1)
        return self.fc(torch.cat([conv(y).relu().amax((2, 3)) for conv in (self.conv3, self.conv4, self.conv5)], 1))


def token_net(model, weights):
    size = {name: w.shape for name, w in weights.items()}
    classes = size["fc.bias"][0]
    if model == "text_cnn": return TextCnn(*size["embedding.weight"], classes)
    width, channels, side, _ = size["patch.weight"]
    parts = [("patch", nn.Conv2d(channels, width, side, side)), ("position", Position(size["position.weight"]))]
    parts += [(f"block{i}", Block(width)) for i in range(1, 5)] + [("norm", ChannelNorm(width))]
    parts += [("pool", nn.AdaptiveAvgPool2d(1)), ("flat", nn.Flatten()), ("fc", nn.Linear(width, classes))]
    return nn.Sequential(OrderedDict(parts))


def load(run):
    with open(f"{run}/summary.json") as file: summary = json.load(file)
    model = summary["settings"]["model"]
    average = "_average" if os.path.exists(f"{run}/model_average.safetensors") else ""  # of the clients' replicas
    weights = {name.split(".", 1)[1]: w for name, w in load_file(f"{run}/model{average}.safetensors").items()}
    resnet = model.startswith("resnet") and not model.endswith("gpsl")
    if not resnet and model not in STACKS: raise SystemExit(f"{model}: not a model that this script can build")
    for ours, theirs in TORCHVISION if resnet else ():
        weights = {name.replace(ours, theirs): w for name, w in weights.items()}

    def layer(name, stride=1):  # as the file's shapes have it
        if name.startswith("relu"): return nn.ReLU()
        if name.startswith("pool"): return nn.MaxPool2d((1, 2) if model == "har_cnn" else 2)
        if name == "flat": return nn.Flatten()
        if name + ".weight" not in weights: return nn.Identity()  # norm = "none"
        shape = weights[name + ".weight"].shape
        if len(shape) == 4:
            padding = 0 if (model, name) == ("lenet", "conv2") else shape[2] // 2
            return nn.Conv2d(shape[1], shape[0], shape[2:], stride, padding, bias=name + ".bias" in weights)
        if len(shape) == 2: return nn.Linear(shape[1], shape[0])
        if name + ".running_var" in weights: return nn.BatchNorm2d(shape[0])
        return nn.GroupNorm(8 if model == "cnn" else math.gcd(32, shape[0]), shape[0])

    if resnet:
        import torchvision
        net = getattr(torchvision.models, model.split("_")[0])()
        if not model.endswith("imagenet"): net.conv1.stride, net.maxpool = 1, nn.Identity()
        for name, old in list(net.named_modules()):
            if isinstance(old, (nn.Conv2d, nn.BatchNorm2d, nn.Linear)):
                net.set_submodule(name, layer(name, getattr(old, "stride", 1)))
    elif not STACKS[model]:
        net = token_net(model, weights)
    else:
        net = nn.Sequential(OrderedDict((name, layer(name)) for name in STACKS[model].split()))
    net.load_state_dict(weights)
    return net.eval(), summary
