"""n processes with batches of b give the numbers of one process with batches of n b; the checks are `programs/training.py`."""

from __future__ import annotations

import pytest
from started import mpiexec, needs_mpi, succeeds

pytestmark = needs_mpi
LONG = "hundred_steps one_large_bucket uneven_batches"
SHORT = (
    "gathered_steps unused_parameters unused_in_all synchronized_norm uneven_synchronized_norm the_same_bits "
    "buckets_leave_early tied_weights recomputation two_modules several_types buffers_follow_the_first ends_of_data "
    "unlike_modules"
)


@pytest.mark.parametrize("count", [2, 4])
def test_as_one_process_with_the_whole_batch(count: int) -> None:
    succeeds(mpiexec(count, "training", *LONG.split(), seconds=120), count)


@pytest.mark.parametrize("count", [2, 3])
def test_every_part(count: int) -> None:
    succeeds(mpiexec(count, "training", *SHORT.split(), seconds=120), count)


def test_in_debug_mode() -> None:
    names = "gathered_steps unused_parameters ends_of_data"
    succeeds(mpiexec(2, "training", *names.split(), TORCH_DISTRIBUTED_DEBUG="DETAIL"), 2)
