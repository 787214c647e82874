"""Intel's GPUs, which are not used here."""


def is_available() -> bool:
    """Whether tensors can be put there."""
    return False


def device_count() -> int:
    """How many there are."""
    return 0


def manual_seed(seed: int) -> None:
    """There is no generator to seed."""


def empty_cache() -> None:
    """There is no memory to give back."""


def synchronize() -> None:
    """There is nothing to wait for."""


__all__ = ["device_count", "empty_cache", "is_available", "manual_seed", "synchronize"]
