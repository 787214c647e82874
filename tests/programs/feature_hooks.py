"""Hooks: activations of layers, gradients of layers, a heat map of class activations, hooks on tensors."""

from collections import OrderedDict, defaultdict
from typing import Dict, Iterable

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor


class FeatureExtractor(nn.Module):
    def __init__(self, model: nn.Module, layers: Iterable[str]):
        super().__init__()
        self.model = model
        self.layers = layers
        self._features = {layer: torch.empty(0) for layer in layers}
        for layer_id in layers:
            layer = dict([*self.model.named_modules()])[layer_id]
            layer.register_forward_hook(self.save_outputs_hook(layer_id))

    def save_outputs_hook(self, layer_id: str):
        def fn(_, __, output):
            self._features[layer_id] = output

        return fn

    def forward(self, x: Tensor) -> Dict[str, Tensor]:
        self._features["output"] = self.model(x)
        return self._features


class GradCam:
    def __init__(self, model, target_layer):
        self.model, self.gradients, self.activations = model, None, None
        self.handles = [
            target_layer.register_forward_hook(self.forward_hook),
            target_layer.register_full_backward_hook(self.backward_hook),
        ]

    def forward_hook(self, module, input, output):
        self.activations = output

    def backward_hook(self, module, grad_input, grad_output):
        self.gradients = grad_output[0]

    def __call__(self, x, index):
        output = self.model(x)
        one_hot = torch.zeros_like(output)
        one_hot[torch.arange(len(x)), index] = 1
        self.model.zero_grad()
        output.backward(gradient=one_hot)
        pooled = torch.mean(self.gradients, dim=[2, 3], keepdim=True)
        cam = F.relu((pooled * self.activations.detach()).sum(1, keepdim=True))
        cam = F.interpolate(cam, size=x.shape[2:], mode="bilinear", align_corners=False)
        return (cam - cam.amin((1, 2, 3), True)) / (cam.amax((1, 2, 3), True) + 1e-8)

    def remove(self):
        for handle in self.handles:
            handle.remove()


def model():
    torch.manual_seed(26)
    layers = [
        ("conv1", nn.Conv2d(1, 4, 3, padding=1)),
        ("act1", nn.ReLU()),
        ("pool", nn.AvgPool2d(2)),
        ("conv2", nn.Conv2d(4, 6, 3, padding=1, groups=2)),
        ("act2", nn.Hardswish()),
        ("flat", nn.Flatten()),
        ("fc", nn.Linear(6 * 16, 3)),
    ]
    return nn.Sequential(OrderedDict(layers))


def train(net):
    rng = np.random.default_rng(26)
    x, y = torch.tensor(rng.standard_normal((6, 1, 8, 8))), torch.tensor(rng.integers(0, 3, 6))
    statistics = defaultdict(list)

    def watch(name):
        def hook(module, inputs, output):
            statistics[name].append([inputs[0].mean().item(), output.data.std().item()])

        return hook

    handles = [m.register_forward_hook(watch(n)) for n, m in net.named_modules() if not list(m.children()) and n]
    doubled = net.conv2.register_forward_pre_hook(lambda module, args: (args[0] * 2,))
    halved = net.fc.weight.register_hook(lambda grad: grad * 0.5)
    optimizer = torch.optim.Rprop(net.parameters(), lr=1e-3)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = F.multi_margin_loss(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    for h in [*handles, doubled, halved]:
        h.remove()
    extractor = FeatureExtractor(net, layers=["pool", "act2"])
    shapes = [list(f.shape) for f in extractor(x).values()]
    cam = GradCam(net, net.act2)
    maps = cam(x, y)
    cam.remove()
    hidden = net.conv1(x)
    hidden.retain_grad()
    net[1:](hidden).logsumexp(1).sum().backward()
    return losses, list(statistics.values()), shapes, maps, hidden.grad
