"""Low-rank adaptation of a frozen network: wrapped linear layers, a parametrized one, merged at the end."""

import math
from typing import Optional

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils import parametrize


class LoRALinear(nn.Module):
    def __init__(self, base: nn.Linear, r: int = 2, lora_alpha: int = 4, dropout: Optional[float] = None):
        super().__init__()
        self.base_layer = base
        self.lora_A = nn.Parameter(base.weight.new_zeros((r, base.in_features)))
        self.lora_B = nn.Parameter(base.weight.new_zeros((base.out_features, r)))
        self.scaling = lora_alpha / r
        self.merged = False
        self.lora_dropout = nn.Dropout(p=dropout) if dropout else nn.Identity()
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        for p in self.base_layer.parameters():
            p.requires_grad = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result = self.base_layer(x)
        if self.merged:
            return result
        return result + (self.lora_dropout(x) @ self.lora_A.transpose(0, 1) @ self.lora_B.T) * self.scaling

    @torch.no_grad()
    def merge(self):
        self.base_layer.weight += self.lora_B @ self.lora_A * self.scaling
        self.merged = True


class LowRank(nn.Module):
    """As a parametrization of an existing weight."""

    def __init__(self, features_in, features_out, rank=1):
        super().__init__()
        self.lora_A = nn.Parameter(torch.zeros((rank, features_out)))
        self.lora_B = nn.Parameter(torch.zeros((features_in, rank)))
        nn.init.normal_(self.lora_A, mean=0, std=1)

    def forward(self, original_weights):
        return original_weights + torch.matmul(self.lora_B, self.lora_A).view(original_weights.shape)


def replace_linears(module: nn.Module, names):
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Linear) and name in names:
            setattr(module, name, LoRALinear(child, dropout=None))
        else:
            replace_linears(child, names)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.ModuleDict({"up": nn.Linear(6, 16), "down": nn.Linear(16, 6)})
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        x = x + self.encoder["down"](F.gelu(self.encoder["up"](x)))
        return self.head(F.rms_norm(x, (x.shape[-1],)))


def model():
    torch.manual_seed(24)
    net = Classifier()
    replace_linears(net, {"up", "down"})
    parametrize.register_parametrization(net.head, "weight", LowRank(3, 6))
    for name, param in net.head.named_parameters():
        if "lora" not in name:
            param.requires_grad_(False)
    return net


def train(net):
    rng = np.random.default_rng(24)
    x, y = torch.from_numpy(rng.standard_normal((30, 6))), torch.from_numpy(rng.integers(0, 3, 30))
    trainable = [p for p in net.parameters() if p.requires_grad]
    frozen = {n: p.clone() for n, p in net.named_parameters() if not p.requires_grad}
    counts = [sum(p.numel() for p in trainable), sum(p.numel() for p in net.parameters())]
    optimizer = torch.optim.AdamW(trainable, lr=0.02)
    losses = []
    for _ in range(5):
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    untouched = all(torch.equal(p, frozen[n]) for n, p in net.named_parameters() if n in frozen)
    with torch.no_grad():
        before = net(x)
        for m in net.modules():
            if isinstance(m, LoRALinear):
                m.merge()
        same = torch.allclose(net(x), before, atol=1e-10)
    return losses, counts, float(untouched), float(same), before
