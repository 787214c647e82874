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
if how == "shape":
    dist.all_reduce(tg.ones(4 + rank))
if how == "less" and rank:  # rank 0 makes one call more
    sys.exit()
dist.all_reduce(x)
print("done", rank)
