"""A GPU's memory; without a GPU all numbers are 0."""

from __future__ import annotations

from typing import Any

from .place import _index, cupy, is_available

_peak: dict[str, int] = {"allocated": 0, "reserved": 0}  # the largest numbers that were asked for


def _pool(device: Any) -> Any:
    xp = cupy()
    with xp.cuda.Device(_index(device)):
        return xp.get_default_memory_pool()


def memory_allocated(device: Any = None) -> int:
    """Bytes in use by tensors."""
    now = int(_pool(device).used_bytes()) if is_available() else 0
    _peak["allocated"] = max(_peak["allocated"], now)
    return now


def memory_reserved(device: Any = None) -> int:
    """Bytes held, in use or ready to be used again."""
    now = int(_pool(device).total_bytes()) if is_available() else 0
    _peak["reserved"] = max(_peak["reserved"], now)
    return now


def max_memory_allocated(device: Any = None) -> int:
    """The largest `memory_allocated` that was seen; CuPy keeps no record between two questions."""
    memory_allocated(device)
    return _peak["allocated"]


def max_memory_reserved(device: Any = None) -> int:
    """The largest `memory_reserved` that was seen."""
    memory_reserved(device)
    return _peak["reserved"]


def reset_peak_memory_stats(device: Any = None) -> None:
    """Begin to look for the largest numbers again."""
    _peak.update(allocated=0, reserved=0)


def empty_cache() -> None:
    """Give back what is held and not in use."""
    if is_available():
        _pool(None).free_all_blocks()


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Bytes that are free on a GPU, and all of its bytes."""
    xp = cupy()
    with xp.cuda.Device(_index(device)):
        return tuple(xp.cuda.runtime.memGetInfo())


def memory_stats(device: Any = None) -> dict[str, int]:
    """The numbers by PyTorch's names, as far as they are known."""
    if not is_available():
        return {}
    return {
        "allocated_bytes.all.current": memory_allocated(device),
        "allocated_bytes.all.peak": max_memory_allocated(device),
        "reserved_bytes.all.current": memory_reserved(device),
        "reserved_bytes.all.peak": max_memory_reserved(device),
    }


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """The numbers to read."""
    return "\n".join(f"{name:<32}{value:>16,}" for name, value in memory_stats(device).items()) or "no GPU in use"


def memory_snapshot(*args: object) -> list:
    """Blocks are not recorded one by one."""
    return []


def set_per_process_memory_fraction(fraction: float, device: Any = None) -> None:
    """Hold at most this part of a GPU's memory."""
    if not 0.0 <= fraction <= 1.0:
        raise ValueError(f"Invalid fraction value: {fraction}. Allowed range: 0~1")
    _pool(device).set_limit(fraction=fraction)


memory_cached, max_memory_cached = memory_reserved, max_memory_reserved
reset_max_memory_allocated = reset_max_memory_cached = reset_accumulated_memory_stats = reset_peak_memory_stats
