"""A softmax over very many classes: the frequent ones first, the rest in clusters of their own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from ...ops import cat, where
from ...tensor import Tensor
from .. import functional as F
from .container import ModuleList, Sequential
from .linear import Linear
from .module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class _ASMoutput(NamedTuple):
    output: Tensor  # log-probability of each target
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-probabilities of classes ordered by frequency: P(class) = P(its cluster) P(class | cluster).

    The head knows the classes below the first cutoff and the clusters; a cluster's layers are the smaller the rarer.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        whole = all(int(c) == c for c in cutoffs)
        if not (whole and cutoffs == sorted(set(cutoffs)) and cutoffs[0] > 0 and cutoffs[-1] < n_classes):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each "
                f"value is between 1 and n_classes-1, but got {cutoffs} for {n_classes} classes"
            )
        self.in_features, self.n_classes, self.div_value, self.head_bias = in_features, n_classes, div_value, head_bias
        self.cutoffs = [*cutoffs, n_classes]
        self.shortlist_size, self.n_clusters = cutoffs[0], len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        options = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, bias=head_bias, **options)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(pairwise(self.cutoffs), 1):
            hidden = int(in_features // div_value**i)
            inner, outer = (in_features, hidden), (hidden, high - low)
            self.tail.append(Sequential(*[Linear(*sizes, bias=False, **options) for sizes in (inner, outer)]))

    def reset_parameters(self) -> None:
        """Draw all weights again."""
        for layer in (self.head, *(layer for cluster in self.tail for layer in cluster)):
            layer.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        if target_.dim() > 1:
            raise RuntimeError(f"0D or 1D target tensor expected, multi-target not supported: {list(target_.shape)}")
        if input_.dim() != target_.dim() + 1:
            raise RuntimeError(
                f"{target_.dim()}D target tensor expects {target_.dim() + 1}D input tensors, "
                f"but found inputs with size {list(input_.shape)}"
            )
        if not target_.dim():
            output, loss = self.forward(input_.unsqueeze(0), target_.unsqueeze(0))
            return _ASMoutput(output.squeeze(0), loss)
        if input_.size(0) != target_.size(0):
            wrong = f"{input_.size(0)} is not {target_.size(0)}"
            raise RuntimeError(f"Input and target should have the same size in the batch dimension: {wrong}")
        if target_.numel() and not (target_.min() >= 0 and target_.max() < self.n_classes):
            low, high = target_.min().item(), target_.max().item()
            wrong = f"but values in range [{low}, {high}] were found."
            raise RuntimeError(f"Target values should be in [0, {self.n_classes - 1}], {wrong}")
        cluster = sum((target_ >= cutoff).long() for cutoff in self.cutoffs[:-1])  # 0: the shortlist
        place = where(cluster == 0, target_, cluster + (self.shortlist_size - 1))
        output = F.log_softmax(self.head(input_), 1).gather(1, place.unsqueeze(1)).squeeze(1)
        for i, (low, tail) in enumerate(zip(self.cutoffs, self.tail, strict=False), 1):
            rows = (cluster == i).nonzero().squeeze(1)
            if rows.numel():
                inside = F.log_softmax(tail(input_[rows]), 1).gather(1, (target_[rows] - low).unsqueeze(1))
                output = output.index_add(0, rows, inside.squeeze(1))
        return _ASMoutput(output, -output.mean())

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities of all classes: (N, n_classes)."""
        head = F.log_softmax(self.head(input), 1)
        clusters = [
            F.log_softmax(tail(input), 1) + head[:, self.shortlist_size + i].unsqueeze(1)
            for i, tail in enumerate(self.tail)
        ]
        return cat([head[:, : self.shortlist_size], *clusters], 1)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class; the clusters are asked only where the head has chosen one."""
        best = self.head(input).argmax(1)
        rows = (best >= self.shortlist_size).nonzero().squeeze(1)
        if rows.numel():
            best[rows] = self.log_prob(input[rows]).argmax(1)
        return best
