"""A normalizing flow of affine coupling layers on two moons, with base density from torch.distributions."""

import math

import numpy as np
import torch
from torch import distributions, nn
from torch.nn.parameter import Parameter


class RealNVP(nn.Module):
    def __init__(self, nets, nett, mask, prior):
        super(RealNVP, self).__init__()
        self.prior = prior
        self.mask = nn.Parameter(mask, requires_grad=False)
        self.t = torch.nn.ModuleList([nett() for _ in range(len(mask))])
        self.s = torch.nn.ModuleList([nets() for _ in range(len(mask))])
        self.log_scale = Parameter(torch.zeros(2))

    def g(self, z):
        x = z
        for i in range(len(self.t)):
            x_ = x * self.mask[i]
            s = self.s[i](x_) * (1 - self.mask[i])
            t = self.t[i](x_) * (1 - self.mask[i])
            x = x_ + (1 - self.mask[i]) * (x * torch.exp(s) + t)
        return x * self.log_scale.exp()

    def f(self, x):
        z = x * torch.exp(-self.log_scale)
        log_det_J = x.new_zeros(x.shape[0]) - self.log_scale.sum()
        for i in reversed(range(len(self.t))):
            z_ = self.mask[i] * z
            s = self.s[i](z_) * (1 - self.mask[i])
            t = self.t[i](z_) * (1 - self.mask[i])
            z = (1 - self.mask[i]) * (z - t) * torch.exp(-s) + z_
            log_det_J -= s.sum(dim=1)
        return z, log_det_J

    def log_prob(self, x):
        z, logp = self.f(x)
        return self.prior.log_prob(z) + logp


def moons(rng, n):
    angle = rng.uniform(0, math.pi, n)
    upper = rng.integers(0, 2, n).astype(bool)
    x = np.where(upper, np.cos(angle), 1 - np.cos(angle))
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
    return np.stack([x, y], 1) + 0.1 * rng.standard_normal((n, 2))


def model():
    torch.manual_seed(9)
    nets = lambda: nn.Sequential(nn.Linear(2, 12), nn.LeakyReLU(), nn.Linear(12, 2), nn.Tanh())  # noqa: E731
    nett = lambda: nn.Sequential(nn.Linear(2, 12), nn.Softplus(), nn.Linear(12, 2))  # noqa: E731
    masks = torch.from_numpy(np.array([[0, 1], [1, 0]] * 2).astype(np.float32))
    prior = distributions.MultivariateNormal(torch.zeros(2), torch.eye(2))
    return RealNVP(nets, nett, masks.to(torch.get_default_dtype()), prior)


def train(flow):
    rng = np.random.default_rng(9)
    optimizer = torch.optim.Adam([p for p in flow.parameters() if p.requires_grad is True], lr=5e-3)
    losses = []
    for _ in range(5):
        loss = -flow.log_prob(torch.from_numpy(moons(rng, 50))).mean()
        optimizer.zero_grad()
        loss.backward(retain_graph=True)
        optimizer.step()
        losses.append(loss.detach().numpy())
    with torch.no_grad():
        z = torch.from_numpy(rng.standard_normal((10, 2)))
        samples = flow.g(z)
        back, log_det = flow.f(samples)
        error = (back - z).abs().max()
    return [float(each) for each in losses], samples, log_det, error
