"""Representations without labels: two views, a contrastive loss, and a slow copy of the network as target."""

import copy

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def mlp(dim, hidden, out):
    return nn.Sequential(nn.Linear(dim, hidden), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True), nn.Linear(hidden, out))


def nt_xent(z1, z2, temperature=0.5):
    n = z1.size(0)
    z = F.normalize(torch.cat([z1, z2], dim=0), dim=1)
    sim = torch.mm(z, z.t()) / temperature
    sim.masked_fill_(torch.eye(2 * n, dtype=torch.bool, device=z.device), float("-inf"))
    targets = torch.cat([torch.arange(n, 2 * n), torch.arange(n)])
    return F.cross_entropy(sim, targets)


def byol_loss(p, z):
    return 2 - 2 * F.cosine_similarity(p, z.detach(), dim=-1).mean()


class Learner(nn.Module):
    def __init__(self, moving_average_decay=0.9):
        super().__init__()
        self.decay = moving_average_decay
        self.online = nn.ModuleDict({"encoder": mlp(12, 16, 8), "projector": nn.Linear(8, 6)})
        self.predictor = mlp(6, 8, 6)
        self.target = copy.deepcopy(self.online).requires_grad_(False)

    @torch.no_grad()
    def update_target(self):
        for slow, fast in zip(self.target.parameters(), self.online.parameters()):
            slow.data.mul_(self.decay).add_(fast.data, alpha=1 - self.decay)

    def forward(self, a, b):
        def project(net, x):
            return net["projector"](net["encoder"](x))

        za, zb = project(self.online, a), project(self.online, b)
        with torch.no_grad():
            ta, tb = project(self.target, a), project(self.target, b)
        loss = (byol_loss(self.predictor(za), tb) + byol_loss(self.predictor(zb), ta)) / 2
        return loss + 0.1 * nt_xent(za, zb)


def model():
    torch.manual_seed(0)
    return Learner()


def train(model):
    rng = np.random.default_rng(0)
    trained = filter(lambda p: p.requires_grad, model.parameters())
    optimizer = torch.optim.SGD(trained, lr=0.05, momentum=0.9, weight_decay=1e-4, nesterov=True)
    losses = []
    for _ in range(4):
        x = rng.standard_normal((10, 12))
        a, b = (torch.from_numpy(x + 0.1 * rng.standard_normal(x.shape)) for _ in range(2))
        loss = model(a, b)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.update_target()
        losses.append(float(loss))
    model.eval()
    with torch.no_grad():
        features = model.online["encoder"](a)
        nearest = torch.cdist(features, features).fill_diagonal_(float("inf")).argmin(dim=1)
    return losses, features, nearest
