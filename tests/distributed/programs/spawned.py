"""A program that starts its processes itself, as PyTorch's introductions do: HOW it ends is the argument."""

import os
import signal
import sys

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel as DDP


def main(rank, world_size, how):
    os.environ["MASTER_ADDR"] = "localhost"
    os.environ["MASTER_PORT"] = "12355"
    if how == "early" and rank == 1:
        raise ValueError("this one only")
    dist.init_process_group("gloo", rank=rank, world_size=world_size)
    if how == "error" and rank == 1:
        raise ValueError("this one only")
    if how == "killed" and rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    model = DDP(torch.nn.Linear(3, 2))
    model(torch.full((4, 3), float(rank))).sum().backward()
    print("gradient", model.module.weight.grad[0, 0].item())
    dist.destroy_process_group()


if __name__ == "__main__":
    if sys.argv[1] == "alone":  # without the launcher
        mp.set_start_method("spawn")
        process = mp.Process(target=main, args=(0, 2, ""))
        process.start()
        process.join()
        sys.exit(process.exitcode)
    mp.spawn(main, args=(2, sys.argv[1]), nprocs=2, join=True)
    print("all have ended")
