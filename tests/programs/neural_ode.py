"""A neural ordinary differential equation: a spiral's field is learned through unrolled Runge-Kutta steps."""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim


def rk4_step(func, t, dt, y):
    k1 = func(t, y)
    k2 = func(t + dt / 2, y + dt * k1 / 2)
    k3 = func(t + dt / 2, y + dt * k2 / 2)
    k4 = func(t + dt, y + dt * k3)
    return (k1 + 2 * k2 + 2 * k3 + k4) * dt / 6


def odeint(func, y0: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    solution = torch.empty(len(t), *y0.shape, dtype=y0.dtype, device=y0.device)
    solution[0] = y0
    for j, (t0, t1) in enumerate(zip(t[:-1], t[1:]), 1):
        y0 = y0 + rk4_step(func, t0, t1 - t0, y0)
        solution[j] = y0
    return solution


class Lambda(nn.Module):
    true_A = torch.tensor([[-0.1, 2.0], [-2.0, -0.1]], dtype=torch.float64)

    def forward(self, t, y):
        return torch.mm(y**3, self.true_A)


class ODEFunc(nn.Module):
    def __init__(self):
        super(ODEFunc, self).__init__()
        self.net = nn.Sequential(nn.Linear(2, 12), nn.Tanh(), nn.Linear(12, 2))
        self.nfe = 0
        for m in self.net.modules():
            if isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, mean=0, std=0.1)
                nn.init.constant_(m.bias, val=0)

    def forward(self, t, y):
        self.nfe += 1
        return self.net(y**3) + 0 * t


class RunningAverageMeter(object):
    """Computes and stores the average and current value"""

    def __init__(self, momentum=0.99):
        self.momentum = momentum
        self.val, self.avg = None, 0

    def update(self, val):
        self.avg = val if self.val is None else self.avg * self.momentum + val * (1 - self.momentum)
        self.val = val


def model():
    torch.manual_seed(30)
    return ODEFunc()


def train(func):
    rng = np.random.default_rng(30)
    true_y0 = torch.tensor([[1.5, 0.0]])
    t = torch.linspace(0.0, 2.0, 41)
    with torch.no_grad():
        true_y = odeint(Lambda(), true_y0, t)
    optimizer = optim.RMSprop(func.parameters(), lr=1e-2)
    loss_meter, log = RunningAverageMeter(0.97), []
    for _ in range(4):
        optimizer.zero_grad()
        s = torch.from_numpy(rng.choice(np.arange(41 - 5, dtype=np.int64), 6, replace=False))
        batch_y0, batch_t = true_y[s], t[:5]  # (M, 1, D), (T)
        batch_y = torch.stack([true_y[s + i] for i in range(5)], dim=0)  # (T, M, 1, D)
        pred_y = odeint(func, batch_y0, batch_t)
        loss = torch.mean(torch.abs(pred_y - batch_y))
        loss.backward()
        optimizer.step()
        loss_meter.update(loss.item())
        log.append((loss.item(), loss_meter.avg, func.nfe))
    with torch.no_grad():
        pred_y = odeint(func, true_y0, t)
    y0 = true_y0.clone().requires_grad_()
    (sensitivity,) = torch.autograd.grad(odeint(func, y0, t[:6])[-1].norm(), y0)
    return log, pred_y[::10], sensitivity
