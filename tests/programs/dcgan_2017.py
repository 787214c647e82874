"""A convolutional GAN in the manner of the first year: Variables, buffers refilled through `.data`, a hand-made step."""

from __future__ import division, print_function

import numpy as np
import torch
import torch.nn as nn
import torch.nn.parallel
import torch.optim as optim
from torch.autograd import Variable

nz, ngf, ndf, batchSize = 4, 4, 4, 6


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:
        m.weight.data.normal_(0.0, 0.2)
    elif classname.find("BatchNorm") != -1:
        m.weight.data.normal_(1.0, 0.02)
        m.bias.data.fill_(0)


class _netG(nn.Module):
    def __init__(self, ngpu):
        super(_netG, self).__init__()
        self.ngpu = ngpu
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, ngf * 2, 4, 1, 0, bias=False),
            nn.BatchNorm2d(ngf * 2),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 2, 1, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, input):
        if isinstance(input.data, torch.cuda.FloatTensor) and self.ngpu > 1:
            return nn.parallel.data_parallel(self.main, input, range(self.ngpu))
        return self.main(input)


class _netD(nn.Module):
    def __init__(self):
        super(_netD, self).__init__()
        self.main = nn.Sequential(
            nn.Conv2d(1, ndf, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf, 1, 4, 1, 0, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, input):
        return self.main(input).view(-1, 1).squeeze(1)


def model():
    torch.manual_seed(0)
    return nn.ModuleList([_netG(1).apply(weights_init), _netD().apply(weights_init)])


def train(model):
    netG, netD = model
    rng = np.random.RandomState(0)
    criterion = nn.BCELoss()
    input = Variable(torch.zeros(batchSize, 1, 8, 8))
    noise = Variable(torch.zeros(batchSize, nz, 1, 1))
    label = Variable(torch.zeros(batchSize))
    optimizerD = optim.Adam(netD.parameters(), lr=0.02, betas=(0.5, 0.999))
    momentum, losses = [torch.zeros(p.size()) for p in netG.parameters()], []
    for _ in range(4):
        netD.zero_grad()
        real_cpu = torch.from_numpy(rng.rand(batchSize, 1, 8, 8))
        input.data.resize_(real_cpu.size()).copy_(real_cpu)
        label.data.resize_(batchSize).fill_(1)
        errD_real = criterion(netD(input), label)
        errD_real.backward()
        noise.data.copy_(torch.from_numpy(rng.randn(batchSize, nz, 1, 1)))
        fake = netG(noise)
        label.data.fill_(0)
        output = netD(fake.detach())
        errD_fake = criterion(output, label)
        errD_fake.backward()
        optimizerD.step()

        netG.zero_grad()
        label.data.fill_(1)
        errG = criterion(netD(fake), label)
        errG.backward()
        for p, m in zip(netG.parameters(), momentum):
            m.mul_(0.5).add_(p.grad.data)
            p.data.add_(m.mul(-0.05))
        losses += [(errD_real + errD_fake).item(), errG.data.cpu().numpy(), output.data.mean()]
    return losses, fake.data
