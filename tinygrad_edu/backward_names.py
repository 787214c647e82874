"""The names of nodes: as PyTorch prints them, also where it calls the same by another name, or has several overloads.

A name is told from what a node knows anyway: its options, while they are kept, and the shapes of what it joins.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .autograd.graph import FREED

if TYPE_CHECKING:
    from .plan import OpNode


def backward_name(node: OpNode) -> str:
    """`MulBackward0` for a product."""
    found = NAMES.get(node.op.name)
    if found is not None:
        return found if isinstance(found, str) else found(node)
    # a letter after a digit is a capital too: Log1PBackward0
    return re.sub(r"(?:^|_|(?<=\d))([a-z])", lambda first: first[1].upper(), node.op.name) + "Backward0"


def _option(node: OpNode, name: str) -> Any:
    """An option of the call, or None where no rule asks for it, or a walk has freed it."""
    kept = {} if node.kept is FREED else dict(zip(node.plan.kinds, node.kept, strict=True))
    return kept.get(("input", node.op.names.index(name)))


def _ndim(node: OpNode, i: int) -> int:
    """How many dimensions an argument has; -1 where it needs no gradient."""
    edge = node.edges[i] if i < len(node.edges) else None
    return -1 if edge is None else len(edge.shape)


def _along(name: str) -> Callable[[OpNode], str]:
    """A reduction: of everything, or along dimensions."""

    def of(node: OpNode) -> str:
        return f"{name}Backward{int(_option(node, 'dim') is not None or bool(node.shape))}"

    return of


def _product(node: OpNode) -> str:
    of_vectors = {0: "DotBackward0", 1: "MvBackward0", 2: "MmBackward0"}
    return of_vectors.get(len(node.shape), "BmmBackward0")


def _layer(node: OpNode) -> str:
    if len(node.shape) != 2:
        return "LinearBackward0"
    return "MmBackward0" if _ndim(node, 2) < 0 else "AddmmBackward0"


def _power(node: OpNode) -> str:
    return "PowBackward0" if _ndim(node, 1) < 0 else "PowBackward2" if _ndim(node, 0) < 0 else "PowBackward1"


def _part(node: OpNode) -> str:
    """PyTorch takes the parts of an index one by one: the last one gives the name."""
    key = _option(node, "key")
    parts = [k for k in (key if isinstance(key, tuple) else (key,)) if k is not ... and k != slice(None)]
    last = parts[-1] if parts else slice(None)
    return "SelectBackward0" if isinstance(last, int) else "UnsqueezeBackward0" if last is None else "SliceBackward0"


def _turned(node: OpNode) -> str:
    return "TBackward0" if (_option(node, "dim0"), _option(node, "dim1")) == (0, -1) else "TransposeBackward0"  # t()


def _extreme(name: str) -> Callable[[OpNode], str]:
    """`x.max()` is computed as `x.amax()` is, but with None for the dimensions."""
    return lambda node: f"A{name.lower()}Backward0" if _option(node, "dim") is not None else f"{name}Backward1"


def _fourier(node: OpNode) -> str:
    """From real numbers or from complex ones; `rfft` ends with the transform along no dimension."""
    dtype = dict(zip(node.plan.kinds, node.kept, strict=True))["dtype", 0]
    return "FftC2CBackward0" if dtype.is_complex and _option(node, "dims") else "FftR2CBackward0"


def _max_pool(node: OpNode) -> str:
    return f"MaxPool{len(_option(node, 'kernel') or (1, 1))}DWithIndicesBackward0"


NAMES: dict[str, str | Callable[[OpNode], str]] = {
    "amax": _extreme("Max"),
    "amin": _extreme("Min"),
    "batch_norm": "NativeBatchNormBackward0",
    "cast": "ToCopyBackward0",
    "cholesky": "LinalgCholeskyExBackward0",
    "clamp": "ClampBackward1",
    "contiguous": "CloneBackward0",
    "conv_transpose": "ConvolutionBackward0",
    "copy": "CopyBackwards",
    "cross": "LinalgCrossBackward0",
    "cross_entropy": lambda node: "NllLossBackward0" if _ndim(node, 0) < 3 else "NllLoss2DBackward0",
    "det": "LinalgDetBackward0",
    "dropout": "MulBackward0",
    "eig": "LinalgEigBackward0",
    "eigh": "LinalgEighBackward0",
    "fft": _fourier,
    "group_norm": "NativeGroupNormBackward0",
    "ifft": _fourier,
    "inv": "LinalgInvExBackward0",
    "irfft": "FftC2RBackward0",
    "layer_norm": "NativeLayerNormBackward0",
    "lerp": lambda node: "LerpBackward0" if _ndim(node, 2) < 0 else "LerpBackward1",
    "linear": _layer,
    "logsigmoid": "LogSigmoidBackward0",
    "matmul": _product,
    "max_pool": _max_pool,
    "mean": _along("Mean"),
    "mT": "TransposeBackward0",
    "norm": "LinalgVectorNormBackward0",
    "pad": "ConstantPadNdBackward0",
    "pow": _power,
    "prelu": "PreluKernelBackward0",
    "prod": _along("Prod"),
    "qr": "LinalgQrBackward0",
    "slice": _part,
    "slogdet": "LinalgSlogdetBackward0",
    "solve": "LinalgSolveExBackward0",
    "square": "PowBackward0",
    "sum": _along("Sum"),
    "svd": "LinalgSvdBackward0",
    "transpose": _turned,
}
