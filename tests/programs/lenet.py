"""LeNet on pictures of bars, in the style of the first MNIST example: relu, max_pool2d, log_softmax and nll_loss."""

from __future__ import print_function

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Dataset


class Bars(Dataset):
    """Noisy pictures of one horizontal or vertical bar: the class is the bar."""

    def __init__(self, length, seed, transform=None):
        rng = np.random.default_rng(seed)
        self.targets = rng.integers(0, 10, length)
        self.data = 0.2 * rng.standard_normal((length, 28, 28))
        for image, target in zip(self.data, self.targets):
            side = slice(5 * (target // 2) + 2, 5 * (target // 2) + 5)
            image[(side, slice(None)) if target % 2 else (slice(None), side)] += 1
        self.transform = transform

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        image = torch.from_numpy(self.data[index]).unsqueeze(0)
        if self.transform is not None:
            image = self.transform(image)
        return image, int(self.targets[index])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=5, padding=2)
        self.conv2 = nn.Conv2d(6, 12, kernel_size=5)
        self.conv2_drop = nn.Dropout2d(p=0.0)
        self.fc1 = nn.Linear(300, 40)
        self.fc2 = nn.Linear(40, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2_drop(self.conv2(x)), 2))
        x = x.view(-1, self.num_flat_features(x))
        x = F.relu(self.fc1(x))
        x = F.dropout(x, p=0.0, training=self.training)
        x = self.fc2(x)
        return F.log_softmax(x, dim=1)

    def num_flat_features(self, x):
        size = x.size()[1:]
        num_features = 1
        for s in size:
            num_features *= s
        return num_features


def model():
    torch.manual_seed(1)
    return Net()


def test(model, device, test_loader):
    model.eval()
    test_loss = 0
    correct = 0
    with torch.no_grad():
        for data, target in test_loader:
            data, target = data.to(device), target.to(device)
            output = model(data)
            test_loss += F.nll_loss(output, target, reduction="sum").item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
    return test_loss / len(test_loader.dataset), correct


def train(model):
    device = torch.device("cpu")
    model.to(device)
    normalize = lambda image: (image - 0.1307) / 0.3081  # noqa: E731
    train_loader = DataLoader(Bars(48, 0, normalize), batch_size=16, shuffle=False, drop_last=True)
    test_loader = DataLoader(Bars(16, 1, normalize), batch_size=8)
    optimizer = optim.Adadelta(model.parameters(), lr=1.0)
    scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
    log = []
    for _ in range(1, 3):
        model.train()
        for _batch_idx, (data, target) in enumerate(train_loader):
            data, target = data.to(device), target.to(device)
            optimizer.zero_grad()
            output = model(data)
            loss = F.nll_loss(output, target)
            loss.backward()
            optimizer.step()
            log.append(loss.item())
        scheduler.step()
        log.extend(test(model, device, test_loader))
        log.append(scheduler.get_last_lr()[0])
    return log
