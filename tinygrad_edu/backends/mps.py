"""Apple's GPUs, which are not used here."""


def is_available() -> bool:
    """Whether tensors can be put on an Apple GPU."""
    return False


def is_built() -> bool:
    """Whether there is code for it."""
    return False


def is_macos_or_newer(major: int, minor: int) -> bool:
    """Whether the system is new enough for it; asked in vain here."""
    return False
