"""A vision transformer: patches by a strided convolution, a class token, nn.MultiheadAttention, OneCycleLR."""

from functools import partial
from typing import Callable

import numpy as np
import torch
from torch import nn


class MLPBlock(nn.Sequential):
    def __init__(self, in_dim: int, mlp_dim: int):
        super().__init__(nn.Linear(in_dim, mlp_dim), nn.GELU(), nn.Linear(mlp_dim, in_dim), nn.Dropout(0.0))
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.xavier_uniform_(m.weight)
                nn.init.normal_(m.bias, std=1e-6)


class EncoderBlock(nn.Module):
    def __init__(self, num_heads: int, hidden_dim: int, norm_layer: Callable[..., torch.nn.Module]):
        super().__init__()
        self.ln_1 = norm_layer(hidden_dim)
        self.self_attention = nn.MultiheadAttention(hidden_dim, num_heads, dropout=0.0, batch_first=True)
        self.ln_2 = norm_layer(hidden_dim)
        self.mlp = MLPBlock(hidden_dim, 2 * hidden_dim)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        torch._assert(input.dim() == 3, f"Expected (batch_size, seq_length, hidden_dim) got {input.shape}")
        x = self.ln_1(input)
        x, _ = self.self_attention(x, x, x, need_weights=False)
        x = x + input
        return x + self.mlp(self.ln_2(x))


class VisionTransformer(nn.Module):
    def __init__(self, image_size=12, patch_size=4, num_layers=2, num_heads=2, hidden_dim=12, num_classes=4):
        super().__init__()
        self.conv_proj = nn.Conv2d(3, hidden_dim, kernel_size=patch_size, stride=patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, hidden_dim))
        seq_length = (image_size // patch_size) ** 2 + 1
        self.pos_embedding = nn.Parameter(torch.empty(1, seq_length, hidden_dim).normal_(std=0.02))
        norm_layer = partial(nn.LayerNorm, eps=1e-6)
        blocks = [EncoderBlock(num_heads, hidden_dim, norm_layer) for _ in range(num_layers)]
        self.layers = nn.Sequential(*blocks, norm_layer(hidden_dim))
        self.head = nn.Linear(hidden_dim, num_classes)
        nn.init.trunc_normal_(self.conv_proj.weight, std=0.1)
        nn.init.zeros_(self.conv_proj.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n = x.shape[0]
        x = self.conv_proj(x).flatten(2).permute(0, 2, 1)
        batch_class_token = self.class_token.expand(n, -1, -1)
        x = torch.cat([batch_class_token, x], dim=1) + self.pos_embedding
        return self.head(self.layers(x)[:, 0])


def model():
    torch.manual_seed(77)
    return VisionTransformer()


def train(net: nn.Module):
    rng = np.random.default_rng(77)
    imgs = torch.from_numpy(rng.standard_normal((8, 3, 12, 12)))
    imgs[:, :, 4:8, 4:8] += 1.0
    labels = torch.from_numpy(rng.integers(0, 4, 8))
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.NAdam(net.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, epochs=2, steps_per_epoch=2)
    accumulated = []
    for _ in range(2):
        for x, y in zip(imgs.chunk(2), labels.chunk(2)):
            if len(accumulated) > 2:
                x = torch.flip(x, dims=[3])  # a horizontal flip as augmentation
            loss = criterion(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            accumulated += [loss.item(), scheduler.get_last_lr()[0]]
    net.eval()
    with torch.no_grad():
        x = net.conv_proj(imgs).flatten(2).transpose(1, 2)
        block = net.layers[0]
        _, attention = block.self_attention(*[block.ln_1(x)] * 3, average_attn_weights=False)
    return accumulated, net(imgs).softmax(dim=1), attention
