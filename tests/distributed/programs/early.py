"""A process that ends before the others have found it: HOW is the argument, and perhaps how long the others wait."""

import os
import signal
import sys
import time
from datetime import timedelta

from tinygrad_edu import distributed as dist

how, rank = sys.argv[1], int(os.environ["PMI_RANK"])
if rank == 1:
    if how == "error":
        raise ValueError("this one only")
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "late":
        time.sleep(600)
    sys.exit(int(how))
dist.init_process_group("gloo", timeout=timedelta(seconds=2 if how == "late" else 600))
