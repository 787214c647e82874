"""A word-level language model with a tied decoder, truncated backpropagation, and updates written by hand."""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class RNNModel(nn.Module):
    """Container module with an encoder, a recurrent module, and a decoder."""

    def __init__(self, rnn_type, ntoken, ninp, nhid, nlayers, dropout=0.0, tie_weights=False):
        super().__init__()
        self.ntoken = ntoken
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        if rnn_type in ["LSTM", "GRU"]:
            self.rnn = getattr(nn, rnn_type)(ninp, nhid, nlayers, dropout=dropout)
        else:
            nonlinearity = {"RNN_TANH": "tanh", "RNN_RELU": "relu"}[rnn_type]
            self.rnn = nn.RNN(ninp, nhid, nlayers, nonlinearity=nonlinearity, dropout=dropout)
        self.decoder = nn.Linear(nhid, ntoken)
        if tie_weights:
            if nhid != ninp:
                raise ValueError("When using the tied flag, nhid must be equal to emsize")
            self.decoder.weight = self.encoder.weight
        self.init_weights()
        self.nhid, self.nlayers = nhid, nlayers

    def init_weights(self):
        initrange = 0.1
        nn.init.uniform_(self.encoder.weight, -initrange, initrange)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, input, hidden):
        emb = self.drop(self.encoder(input))
        output, hidden = self.rnn(emb, hidden)
        decoded = self.decoder(self.drop(output)).view(-1, self.ntoken)
        return F.log_softmax(decoded, dim=1), hidden

    def init_hidden(self, bsz):
        weight = next(self.parameters())
        return weight.new_zeros(self.nlayers, bsz, self.nhid)


def repackage_hidden(h):
    """Wraps hidden states in new Tensors, to detach them from their history."""
    if isinstance(h, torch.Tensor):
        return h.detach()
    return tuple(repackage_hidden(v) for v in h)


def batchify(data, bsz):
    nbatch = data.size(0) // bsz
    data = data.narrow(0, 0, nbatch * bsz)
    return data.view(bsz, -1).t().contiguous()


def get_batch(source, i, bptt=6):
    seq_len = min(bptt, len(source) - 1 - i)
    return source[i : i + seq_len], source[i + 1 : i + 1 + seq_len].view(-1)


def model():
    torch.manual_seed(1111)
    return RNNModel("RNN_TANH", 15, 10, 10, 2, tie_weights=True)


def train(model):
    rng = np.random.default_rng(1111)
    corpus = batchify(torch.from_numpy((rng.zipf(1.5, 125) - 1) % 15), 4)
    criterion = nn.NLLLoss()
    lr, best_val_loss, log = 2.0, None, []
    for _ in range(2):
        model.train()
        hidden = model.init_hidden(4)
        for i in range(0, corpus.size(0) - 1, 6):
            data, targets = get_batch(corpus, i)
            model.zero_grad()
            hidden = repackage_hidden(hidden)
            output, hidden = model(data, hidden)
            loss = criterion(output, targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
            for p in model.parameters():
                p.data.add_(p.grad, alpha=-lr)
            log.append(loss.item())
        if best_val_loss is None or log[-1] < best_val_loss:
            best_val_loss = log[-1]
        else:
            lr /= 4.0
        log.append(math.exp(log[-1]))
    model.eval()
    with torch.no_grad():
        word, hidden = corpus[:1, :1], model.init_hidden(1)
        for _ in range(5):
            output, hidden = model(word, hidden)
            word_weights = output.squeeze().div(0.8).exp().cpu()
            word.fill_(int(word_weights.argmax()))
            log.append(word_weights.max().item())
    return log
