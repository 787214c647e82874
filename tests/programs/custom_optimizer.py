"""Optimizers by subclassing torch.optim.Optimizer: Lion, LARS with its own scheduler, and a wrapper that looks ahead."""

import math

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import _LRScheduler
from torch.optim.optimizer import Optimizer, required


class Lion(Optimizer):
    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        if not 0.0 <= lr:
            raise ValueError("Invalid learning rate: {}".format(lr))
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                p.data.mul_(1 - group["lr"] * group["weight_decay"])
                grad, state = p.grad, self.state[p]
                if len(state) == 0:
                    state["exp_avg"] = torch.zeros_like(p)
                exp_avg, (beta1, beta2) = state["exp_avg"], group["betas"]
                update = exp_avg * beta1 + grad * (1 - beta1)
                p.add_(update.tanh(), alpha=-group["lr"])
                exp_avg.mul_(beta2).add_(grad, alpha=1 - beta2)
        return loss


class LARS(Optimizer):
    def __init__(self, params, lr=required, momentum=0.9, eta=0.01):
        super(LARS, self).__init__(params, dict(lr=lr, momentum=momentum, eta=eta))

    def __setstate__(self, state):
        super(LARS, self).__setstate__(state)

    @torch.no_grad()
    def step(self):
        for g in self.param_groups:
            for p in g["params"]:
                dp, state = p.grad, self.state[p]
                state.setdefault("step", 0)
                state["step"] += 1
                if p.ndim > 1:
                    param_norm, update_norm = torch.norm(p), torch.norm(dp)
                    one = torch.ones_like(param_norm)
                    ratio = torch.where(update_norm > 0, g["eta"] * param_norm / update_norm, one)
                    dp = dp.mul(torch.where(param_norm > 0.0, ratio, one))
                if "mu" not in state:
                    state["mu"] = torch.zeros_like(p, memory_format=torch.preserve_format)
                mu = state["mu"]
                mu.mul_(g["momentum"]).add_(dp)
                p.add_(mu, alpha=-g["lr"])


class Lookahead:
    def __init__(self, optimizer, k=2, alpha=0.5):
        self.optimizer, self.k, self.alpha, self.count = optimizer, k, alpha, 0
        self.slow = [[p.clone().detach() for p in g["params"]] for g in optimizer.param_groups]

    def step(self):
        self.optimizer.step()
        self.count += 1
        if self.count % self.k == 0:
            for group, slow in zip(self.optimizer.param_groups, self.slow):
                for p, q in zip(group["params"], slow):
                    q.data.lerp_(p.data, self.alpha)
                    p.data.copy_(q)


class WarmupCosine(_LRScheduler):
    def __init__(self, optimizer, warmup, total, last_epoch=-1):
        self.warmup, self.total = warmup, total
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self.last_epoch < self.warmup:
            return [base_lr * (self.last_epoch + 1) / self.warmup for base_lr in self.base_lrs]
        t = (self.last_epoch - self.warmup) / (self.total - self.warmup)
        return [0.5 * base_lr * (1 + math.cos(math.pi * t)) for base_lr in self.base_lrs]


def model():
    torch.manual_seed(28)
    return nn.Sequential(nn.Linear(5, 8), nn.SELU(), nn.Linear(8, 8), nn.CELU(0.5), nn.Linear(8, 1))


def train(net):
    rng = np.random.default_rng(28)
    x = torch.tensor(rng.standard_normal((40, 5)))
    y = (x[:, :2].prod(1, keepdim=True) - x[:, 2:].max(dim=1, keepdim=True)[0]).detach()
    criterion, log = nn.L1Loss(), []
    lion = Lion(
        [{"params": net[0].parameters(), "lr": 0.01}, {"params": net[2:].parameters()}], lr=0.02, weight_decay=0.1
    )
    for _ in range(4):

        def closure():
            lion.zero_grad()
            loss = criterion(net(x), y)
            loss.backward()
            return loss

        log.append(lion.step(closure).item())
    state = lion.state_dict()
    again = Lion([{"params": net[0].parameters()}, {"params": net[2:].parameters()}])
    again.load_state_dict(state)
    log += [again.param_groups[0]["lr"], len(again.state), again.state[net[0].weight]["exp_avg"].sum().item()]
    lars = LARS(net.parameters(), lr=0.5)
    lookahead, schedule = Lookahead(lars), WarmupCosine(lars, warmup=2, total=6)
    for _ in range(6):
        net.zero_grad()
        loss = criterion(net(x), y)
        loss.backward()
        lookahead.step()
        schedule.step()
        log += [loss.item(), lars.param_groups[0]["lr"]]
    return log
