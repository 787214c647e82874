"""Logistic regression on two Gaussian clouds, with a module class, BCEWithLogitsLoss and weight decay."""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.autograd import Variable


class LogisticRegression(nn.Module):
    def __init__(self, input_size, num_classes=1):
        super(LogisticRegression, self).__init__()
        self.linear = nn.Linear(input_size, num_classes)

    def forward(self, x):
        out = self.linear(x)
        return out


def clouds(seed=1, n=64):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    points = rng.standard_normal((n, 4)) + 1.5 * labels[:, None]
    return torch.from_numpy(points), torch.from_numpy(labels).view(-1, 1)


def model():
    torch.manual_seed(3)
    net = LogisticRegression(4)
    torch.nn.init.xavier_uniform_(net.linear.weight)
    net.linear.bias.data.fill_(0.01)
    return net


def train(model):
    criterion = nn.BCEWithLogitsLoss(reduction="mean", pos_weight=torch.tensor([1.5]))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3)
    points, labels = clouds()
    points, targets = Variable(points), Variable(labels.to(points.dtype))
    history = []
    num_epochs = 5
    for epoch in range(num_epochs):
        running_loss, correct, total = 0.0, 0, 0
        for i in range(0, points.size(0), 16):
            inputs, y = points[i : i + 16], targets[i : i + 16]
            optimizer.zero_grad()
            outputs = model(inputs)
            loss = criterion(outputs, y)
            loss.backward()
            optimizer.step()
            running_loss += loss.data.item() * inputs.size(0)
            predicted = (torch.sigmoid(outputs.data) > 0.5).long()
            total += y.size(0)
            correct += (predicted == y.long()).sum().item()
        history.append(running_loss / len(points))
        history.append(100.0 * correct / total)
        if epoch > 0 and history[-2] > 1e3:
            raise RuntimeError("diverged")
    with torch.no_grad():
        test_points, test_labels = clouds(seed=2, n=32)
        scores = model(test_points).squeeze(1)
        probabilities = scores.sigmoid()
        prediction = torch.where(probabilities >= 0.5, 1, 0)
        accuracy = prediction.eq(test_labels.view_as(prediction)).double().mean()
    return history, probabilities.tolist(), float(accuracy)
