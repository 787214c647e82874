"""A variational autoencoder: the reparametrization trick with noise from NumPy, BCE and KL divergence."""

import numpy as np
import torch
import torch.utils.data
from torch import nn, optim
from torch.nn import functional as F

ZDIM = 3


class VAE(nn.Module):
    def __init__(self):
        super(VAE, self).__init__()
        self.fc1 = nn.Linear(36, 20)
        self.fc21 = nn.Linear(20, ZDIM)
        self.fc22 = nn.Linear(20, ZDIM)
        self.fc3 = nn.Linear(ZDIM, 20)
        self.fc4 = nn.Linear(20, 36)
        self.noise = np.random.default_rng(0)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.from_numpy(self.noise.standard_normal(tuple(std.shape))).type_as(std)
        return eps.mul(std).add_(mu)

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 36))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, x.view(-1, 36), reduction="sum")
    # 0.5 * sum(1 + log(sigma^2) - mu^2 - sigma^2)
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


def model():
    torch.manual_seed(1)
    return VAE()


def train(model):
    rng = np.random.default_rng(3)
    pictures = torch.from_numpy((rng.uniform(size=(40, 1, 6, 6)) < np.linspace(0.1, 0.9, 6)).astype(np.float64))
    loader = torch.utils.data.DataLoader(pictures, batch_size=10)
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    averages = []
    for _ in range(1, 4):
        model.train()
        train_loss = 0
        for data in loader:
            optimizer.zero_grad()
            recon_batch, mu, logvar = model(data)
            loss = loss_function(recon_batch, data, mu, logvar)
            loss.backward()
            train_loss += loss.item()
            optimizer.step()
        averages.append(train_loss / len(loader.dataset))
    model.eval()
    with torch.no_grad():
        sample = torch.tensor(rng.standard_normal((4, ZDIM)))
        sample = model.decode(sample).cpu()
        n = min(pictures.size(0), 8)
        comparison = torch.cat([pictures[:n], model(pictures)[0].view(-1, 1, 6, 6)[:n]])
    return averages, sample.view(4, 1, 6, 6), comparison
