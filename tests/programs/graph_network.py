"""Graph networks by hand: message passing with index_add_, and a graph convolution with a sparse adjacency."""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.parameter import Parameter


class GraphConvolution(nn.Module):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(torch.empty(in_features, out_features))
        if bias:
            self.bias = Parameter(torch.empty(out_features))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self):
        stdv = 1.0 / math.sqrt(self.weight.size(1))
        self.weight.data.uniform_(-stdv, stdv)
        if self.bias is not None:
            self.bias.data.uniform_(-stdv, stdv)

    def forward(self, input, adj):
        support = torch.mm(input, self.weight)
        output = torch.spmm(adj, support) if adj.is_sparse else adj @ support
        return output + self.bias if self.bias is not None else output

    def __repr__(self):
        return self.__class__.__name__ + f" ({self.in_features} -> {self.out_features})"


class MessagePassing(nn.Module):
    """Edges with features: x_i' = update(x_i, mean of message(x_j, e_ij))."""

    def __init__(self, channels, edge_channels):
        super().__init__()
        self.message = nn.Sequential(nn.Linear(2 * channels + edge_channels, channels), nn.ELU())
        self.update = nn.GRUCell(channels, channels)

    def forward(self, x, edge_index, edge_attr):
        row, col = edge_index
        msg = self.message(torch.cat([x[row], x[col], edge_attr], dim=-1))
        aggregated = torch.zeros_like(x).index_add_(0, col, msg)
        degree = torch.bincount(col, minlength=x.size(0)).clamp(min=1).unsqueeze(-1)
        return self.update(aggregated / degree, x)


class Net(nn.Module):
    def __init__(self, nfeat, nhid, nclass):
        super().__init__()
        self.gc1 = GraphConvolution(nfeat, nhid)
        self.mp = MessagePassing(nhid, 2)
        self.gc2 = GraphConvolution(nhid, nclass, bias=False)
        self.readout = nn.Linear(nhid, 1)

    def forward(self, x, adj, edge_index, edge_attr, batch):
        x = F.relu(self.gc1(x, adj))
        x = F.dropout(x, 0.0, training=self.training)
        x = self.mp(x, edge_index, edge_attr)
        size = int(batch.max()) + 1
        pooled = x.new_zeros(size, x.size(1)).scatter_add(0, batch[:, None].expand_as(x), x)
        return F.log_softmax(self.gc2(x, adj.to_dense()), dim=1), self.readout(pooled).squeeze(-1)


def random_graph(rng, n=12):
    dense = np.triu(rng.uniform(size=(n, n)) < 0.3, 1)
    edge_index = torch.from_numpy(np.stack(np.nonzero(dense | dense.T)))
    loops = torch.arange(n).repeat(2, 1)
    indices = torch.cat([edge_index, loops], dim=1)
    degree = torch.zeros(n).scatter_add_(0, indices[0], torch.ones(indices.size(1)))
    values = degree.pow(-0.5)[indices[0]] * degree.pow(-0.5)[indices[1]]
    adj = torch.sparse_coo_tensor(indices, values, (n, n))
    return edge_index, adj


def model():
    torch.manual_seed(15)
    return Net(5, 8, 3)


def train(net):
    rng = np.random.default_rng(15)
    edge_index, adj = random_graph(rng)
    features, labels = torch.from_numpy(rng.standard_normal((12, 5))), torch.from_numpy(rng.integers(0, 3, 12))
    edge_attr = torch.from_numpy(rng.standard_normal((edge_index.shape[1], 2)))
    batch, heights = torch.tensor([0] * 5 + [1] * 7), torch.tensor([0.3, -0.7])
    idx_train, idx_val = torch.arange(8), torch.arange(8, 12)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01, weight_decay=5e-4)
    losses = []
    for _ in range(5):
        net.train()
        optimizer.zero_grad()
        output, height = net(features, adj, edge_index, edge_attr, batch)
        loss_train = F.nll_loss(output[idx_train], labels[idx_train]) + 0.5 * F.mse_loss(height, heights)
        loss_train.backward()
        optimizer.step()
        loss_val = F.nll_loss(output[idx_val], labels[idx_val])
        preds = output[idx_val].max(1)[1].type_as(labels)
        losses.append((loss_train.item(), loss_val.item(), preds.eq(labels[idx_val]).double().sum().item()))
    net.eval()
    return losses, net(features, adj, edge_index, edge_attr, batch)[0].detach()
