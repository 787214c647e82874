"""A training that is interrupted and goes on, perhaps with another number of processes: FILE STEPS."""

import os
import sys

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu import distributed as dist
from tinygrad_edu import nn
from tinygrad_edu.nn.parallel import DistributedDataParallel
from tinygrad_edu.utils.data import DataLoader, DistributedSampler, TensorDataset

path, steps = sys.argv[1], int(sys.argv[2])
WHOLE = 8  # samples in a step, of all processes together

tg.set_default_dtype(tg.float64)
dist.init_process_group()
rank, size = dist.get_rank(), dist.get_world_size()
rng = np.random.default_rng(0)
data = TensorDataset(tg.tensor(rng.standard_normal((40, 6))), tg.tensor(rng.standard_normal((40, 1))), tg.arange(40))
sampler = DistributedSampler(data, seed=3)
model = DistributedDataParallel(nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1)))
optimizer = tg.optim.Adam(model.parameters(), lr=0.01)
epoch = done = 0
if os.path.exists(path):
    state = tg.load(path)
    model.module.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    epoch, done = state["epoch"], state["done"]
while steps:
    sampler.set_epoch(epoch, done)
    for x, y, numbers in DataLoader(data, batch_size=WHOLE // size, sampler=sampler):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
        taken = tg.empty(WHOLE, dtype=tg.int64)
        dist.all_gather_into_tensor(taken, numbers)
        if rank == 0:
            print("samples", *sorted(taken.tolist()))
        steps, done = steps - 1, done + WHOLE
        if not steps:
            break
    else:
        epoch, done = epoch + 1, 0
if rank == 0:
    tg.save(
        {"model": model.module.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch, "done": done}, path
    )
    print("weights", *np.concatenate([p.detach().numpy().ravel() for p in model.parameters()]))
dist.barrier()
print("done", rank)
