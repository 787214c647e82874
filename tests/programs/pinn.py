"""A physics-informed network: the heat equation's residual by derivatives of derivatives, with L-BFGS."""

import numpy as np
import torch
import torch.nn as nn


class PINN(nn.Module):
    def __init__(self, layers):
        super(PINN, self).__init__()
        self.activation = nn.Tanh()
        self.linears = nn.ModuleList([nn.Linear(layers[i], layers[i + 1]) for i in range(len(layers) - 1)])
        for i in range(len(layers) - 1):
            nn.init.xavier_normal_(self.linears[i].weight.data, gain=1.0)
            nn.init.zeros_(self.linears[i].bias.data)
        self.lambda1 = nn.Parameter(torch.tensor([0.5]))

    def forward(self, x, t):
        a = torch.cat([x, t], dim=1)
        for linear in self.linears[:-1]:
            a = self.activation(linear(a))
        return self.linears[-1](a)

    def residual(self, x, t):
        u = self.forward(x, t)
        u_t = torch.autograd.grad(u, t, torch.ones_like(u), retain_graph=True, create_graph=True)[0]
        u_x = torch.autograd.grad(u, x, grad_outputs=torch.ones_like(u), retain_graph=True, create_graph=True)[0]
        u_xx = torch.autograd.grad(u_x, x, torch.ones_like(u_x), create_graph=True)[0]
        return u_t - self.lambda1 * u_xx


def model():
    torch.manual_seed(0)
    return PINN([2, 10, 10, 1])


def train(model):
    rng = np.random.default_rng(0)
    x_f, t_f = (torch.tensor(rng.uniform(0, 1, (30, 1)), requires_grad=True) for _ in range(2))
    x_0 = torch.tensor(rng.uniform(0, 1, (20, 1)))
    u_0 = torch.sin(np.pi * x_0)
    t_b = torch.tensor(rng.uniform(0, 1, (10, 1)))
    mse, losses = nn.MSELoss(), []

    def loss_fn():
        start = mse(model(x_0, torch.zeros_like(x_0)), u_0)
        edges = (
            mse(model(torch.zeros_like(t_b), t_b), torch.zeros_like(t_b))
            + model(torch.ones_like(t_b), t_b).pow(2).mean()
        )
        return start + edges + model.residual(x_f, t_f).square().mean()

    adam = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(5):
        adam.zero_grad()
        loss = loss_fn()
        loss.backward()
        adam.step()
        losses.append(loss.detach().clone())
    lbfgs = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=6, history_size=5, line_search_fn="strong_wolfe")

    def closure():
        lbfgs.zero_grad()
        loss = loss_fn()
        loss.backward()
        losses.append(loss.detach().clone())
        return loss

    lbfgs.step(closure)
    with torch.no_grad():
        grid = torch.linspace(0, 1, 4).view(-1, 1)
        return losses, model(grid, torch.full_like(grid, 0.3))
