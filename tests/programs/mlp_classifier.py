"""A multilayer perceptron on three noisy spirals, with `nn.Sequential`, Adam and a loader."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def spirals(rng, n=40, classes=3):
    t = np.linspace(0.1, 1, n)
    x, y = [], []
    for c in range(classes):
        angle = 4 * t + 2 * np.pi * c / classes + 0.1 * rng.standard_normal(n)
        x.append(np.stack([t * np.sin(angle), t * np.cos(angle)], 1))
        y.append(np.full(n, c))
    return torch.tensor(np.concatenate(x)), torch.tensor(np.concatenate(y))


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 3))


def train(net):
    loader = DataLoader(TensorDataset(*spirals(np.random.default_rng(0))), batch_size=16)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    criterion = nn.CrossEntropyLoss()
    losses = []
    for _ in range(4):
        net.train()
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(net(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    net.eval()
    with torch.no_grad():
        x, y = loader.dataset.tensors
        accuracy = (net(x).argmax(1) == y).float().mean().item()
    return [*losses, accuracy]
