"""Meta-learning: gradients through the steps of an inner optimizer, on sine waves of random phase."""

from collections import OrderedDict

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class Learner(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            OrderedDict([("l1", nn.Linear(1, 12)), ("act", nn.LeakyReLU(0.1)), ("l2", nn.Linear(12, 1))])
        )

    def functional_forward(self, x, weights):
        x = F.leaky_relu(F.linear(x, weights["net.l1.weight"], weights["net.l1.bias"]), 0.1)
        return F.linear(x, weights["net.l2.weight"], weights["net.l2.bias"])


def model():
    torch.manual_seed(0)
    return Learner()


def adapt(learner, x, y, steps, lr, first_order=False):
    fast = OrderedDict(learner.named_parameters())
    for _ in range(steps):
        loss = F.mse_loss(learner.functional_forward(x, fast), y)
        grads = torch.autograd.grad(loss, list(fast.values()), create_graph=not first_order)
        fast = OrderedDict((name, w - lr * g) for (name, w), g in zip(fast.items(), grads))
    return fast


def train(model):
    rng = np.random.default_rng(0)
    meta = torch.optim.Adam(model.parameters(), lr=1e-2)
    seen = []
    for _ in range(4):
        meta.zero_grad()
        outer = 0.0
        for _ in range(3):
            amplitude, phase = rng.uniform(0.5, 2), rng.uniform(0, 3)
            x = torch.from_numpy(rng.uniform(-3, 3, (20, 1)))
            y = amplitude * torch.sin(x + phase)
            fast = adapt(model, x[:10], y[:10], steps=2, lr=0.05)
            outer = outer + F.mse_loss(model.functional_forward(x[10:], fast), y[10:])
        outer.backward()
        meta.step()
        seen.append(outer.item())
    probe = torch.linspace(-1, 1, 5).unsqueeze(-1)
    fast = adapt(model, probe, probe.sin(), 1, 0.05, first_order=True)
    return seen, model.functional_forward(probe, fast)
