"""A VGG made from a list of numbers and letters, with Adamax and ReduceLROnPlateau."""

import math

import numpy as np
import torch
import torch.nn as nn

cfg = {"A": [8, "M", 12, "M", 16, 16, "M"], "B": [4, 4, "M", 8, 8, "M"]}


class VGG(nn.Module):
    def __init__(self, features, num_classes=4):
        super(VGG, self).__init__()
        self.features = features
        self.classifier = nn.Sequential(
            nn.Linear(16 * 2 * 2, 32),
            nn.ReLU(True),
            nn.Dropout(0.0),
            nn.Linear(32, num_classes),
        )
        self._initialize_weights()

    def forward(self, x):
        x = self.features(x)
        x = x.view(x.size(0), -1)
        x = self.classifier(x)
        return x

    def _initialize_weights(self):
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                n = m.kernel_size[0] * m.kernel_size[1] * m.out_channels
                m.weight.data.normal_(0, math.sqrt(2.0 / n))
                if m.bias is not None:
                    m.bias.data.zero_()
            elif isinstance(m, nn.Linear):
                m.weight.data.normal_(0, 0.05)
                m.bias.data.zero_()


def make_layers(cfg, in_channels=3):
    layers = []
    for v in cfg:
        if v == "M":
            layers += [nn.MaxPool2d(kernel_size=2, stride=2)]
        else:
            layers += [nn.Conv2d(in_channels, v, kernel_size=3, padding=1), nn.ReLU(inplace=True)]
            in_channels = v
    return nn.Sequential(*layers)


def model():
    torch.manual_seed(11)
    return VGG(make_layers(cfg["A"]))


def train(net):
    rng = np.random.default_rng(11)
    x = torch.from_numpy(rng.uniform(size=(12, 3, 16, 16)))
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x.sub_(mean[:, None, None]).div_(std[:, None, None])
    y = torch.from_numpy(rng.integers(0, 4, 12))
    optimizer = torch.optim.Adamax(net.parameters(), lr=0.01, betas=(0.9, 0.99))
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="min", factor=0.5, patience=0)
    criterion = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5, 1.0]))
    meters = []
    for _ in range(4):
        net.train()
        total = 0.0
        for batch, target in zip(torch.chunk(x, 3), torch.chunk(y, 3)):
            output = net(batch)
            loss = criterion(output, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach().cpu().numpy()
        scheduler.step(total)
        meters.append((float(total), optimizer.param_groups[0]["lr"]))
    net.eval()
    with torch.no_grad():
        output = net(x)
        _, pred = output.topk(2, 1)
        correct = pred.t().eq(y.view(1, -1).expand_as(pred.t()))
        precision = [correct[:k].reshape(-1).float().sum(0).mul_(100.0 / 12).item() for k in (1, 2)]
    return meters, precision, sum(p.numel() for p in net.parameters())
