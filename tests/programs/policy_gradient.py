"""An actor-critic on a small corridor: distributions.Categorical, returns, entropy, actions drawn by NumPy."""

from collections import namedtuple

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.distributions import Categorical

SavedAction = namedtuple("SavedAction", ["log_prob", "value"])
eps = np.finfo(np.float32).eps.item()


class Policy(nn.Module):
    """Implements both actor and critic in one model."""

    def __init__(self):
        super(Policy, self).__init__()
        self.affine1 = nn.Linear(4, 16)
        self.action_head = nn.Linear(16, 3)
        self.value_head = nn.Linear(16, 1)
        self.saved_actions = []
        self.rewards = []
        self.entropies = []

    def forward(self, x):
        x = F.relu(self.affine1(x))
        action_prob = F.softmax(self.action_head(x), dim=-1)
        return action_prob, self.value_head(x)


def select_action(policy, state, rng):
    probs, state_value = policy(torch.from_numpy(state))
    m = Categorical(probs)
    cumulative = probs.detach().cumsum(0).numpy()
    action = torch.tensor(min(int(np.searchsorted(cumulative, rng.uniform())), 2))
    policy.saved_actions.append(SavedAction(m.log_prob(action), state_value))
    policy.entropies.append(m.entropy())
    return action.item()


def finish_episode(policy, optimizer, gamma=0.95):
    R, policy_losses, value_losses, returns = 0, [], [], []
    for r in policy.rewards[::-1]:
        R = r + gamma * R
        returns.insert(0, R)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + eps)
    for (log_prob, value), R in zip(policy.saved_actions, returns):
        advantage = R - value.item()
        policy_losses.append(-log_prob * advantage)
        value_losses.append(F.smooth_l1_loss(value, torch.tensor([R])))
    optimizer.zero_grad()
    loss = torch.stack(policy_losses).sum() + torch.stack(value_losses).sum()
    loss = loss - 0.01 * torch.stack(policy.entropies).mean()
    loss.backward()
    optimizer.step()
    del policy.rewards[:]
    del policy.saved_actions[:]
    del policy.entropies[:]
    return loss.item()


def model():
    torch.manual_seed(543)
    return Policy()


def train(policy):
    rng = np.random.default_rng(543)
    optimizer = optim.Adam(policy.parameters(), lr=3e-2)
    moves = np.array([[1, 0, 0.1, 0], [-1, 0.2, 0, 0], [0, -0.1, 0, 0.3]])
    running_reward, log = 10, []
    for _ in range(4):
        state, ep_reward = rng.standard_normal(4), 0
        for _ in range(1, 12):
            action = select_action(policy, state, rng)
            state = 0.9 * state + 0.3 * moves[action] + 0.05 * rng.standard_normal(4)
            reward = float(-np.abs(state).sum())
            policy.rewards.append(reward)
            ep_reward += reward
        running_reward = 0.05 * ep_reward + (1 - 0.05) * running_reward
        log += [finish_episode(policy, optimizer), running_reward]
    with torch.no_grad():
        probabilities, value = policy(torch.from_numpy(rng.standard_normal((5, 4))))
        kl = torch.distributions.kl_divergence(Categorical(probabilities[0]), Categorical(logits=probabilities[1]))
    return log, probabilities, value, kl
