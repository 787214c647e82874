"""Linear regression on a noisy line, by raw tensors and by hand-written updates."""

import numpy as np
import torch


def model():
    torch.manual_seed(0)
    return {"w": torch.randn(1, requires_grad=True), "b": torch.zeros(1, requires_grad=True)}


def train(parameters):
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.uniform(-1, 1, 100))
    y = 3 * x - 2 + 0.1 * torch.tensor(rng.standard_normal(100))
    w, b = parameters["w"], parameters["b"]
    losses = []
    for _ in range(30):
        loss = ((w * x + b - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            for p in (w, b):
                p -= 0.3 * p.grad
                p.grad.zero_()
        losses.append(loss.item())
    return losses
