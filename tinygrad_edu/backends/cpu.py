"""The processor."""

import platform


def get_cpu_capability() -> str:
    """PyTorch names the vector instructions that it uses; NumPy chooses its own."""
    return f"DEFAULT ({platform.machine()})"
