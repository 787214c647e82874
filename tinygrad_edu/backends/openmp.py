"""Threads inside operations: PyTorch's flag; NumPy chooses its own libraries."""

enabled = False


def is_available() -> bool:
    """Whether it is used."""
    return False
