"""Denoising diffusion of points in the plane: a schedule of noise, sinusoidal times, ancestral sampling, an EMA."""

import copy

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class SinusoidalEmbedding(nn.Module):
    def __init__(self, size: int, scale: float = 1.0):
        super().__init__()
        self.size, self.scale = size, scale

    def forward(self, x: torch.Tensor):
        half_size = self.size // 2
        emb = torch.log(torch.Tensor([10000.0]).to(x.device)) / (half_size - 1)
        emb = torch.exp(-emb * torch.arange(half_size).to(x.device)).double()
        emb = (x * self.scale).unsqueeze(-1) * emb.unsqueeze(0)
        return torch.cat((torch.sin(emb), torch.cos(emb)), dim=-1)


class Block(nn.Module):
    def __init__(self, size: int):
        super().__init__()
        self.ff = nn.Linear(size, size)
        self.act = nn.SiLU()

    def forward(self, x: torch.Tensor):
        return x + self.act(self.ff(x))


class Denoiser(nn.Module):
    def __init__(self, hidden_size: int = 16, hidden_layers: int = 2, emb_size: int = 8):
        super().__init__()
        self.time_mlp = SinusoidalEmbedding(emb_size)
        layers = [nn.Linear(2 + emb_size, hidden_size), nn.Mish()]
        for _ in range(hidden_layers):
            layers.append(Block(hidden_size))
        layers.append(nn.Linear(hidden_size, 2))
        self.joint_mlp = nn.Sequential(*layers)

    def forward(self, x, t):
        return self.joint_mlp(torch.cat((x, self.time_mlp(t)), dim=-1))


class NoiseScheduler:
    def __init__(self, num_timesteps=20, beta_start=0.0001, beta_end=0.2):
        self.num_timesteps = num_timesteps
        self.betas = torch.linspace(beta_start**0.5, beta_end**0.5, num_timesteps) ** 2
        self.alphas = 1.0 - self.betas
        self.alphas_cumprod = torch.cumprod(self.alphas, axis=0)
        self.alphas_cumprod_prev = F.pad(self.alphas_cumprod[:-1], (1, 0), value=1.0)
        self.variance = self.betas * (1.0 - self.alphas_cumprod_prev) / (1.0 - self.alphas_cumprod)
        self.variance.clamp_(min=1e-20)

    def add_noise(self, x_start, x_noise, timesteps):
        s1 = self.alphas_cumprod[timesteps].sqrt().reshape(-1, 1)
        s2 = (1 - self.alphas_cumprod[timesteps]).sqrt().reshape(-1, 1)
        return s1 * x_start + s2 * x_noise

    def step(self, model_output, t, sample, noise):
        coefficient = self.betas[t] / torch.sqrt(1 - self.alphas_cumprod[t])
        mean = torch.rsqrt(self.alphas[t]) * (sample - coefficient * model_output)
        return mean if t == 0 else torch.addcmul(mean, self.variance[t].sqrt(), noise)

    def __len__(self):
        return self.num_timesteps


class EMA:
    def __init__(self, model, decay):
        self.module, self.decay = copy.deepcopy(model).eval().requires_grad_(False), decay

    @torch.no_grad()
    def update(self, model):
        for ema_v, model_v in zip(self.module.state_dict().values(), model.state_dict().values()):
            ema_v.copy_(self.decay * ema_v + (1.0 - self.decay) * model_v)


def model():
    torch.manual_seed(10)
    return Denoiser()


def train(net):
    rng = np.random.default_rng(10)
    noise_scheduler, ema = NoiseScheduler(), EMA(net, 0.8)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
    losses = []
    for _ in range(5):
        angles = rng.uniform(0, 2 * np.pi, 32)
        batch = torch.tensor(np.stack([np.cos(angles), np.sin(angles)], axis=1))
        noise = torch.tensor(rng.standard_normal(batch.shape))
        timesteps = torch.tensor(rng.integers(0, len(noise_scheduler), batch.shape[0])).long()
        noisy = noise_scheduler.add_noise(batch, noise, timesteps)
        loss = F.mse_loss(net(noisy, timesteps), noise)
        loss.backward(loss.new_ones(()))
        nn.utils.clip_grad_norm_(net.parameters(), 1.0, norm_type=2)
        optimizer.step()
        optimizer.zero_grad()
        ema.update(net)
        losses.append(loss.detach().item())
    sample = torch.tensor(rng.standard_normal((8, 2)))
    for t in reversed(range(len(noise_scheduler))):
        with torch.no_grad():
            residual = ema.module(sample, torch.from_numpy(np.repeat(t, 8)).long())
        sample = noise_scheduler.step(residual, t, sample, torch.tensor(rng.standard_normal((8, 2))))
    return losses, sample.numpy().tolist()
