"""A character LSTM that learns a sentence by heart, with one_hot, CrossEntropyLoss and CosineAnnealingLR."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

text = "the quick brown fox jumps over the lazy dog and runs away"
chars = tuple(sorted(set(text)))
int2char = dict(enumerate(chars))
char2int = {ch: ii for ii, ch in int2char.items()}
encoded = np.array([char2int[ch] for ch in text])


class CharRNN(nn.Module):
    def __init__(self, tokens, n_hidden=16, n_layers=2, drop_prob=0.0):
        super().__init__()
        self.n_layers, self.n_hidden = n_layers, n_hidden
        self.chars = tokens
        self.lstm = nn.LSTM(len(self.chars), n_hidden, n_layers, dropout=drop_prob, batch_first=True)
        self.dropout = nn.Dropout(drop_prob)
        self.fc = nn.Linear(n_hidden, len(self.chars))

    def forward(self, x, hidden):
        r_output, hidden = self.lstm(x, hidden)
        out = self.dropout(r_output)
        out = out.contiguous().view(-1, self.n_hidden)
        return self.fc(out), hidden

    def init_hidden(self, batch_size):
        weight = next(self.parameters()).data
        return (
            weight.new(self.n_layers, batch_size, self.n_hidden).zero_(),
            weight.new(self.n_layers, batch_size, self.n_hidden).zero_(),
        )


def get_batches(arr, batch_size, seq_length):
    n_batches = (len(arr) - 1) // (batch_size * seq_length)
    span = n_batches * batch_size * seq_length
    x, y = arr[:span].reshape((batch_size, -1)), arr[1 : span + 1].reshape((batch_size, -1))
    for n in range(0, x.shape[1], seq_length):
        yield x[:, n : n + seq_length], y[:, n : n + seq_length]


def one_hot(x, net):
    return F.one_hot(torch.from_numpy(x), num_classes=len(net.chars)).to(net.fc.weight.dtype)


def predict(net, char, h, top_k=3):
    inputs = one_hot(np.array([[char2int[char]]]), net)
    h = tuple([each.data for each in h])
    out, h = net(inputs, h)
    p = F.softmax(out, dim=1).data
    p, top_ch = p.topk(top_k)
    return int2char[top_ch.numpy().squeeze()[0].item()], p.numpy().squeeze(), h


def model():
    torch.manual_seed(12)
    return CharRNN(chars)


def train(net):
    opt = torch.optim.Adam(net.parameters(), lr=0.02, amsgrad=True)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=8)
    criterion = nn.CrossEntropyLoss()
    losses = []
    for _ in range(4):
        net.train()
        h = net.init_hidden(4)
        for x, y in get_batches(encoded, 4, 7):
            inputs, targets = one_hot(x, net), torch.from_numpy(y)
            h = tuple([each.data for each in h])
            net.zero_grad()
            output, h = net(inputs, h)
            loss = criterion(output, targets.reshape(-1).long())
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 5)
            opt.step()
            losses.append(loss.item())
        scheduler.step()
    net.eval()
    h, char, probabilities = net.init_hidden(1), "t", []
    for _ in range(6):
        char, p, h = predict(net, char, h)
        probabilities.append(p.tolist())
    return losses, probabilities, char2int[char]
