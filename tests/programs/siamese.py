"""A siamese network with shared weights: contrastive and triplet losses, pairwise distances, cosine similarity."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, Dataset


class SiameseNetworkDataset(Dataset):
    def __init__(self, seed, length=24):
        rng = np.random.default_rng(seed)
        self.faces = rng.standard_normal((4, 1, 8, 8))
        self.who = rng.integers(0, 4, (length, 2))
        self.who[::2, 1] = self.who[::2, 0]
        self.noise = 0.3 * rng.standard_normal((length, 2, 1, 8, 8))

    def __getitem__(self, index):
        first, second = self.who[index]
        img0, img1 = self.faces[first] + self.noise[index, 0], self.faces[second] + self.noise[index, 1]
        return img0, img1, torch.from_numpy(np.array([int(first != second)], dtype=np.float64))

    def __len__(self):
        return len(self.who)


class SiameseNetwork(nn.Module):
    def __init__(self):
        super(SiameseNetwork, self).__init__()
        self.cnn1 = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(1, 4, kernel_size=3),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(4),
            nn.Dropout2d(p=0.0),
            nn.ReflectionPad2d(1),
            nn.Conv2d(4, 4, kernel_size=3, stride=2),
            nn.PReLU(4),
        )
        self.fc1 = nn.Sequential(nn.Linear(4 * 4 * 4, 16), nn.ReLU(inplace=True), nn.Linear(16, 5))

    def forward_once(self, x):
        output = self.cnn1(x)
        output = output.view(output.size()[0], -1)
        return self.fc1(output)

    def forward(self, *inputs):
        return tuple(self.forward_once(x) for x in inputs)


class ContrastiveLoss(torch.nn.Module):
    def __init__(self, margin=2.0):
        super(ContrastiveLoss, self).__init__()
        self.margin = margin

    def forward(self, output1, output2, label):
        distance = F.pairwise_distance(output1, output2, keepdim=True)
        near = (1 - label) * torch.pow(distance, 2)
        far = label * torch.pow(torch.clamp(self.margin - distance, min=0.0), 2)
        return torch.mean(near + far)


def model():
    torch.manual_seed(16)
    return SiameseNetwork()


def train(net):
    dataloader = DataLoader(SiameseNetworkDataset(16), shuffle=False, num_workers=0, batch_size=8)
    criterion, triplet = ContrastiveLoss(), nn.TripletMarginLoss(margin=1.0, p=2)
    optimizer = optim.SGD(net.parameters(), lr=0.02, momentum=0.5, dampening=0.1)
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
    loss_history = []
    for epoch in range(2):
        for i, data in enumerate(dataloader, 0):
            img0, img1, label = data
            optimizer.zero_grad()
            output1, output2 = net(img0, img1)
            loss_contrastive = criterion(output1, output2, label)
            negative = output2.roll(1, 0)
            cosine = F.cosine_embedding_loss(output1, output2, 1 - 2 * label.squeeze(1), margin=0.2)
            total = loss_contrastive + 0.5 * triplet(output1, output2, negative) + 0.1 * cosine
            total.backward()
            optimizer.step()
            scheduler.step(epoch + i / len(dataloader))
            loss_history.append((loss_contrastive.item(), total.item(), scheduler.get_last_lr()[0]))
    net.eval()
    with torch.no_grad():
        output1, output2 = net(*next(iter(dataloader))[:2])
        distances = torch.cdist(output1, output2)
        similarity = F.cosine_similarity(output1, output2)
        normalized = F.normalize(output1, p=2, dim=1)
    return loss_history, distances, similarity, normalized @ normalized.t()
