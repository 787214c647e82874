"""The types that programs for PyTorch's compiler import from here: Python's own."""

from typing import Any, Dict, List, Optional, Tuple, Union  # noqa: UP035  # by the names that programs import

__all__ = ["Any", "Dict", "List", "Optional", "Tuple", "Union"]
