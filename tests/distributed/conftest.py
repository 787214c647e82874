import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session", autouse=True)
def _memory_of_the_dead() -> Iterator[None]:
    """Processes of MPICH that are ended leave 3 MB of shared memory behind: remove what no process has any more."""
    before = set(Path("/dev/shm").glob("mpich_shm_*"))
    yield
    in_use = ""
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):
            in_use += maps.read_text()
    for left in set(Path("/dev/shm").glob("mpich_shm_*")) - before:
        if str(left) not in in_use:
            left.unlink(missing_ok=True)
