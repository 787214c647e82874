"""One process does what it should not: which, is the argument."""

import datetime
import os
import signal
import sys
import time

import tinygrad_edu as tg
from tinygrad_edu import distributed as dist

how, seconds = sys.argv[1], float(sys.argv[2])
dist.init_process_group("mpi", timeout=datetime.timedelta(seconds=seconds))
rank, x = dist.get_rank(), tg.ones(4)
dist.all_reduce(x)
if how == "error" and rank == 1:
    raise ValueError("this one only")
if how == "errors":
    raise ValueError("in every one")
if how == "killed" and rank == 1:
    os.kill(os.getpid(), signal.SIGKILL)
if how == "exit" and rank == 1:
    sys.exit(3)
if how == "sleep" and rank == 1:
    time.sleep(600)
if how == "other":
    dist.broadcast(x, 0) if rank == 1 else dist.all_reduce(x)
if how == "turned":
    dist.broadcast(x, 0) if rank == 1 else dist.all_reduce(x)
    dist.all_reduce(x) if rank == 1 else dist.broadcast(x, 0)
if how == "more" and rank == 2:
    dist.broadcast(x, 2)
if how == "sources":
    dist.broadcast(x, rank)
    sys.exit()
if how == "shape":
    dist.all_reduce(tg.ones(4 + rank))
if how == "pieces":  # rank 1 has one number for rank 0, which expects two
    dist.all_to_all([tg.empty(1), tg.empty(2 - rank)], [tg.ones(1), tg.ones(1)])
if how in ("short", "long"):
    dist.recv(x, 1) if rank == 0 else dist.send(tg.ones(3 if how == "short" else 5), 0)
if how == "groups":
    dist.new_group([rank])
if how == "late":
    if rank:
        time.sleep(600)
    dist.monitored_barrier(timeout=datetime.timedelta(seconds=1), wait_all_ranks=True)
if how == "less" and rank:  # rank 0 makes one call more
    sys.exit()
if how == "root" and rank:  # rank 0 returns, and is waited for
    dist.broadcast(x, 0)
if how == "root" and not rank:
    sys.exit(0)
dist.all_reduce(x)
print("done", rank)
