"""A program as it is written for PyTorch's launcher; it knows nothing of this package."""

import argparse
import os

import torch
import torch.distributed as dist
import torch.nn as nn
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--backend", default="nccl" if torch.cuda.is_available() else "gloo")
    parser.add_argument("--epochs", type=int, default=4)
    args = parser.parse_args()
    dist.init_process_group(args.backend, init_method="env://")
    rank, world_size = dist.get_rank(), dist.get_world_size()
    if "LOCAL_RANK" in os.environ:
        assert int(os.environ["RANK"]) == rank and int(os.environ["WORLD_SIZE"]) == world_size
        assert int(os.environ["LOCAL_RANK"]) == rank and os.environ["MASTER_ADDR"] and os.environ["MASTER_PORT"]
    generator = torch.Generator().manual_seed(0)
    dataset = TensorDataset(torch.randn(48, 5, generator=generator).double(), torch.arange(48) % 3)
    sampler = DistributedSampler(dataset, shuffle=True)
    loader = DataLoader(dataset, batch_size=24 // world_size, sampler=sampler)
    torch.manual_seed(rank + 1 if rank else 0)
    model = DDP(nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).double())
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for epoch in range(args.epochs):
        sampler.set_epoch(epoch)
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
    total = loss.detach().clone()
    dist.all_reduce(total, op=dist.ReduceOp.SUM)
    dist.barrier()
    if rank == 0:
        print(f"backend {dist.get_backend()}, {world_size} processes, {torch.get_num_threads()} threads")
        print(f"loss {total.item() / world_size:.9f}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
