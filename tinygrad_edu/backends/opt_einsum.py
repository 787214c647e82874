"""The order in which `einsum` contracts."""

enabled = False
strategy = None


def is_available() -> bool:
    """Whether the package opt_einsum is used."""
    return False
