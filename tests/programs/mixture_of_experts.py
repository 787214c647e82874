"""A sparsely gated mixture of experts: top-k routing, a balancing loss, experts as modules and by einsum."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor


class Expert(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.w1, self.w2 = nn.Linear(dim, hidden, bias=False), nn.Linear(hidden, dim, bias=False)
        self.w3 = nn.Linear(dim, hidden, bias=False)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class SparseMoE(nn.Module):
    def __init__(self, dim: int, num_experts: int = 4, top_k: int = 2):
        super().__init__()
        self.gate = nn.Linear(dim, num_experts, bias=False)
        self.experts = nn.ModuleList(Expert(dim, 2 * dim) for _ in range(num_experts))
        self.num_experts, self.top_k = num_experts, top_k

    def forward(self, hidden_states: Tensor) -> "tuple[Tensor, Tensor]":
        batch_size, sequence_length, hidden_dim = hidden_states.shape
        hidden_states = hidden_states.view(-1, hidden_dim)
        router_logits = self.gate(hidden_states)
        routing_weights = F.softmax(router_logits, dim=1)
        routing_weights, selected_experts = torch.topk(routing_weights, self.top_k, dim=-1)
        routing_weights /= routing_weights.sum(dim=-1, keepdim=True)
        final = torch.zeros((batch_size * sequence_length, hidden_dim), dtype=hidden_states.dtype)
        expert_mask = F.one_hot(selected_experts, num_classes=self.num_experts).permute(2, 1, 0)
        for expert_idx, expert in enumerate(self.experts):
            idx, top_x = torch.where(expert_mask[expert_idx])
            if top_x.shape[0] == 0:
                continue
            current_state = hidden_states[None, top_x].reshape(-1, hidden_dim)
            current = expert(current_state) * routing_weights[top_x, idx, None]
            final.index_add_(0, top_x, current.to(hidden_states.dtype))
        return final.reshape(batch_size, sequence_length, hidden_dim), router_logits


class SoftMoE(nn.Module):
    """Every expert sees every token; one einsum does all."""

    def __init__(self, dim, num_experts=3):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_experts, dim, dim))
        self.gate = nn.Linear(dim, num_experts)
        for w in self.weight:
            nn.init.orthogonal_(w, gain=nn.init.calculate_gain("tanh"))

    def forward(self, x):
        each = torch.einsum("bsd,edf->bsef", x, self.weight).tanh()
        return torch.einsum("bse,bsef->bsf", self.gate(x).softmax(-1), each)


class Net(nn.Module):
    def __init__(self, dim=6):
        super().__init__()
        self.soft, self.moe, self.norm = SoftMoE(dim), SparseMoE(dim), nn.RMSNorm(dim, eps=1e-6)

    def forward(self, x):
        x = x + self.soft(x)
        out, logits = self.moe(self.norm(x))
        return x + out, logits


def load_balancing_loss(gate_logits, num_experts, top_k):
    routing = gate_logits.softmax(-1)
    _, selected = torch.topk(routing, top_k, dim=-1)
    tokens_per_expert = F.one_hot(selected, num_experts).to(routing.dtype).mean(dim=0)
    return torch.sum(tokens_per_expert * routing.mean(dim=0).unsqueeze(0)) * num_experts


def model():
    torch.manual_seed(18)
    return Net()


def train(net):
    rng = np.random.default_rng(18)
    x = torch.from_numpy(rng.standard_normal((3, 5, 6)))
    target = x.sort(dim=-1, descending=True).values.cumsum(-1)
    optimizer = torch.optim.RAdam(net.parameters(), lr=0.02, decoupled_weight_decay=True, weight_decay=0.01)
    history = []
    for _ in range(6):
        optimizer.zero_grad()
        out, logits = net(x)
        balance = load_balancing_loss(logits, 4, 2)
        z_loss = torch.logsumexp(logits, dim=-1).square().mean()
        loss = F.huber_loss(out, target, delta=0.5) + 0.01 * balance + 0.001 * z_loss
        loss.backward()
        total = nn.utils.clip_grad_norm_(net.parameters(), 1.0, error_if_nonfinite=True)
        optimizer.step()
        history.append([loss.item(), balance.item(), total.item()])
    counts = torch.bincount(logits.topk(2).indices.flatten(), minlength=4)
    return history, counts, out
