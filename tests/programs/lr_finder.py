"""A learning rate range test: the state is saved, rates grow exponentially, and all is restored; then CyclicLR."""

import copy
import io

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import CyclicLR, LambdaLR, SequentialLR, _LRScheduler
from torch.utils.data import DataLoader, TensorDataset, random_split


class ExponentialRange(_LRScheduler):
    def __init__(self, optimizer, end_lr, num_iter, last_epoch=-1):
        self.end_lr = end_lr
        self.num_iter = num_iter
        super(ExponentialRange, self).__init__(optimizer, last_epoch)

    def get_lr(self):
        r = self.last_epoch / (self.num_iter - 1)
        return [base_lr * (self.end_lr / base_lr) ** r for base_lr in self.base_lrs]


class LRFinder:
    def __init__(self, model, optimizer, criterion):
        self.model, self.optimizer, self.criterion = model, optimizer, criterion
        self.history, self.best_loss = {"lr": [], "loss": []}, None
        self.buffer = io.BytesIO()
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, self.buffer)
        self.memory = copy.deepcopy(model.state_dict())

    def range_test(self, loader, end_lr=2.0, num_iter=12, smooth_f=0.05, diverge_th=5):
        schedule = ExponentialRange(self.optimizer, end_lr, num_iter)
        iterator = iter(loader)
        for iteration in range(num_iter):
            try:
                inputs, labels = next(iterator)
            except StopIteration:
                iterator = iter(loader)
                inputs, labels = next(iterator)
            self.model.train()
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(inputs), labels)
            loss.backward()
            self.optimizer.step()
            self.history["lr"].append(schedule.get_last_lr()[0])
            schedule.step()
            loss = loss.item()
            if iteration == 0:
                self.best_loss = loss
            else:
                loss = smooth_f * loss + (1 - smooth_f) * self.history["loss"][-1]
                self.best_loss = min(self.best_loss, loss)
            self.history["loss"].append(loss)
            if loss > diverge_th * self.best_loss:
                break

    def reset(self):
        self.buffer.seek(0)
        checkpoint = torch.load(self.buffer, map_location="cpu")
        self.model.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        return all(torch.equal(a, b) for a, b in zip(self.model.state_dict().values(), self.memory.values()))

    def suggestion(self):
        return self.history["lr"][int(np.gradient(np.array(self.history["loss"])).argmin())]


def model():
    torch.manual_seed(31)
    return nn.Sequential(nn.Linear(6, 10), nn.BatchNorm1d(10), nn.ReLU6(), nn.Linear(10, 2))


def train(net):
    rng = np.random.default_rng(31)
    x = torch.tensor(rng.standard_normal((48, 6)))
    dataset = TensorDataset(x, (x.square().sum(1) > 5).long())
    pieces = random_split(dataset, [40, 8], generator=torch.Generator().manual_seed(0))
    sizes = [len(piece) for piece in pieces]
    loader = DataLoader(dataset, batch_size=12, pin_memory=False)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    finder = LRFinder(net, optimizer, nn.CrossEntropyLoss())
    finder.range_test(loader)
    restored = finder.reset()
    best = finder.suggestion()
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] = best / 4
    warmup = LambdaLR(optimizer, lambda step: (step + 1) / 4)
    cyclic = CyclicLR(optimizer, base_lr=best / 4, max_lr=best, step_size_up=2, mode="triangular2")
    scheduler = SequentialLR(optimizer, [warmup, cyclic], milestones=[3])
    losses = []
    for inputs, labels in [*loader, *loader]:
        optimizer.zero_grad()
        loss = finder.criterion(net(inputs), labels)
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses += [loss.item(), optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]]
    return list(finder.history.values()), float(restored), best, losses, sizes
