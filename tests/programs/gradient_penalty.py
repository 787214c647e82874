"""A Wasserstein GAN with gradient penalty: autograd.grad with create_graph, and frozen discriminator weights."""

import numpy as np
import torch
import torch.autograd as autograd
import torch.nn as nn
from torch.autograd import Variable

LAMBDA, BATCH_SIZE, CRITIC_ITERS = 0.1, 16, 2


class Generator(nn.Module):
    def __init__(self, dim=12):
        super(Generator, self).__init__()
        main = nn.Sequential(nn.Linear(2, dim), nn.ReLU(True), nn.Linear(dim, dim), nn.ReLU(True), nn.Linear(dim, 2))
        self.main = main

    def forward(self, noise):
        return self.main(noise)


class Discriminator(nn.Module):
    def __init__(self, dim=12):
        super(Discriminator, self).__init__()
        self.main = nn.Sequential(nn.Linear(2, dim), nn.Tanh(), nn.LayerNorm(dim), nn.Linear(dim, dim), nn.Softplus())
        self.top = nn.utils.parametrizations.weight_norm(nn.Linear(dim, 1))

    def forward(self, inputs):
        return self.top(self.main(inputs)).view(-1)


def calc_gradient_penalty(netD, real_data, fake_data, rng):
    alpha = torch.from_numpy(rng.uniform(size=(BATCH_SIZE, 1)))
    alpha = alpha.expand(real_data.size())
    interpolates = alpha * real_data + ((1 - alpha) * fake_data)
    interpolates = autograd.Variable(interpolates, requires_grad=True)
    disc_interpolates = netD(interpolates)
    gradients = autograd.grad(
        outputs=disc_interpolates,
        inputs=interpolates,
        grad_outputs=torch.ones(disc_interpolates.size()),
        create_graph=True,
        retain_graph=True,
        only_inputs=True,
    )[0]
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean() * LAMBDA


def r1_penalty(netD, real):
    """The other usual one, at the data themselves."""
    real = real.detach().requires_grad_(True)
    (grad_real,) = torch.autograd.grad(netD(real).sum(), real, create_graph=True)
    return grad_real.pow(2).reshape(grad_real.shape[0], -1).sum(1).mean()


def swiss_roll(rng):
    t = 1.5 * np.pi * (1 + 2 * rng.uniform(size=BATCH_SIZE))
    data = np.stack([t * np.cos(t), t * np.sin(t)], 1) + 0.25 * rng.standard_normal((BATCH_SIZE, 2))
    return torch.Tensor(data / 7.5)


def model():
    torch.manual_seed(14)
    return nn.ModuleDict(dict(G=Generator(), D=Discriminator()))


def train(nets):
    rng = np.random.default_rng(14)
    netG, netD = nets["G"], nets["D"]
    optimizerD = torch.optim.Adam(netD.parameters(), lr=1e-2, betas=(0.5, 0.9))
    optimizerG = torch.optim.Adam(netG.parameters(), lr=1e-2, betas=(0.5, 0.9))
    log = []
    for _ in range(3):
        for p in netD.parameters():
            p.requires_grad = True
        for _ in range(CRITIC_ITERS):
            real_data = Variable(swiss_roll(rng))
            netD.zero_grad()
            D_real = netD(real_data).mean()
            (-D_real).backward()
            noise = torch.from_numpy(rng.standard_normal((BATCH_SIZE, 2)))
            with torch.no_grad():
                noisev = noise
            fake = Variable(netG(noisev).data)
            D_fake = netD(fake).mean()
            D_fake.backward()
            gradient_penalty = calc_gradient_penalty(netD, real_data.data, fake.data, rng)
            (gradient_penalty + 0.01 * r1_penalty(netD, real_data)).backward()
            wasserstein = D_real - D_fake
            optimizerD.step()
            log.append([gradient_penalty.item(), wasserstein.item()])
        for p in netD.parameters():
            p.requires_grad = False  # to avoid computation
        netG.zero_grad()
        G = -netD(netG(torch.from_numpy(rng.standard_normal((BATCH_SIZE, 2))))).mean()
        G.backward()
        optimizerG.step()
        log.append([G.item(), 0.0])
    return log
