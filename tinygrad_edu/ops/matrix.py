"""Matrix products."""

from __future__ import annotations

from ..op import op
from .shape import mT


@op(promote=False)
def matmul(x, y):
    """The matrix product, batched over leading dimensions."""
    return x @ y


matmul.grad(x=lambda g, y: g @ mT(y), y=lambda g, x: mT(x) @ g)

METHODS = "matmul"
OPERATORS = {"__matmul__": matmul}
