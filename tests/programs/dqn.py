"""Deep Q-learning on a walk along a line: replay buffer, target network, smooth L1, soft updates."""

import random
from collections import deque, namedtuple

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

Transition = namedtuple("Transition", ("state", "action", "next_state", "reward"))
BATCH_SIZE, GAMMA, TAU = 16, 0.9, 0.05
no_cuda = True
device = torch.device("cuda" if not no_cuda and torch.cuda.is_available() else "cpu")


class ReplayMemory(object):
    def __init__(self, capacity, seed):
        self.memory = deque([], maxlen=capacity)
        self.random = random.Random(seed)

    def push(self, *args):
        self.memory.append(Transition(*args))

    def sample(self, batch_size):
        return self.random.sample(self.memory, batch_size)

    def __len__(self):
        return len(self.memory)


class DQN(nn.Module):
    def __init__(self, n_observations, n_actions):
        super(DQN, self).__init__()
        self.layer1 = nn.Linear(n_observations, 16)
        self.layer2 = nn.Linear(16, 16)
        self.layer3 = nn.Linear(16, n_actions)

    def forward(self, x):
        x = F.relu(self.layer1(x))
        x = F.relu(self.layer2(x))
        return self.layer3(x)


class Line:
    """Three walkers' positions; pushing right is paid where the first is left of the second."""

    def reset(self, rng):
        self.x = rng.uniform(-1, 1, 3)
        return self.x.copy()

    def step(self, action, rng):
        self.x = np.clip(self.x + (0.2 if action else -0.2) * np.array([1, -1, 0.5]), -2, 2)
        reward = float(self.x[0] > self.x[1]) - 0.1 * abs(self.x[2])
        return self.x.copy(), reward, bool(rng.uniform() < 0.15)


def model():
    torch.manual_seed(4)
    return nn.ModuleDict({"policy": DQN(3, 2), "target": DQN(3, 2)})


def optimize_model(memory, policy_net, target_net, optimizer):
    if len(memory) < BATCH_SIZE:
        return None
    batch = Transition(*zip(*memory.sample(BATCH_SIZE)))
    non_final_mask = torch.tensor(tuple(map(lambda s: s is not None, batch.next_state)), dtype=torch.bool)
    non_final_next_states = torch.cat([s for s in batch.next_state if s is not None])
    state_batch, action_batch, reward_batch = torch.cat(batch.state), torch.cat(batch.action), torch.cat(batch.reward)
    state_action_values = policy_net(state_batch).gather(1, action_batch)
    next_state_values = torch.zeros(BATCH_SIZE, device=device)
    with torch.no_grad():
        next_state_values[non_final_mask] = target_net(non_final_next_states).max(1).values
    expected = (next_state_values * GAMMA) + reward_batch
    loss = nn.SmoothL1Loss()(state_action_values, expected.unsqueeze(1))
    optimizer.zero_grad()
    loss.backward()
    for param in policy_net.parameters():
        param.grad.data.clamp_(-1, 1)
    optimizer.step()
    return loss.item()


def train(nets):
    rng = np.random.default_rng(4)
    policy_net, target_net = nets["policy"].to(device), nets["target"].to(device)
    target_net.load_state_dict(policy_net.state_dict())
    target_net.eval()
    optimizer = optim.AdamW(policy_net.parameters(), lr=1e-2, amsgrad=True)
    memory, env, losses = ReplayMemory(100, 4), Line(), []
    state = torch.tensor(env.reset(rng), device=device).unsqueeze(0)
    for steps_done in range(30):
        eps_threshold = 0.05 + 0.85 * np.exp(-1.0 * steps_done / 10)
        if rng.uniform() > eps_threshold:
            with torch.no_grad():
                action = policy_net(state).max(1)[1].view(1, 1)
        else:
            action = torch.tensor([[int(rng.integers(2))]], device=device, dtype=torch.long)
        observation, reward, done = env.step(action.item(), rng)
        next_state = None if done else torch.tensor(observation, device=device).unsqueeze(0)
        memory.push(state, action, next_state, torch.tensor([reward], device=device))
        state = next_state if not done else torch.tensor(env.reset(rng)).unsqueeze(0)
        loss = optimize_model(memory, policy_net, target_net, optimizer)
        if loss is not None:
            losses.append(loss)
        target_net_state_dict, policy_net_state_dict = target_net.state_dict(), policy_net.state_dict()
        for key in policy_net_state_dict:
            mixed = policy_net_state_dict[key] * TAU + target_net_state_dict[key] * (1 - TAU)
            target_net_state_dict[key] = mixed
        target_net.load_state_dict(target_net_state_dict)
    return losses, [r.reward.item() for r in memory.memory]
