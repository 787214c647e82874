"""Processes that end before the others: in the middle of what all do, or after their part of it."""

import sys
import time

import tinygrad_edu as tg
from tinygrad_edu import distributed as dist
from tinygrad_edu.distributed import work

work.GRACE = 0.2
dist.init_process_group("mpi")
rank, size, x = dist.get_rank(), dist.get_world_size(), tg.ones(4)
dist.all_reduce(x)

if sys.argv[1] == "in vain":
    if rank == 1:
        sys.exit(3)
    large = tg.ones(1 << 21)  # nobody takes it from a process before it is asked for
    waits = {
        "broadcast(": lambda: dist.broadcast(x, 1),
        "gather(": lambda: dist.gather(x, [tg.empty(4) for _ in range(size)]),
        "scatter(": lambda: dist.scatter(x, src=1),
        "reduce(": lambda: dist.reduce(x, 0),
        "recv(": lambda: dist.recv(x, 1),
        "recv(float32[4], src=any": lambda: dist.recv(x),
        "send(": lambda: dist.send(large, 1),
        "broadcast(int64": lambda: dist.broadcast_object_list([None], 1),
        "new_group(": lambda: dist.new_group([0]),
        "monitored_barrier": dist.monitored_barrier,
    }
    for call, wait in waits.items():
        try:
            wait()
        except dist.DistBackendError as error:
            text = str(error.__cause__ or error)
            assert text.startswith(call) and "waits in vain: rank 1 has ended its program" in text, text
            print("named", call)
    sys.exit(3)

# "well": whoever has done its part ends, and the others wait longer than anybody's word of an end is on its way
if rank == 0:
    dist.broadcast(x * 0 + 7, 0)
    dist.send(tg.full((4,), 8.0), 3)
elif rank == 1:
    dist.broadcast(x, 0)
else:
    time.sleep(1.5 * (rank == 2))  # between rank 0 and rank 3, whatever tree MPI makes of four
    dist.broadcast(x, 0)
    assert x.tolist() == [7] * 4
    if rank == 3:
        dist.recv(x, 0)
        assert x.tolist() == [8] * 4
print("done", rank)
