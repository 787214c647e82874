"""Every operation: its forward on arrays and its calculus, one family a file.

Each file names, at its end, those of its functions that are also methods of `Tensor` (METHODS), those that also write
in place (INPLACE: `add` gives `add_`), and the operators it serves (OPERATORS). Here they are gathered and bound.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from ..inplace import inplace
from ..tensor import Tensor
from . import (
    activations,
    attention,
    bessel,
    comparison,
    complexes,
    contraction,
    conversion,
    convolution,
    creation,
    decompositions,
    elimination,
    embedding,
    fourier,
    gamma_functions,
    indexing,
    joining,
    linear_algebra,
    losses,
    masks,
    matrix,
    movement,
    normalization,
    orthogonal_polynomials,
    padding,
    parts,
    pointwise,
    pooling,
    positions,
    recurrent,
    reductions,
    resampling,
    rounding,
    scans,
    scattering,
    shape,
    softmax,
    sorting,
    special_functions,
    statistics,
    tapers,
    trigonometry,
)

# easy before difficult; a file imports only from those before it
FAMILIES: tuple[ModuleType, ...] = (
    creation, tapers, shape, conversion, parts, movement, joining, pointwise, trigonometry, comparison, rounding, complexes, special_functions, gamma_functions, bessel, orthogonal_polynomials,
    reductions, matrix, contraction, indexing, positions, masks, scattering, padding, scans, sorting, statistics,
    activations, softmax, losses, embedding, normalization, attention, recurrent, convolution, pooling, resampling,
    linear_algebra, decompositions, elimination, fourier,
)  # fmt: skip


def public(family: ModuleType) -> dict[str, Any]:
    """The functions that a family offers to users."""
    own = {k: v for k, v in vars(family).items() if callable(v) and getattr(v, "__module__", "") == family.__name__}
    return {k: v for k, v in own.items() if not k.startswith("_")}


def bind() -> None:
    """Give `Tensor` its mathematics; what writes in place is also a function, as in PyTorch (`relu_`)."""
    for family in FAMILIES:
        functions = vars(family)
        for name in functions.get("METHODS", "").split():
            setattr(Tensor, name, functions[name])
        for name in functions.get("INPLACE", "").split():
            setattr(Tensor, name + "_", inplace(functions[name]))
            functions[name + "_"] = getattr(Tensor, name + "_")
        for name, function in functions.get("OPERATORS", {}).items():
            setattr(Tensor, name, function)


bind()
for _family in FAMILIES:
    globals().update(public(_family))
__all__ = [name for family in FAMILIES for name in public(family)]
