"""A run's model as a torch.nn.Module. Needs torch and safetensors; for ResNets torchvision. See pytorch.md.

    from load_in_pytorch import load
    net, summary = load("runs/a")      the model that was tested last, and the run's summary.json
"""
import json, math, os
from collections import OrderedDict

from safetensors.torch import load_file
from torch import nn

STACKS = {"mlp": "flat fc1 relu1 fc2 relu2 fc3",
          "lenet": "conv1 relu1 pool1 conv2 relu2 pool2 flat fc1 relu3 fc2 relu4 fc3",
          "cnn": "conv1 norm1 relu1 pool1 conv2 norm2 relu2 pool2 conv3 norm3 relu3 pool3 flat fc1",
          "vgg11": "conv1 norm1 relu1 pool1 conv2 norm2 relu2 pool2 conv3 norm3 relu3 conv4 norm4 relu4 pool3 "
                   "conv5 norm5 relu5 conv6 norm6 relu6 pool4 conv7 norm7 relu7 conv8 norm8 relu8 pool5 flat fc"}
TORCHVISION = (("norm", "bn"), ("down.conv", "downsample.0"), ("down.bn", "downsample.1"))  # in this order


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
        if name.startswith("pool"): return nn.MaxPool2d(2)
        if name == "flat": return nn.Flatten()
        if name + ".weight" not in weights: return nn.Identity()  # norm = "none"
        shape = weights[name + ".weight"].shape
        if len(shape) == 4:
            padding = 0 if (model, name) == ("lenet", "conv2") else shape[2] // 2
            return nn.Conv2d(shape[1], shape[0], shape[2], stride, padding, bias=name + ".bias" in weights)
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
    else:
        net = nn.Sequential(OrderedDict((name, layer(name)) for name in STACKS[model].split()))
    net.load_state_dict(weights)
    return net.eval(), summary
