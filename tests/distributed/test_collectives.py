"""What several processes do together, against NumPy; the checks themselves are in `programs/collectives.py`."""

from __future__ import annotations

import pytest
from started import mpiexec, needs_mpi, succeeds

pytestmark = needs_mpi


@pytest.mark.parametrize("count", [2, 3])
def test_every_call(count: int) -> None:
    succeeds(mpiexec(count, "collectives"), count)


def test_every_call_in_debug_mode() -> None:
    succeeds(mpiexec(2, "collectives", TORCH_DISTRIBUTED_DEBUG="DETAIL"), 2)
