"""Calls that compute something else than was meant, without an error: noticed here, and told once for each line."""

from __future__ import annotations

import sys
import warnings

import numpy as np

from ...ops.arguments import need_tensor
from ...plan import OpNode
from ...tensor import Tensor

__all__: list[str] = []

PACKAGE = __name__.partition(".")[0]


def tell(text: str) -> None:
    """Warn at the line of the user's program; Python shows a warning of one line once."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == PACKAGE:
        frame, level = frame.f_back, level + 1
    warnings.warn(text, UserWarning, stacklevel=level)


def same_size(name: str, input: Tensor, target: Tensor) -> None:
    """A column against a row makes a matrix, and training goes nowhere."""
    if need_tensor(input, name).array.shape != need_tensor(target, name, "target").array.shape:
        tell(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). "
            "This will likely lead to incorrect results due to broadcasting. "
            f"Please ensure they have the same size: {name} takes all pairs; write target.view_as(input)."
        )


def no_pairs(name: str, input: Tensor, target: Tensor) -> None:
    """As `same_size`, where one may be broadcast to the other: but not both, as a column and a row are."""
    a, b = need_tensor(input, name).array.shape, need_tensor(target, name, "target").array.shape
    if a != b:
        try:
            joined = np.broadcast_shapes(a, b)
        except ValueError:
            return  # the loss itself says so
        if joined not in (a, b):
            same_size(name, input, target)


def no_probabilities(name: str, input: Tensor, op: str, wanted: str) -> None:
    """Probabilities where something is wanted that is made of them only inside the loss."""
    node = need_tensor(input, name).node
    if type(node) is OpNode and node.plan.op.name == op:
        tell(
            f"{name}: the input is the result of a {op}, but {wanted}. It computes, but training goes wrong; "
            f"take the {op} out of the network."
        )


def no_one_hot(name: str, target: Tensor, classes: int) -> None:
    """Integer targets of 0 and 1, one 1 for each row of classes: they are read as the classes 0 and 1."""
    t = target.array
    if classes > 2 and t.ndim > 1 and t.shape[1] == classes and t.size and t.max() == 1 and (t.sum(1) == 1).all():
        tell(
            f"{name}: the target of shape {list(t.shape)} looks one-hot, but its numbers are read as classes 0 and 1; "
            "write target.argmax(1) for classes."
        )


def no_flags(name: str, target: Tensor) -> None:
    """Flags of 0 and 1 for each class, where the numbers of the classes are wanted, ended by -1."""
    t = target.array
    if type(t) is np.ndarray and t.ndim and t.shape[-1] > 2 and t.size and t.min() == 0 and t.max() == 1:
        tell(
            f"{name}: the target holds only 0 and 1, which are read as classes 0 and 1; it is to list each sample's "
            "classes, ended by -1. For flags write multilabel_soft_margin_loss or binary_cross_entropy_with_logits."
        )
