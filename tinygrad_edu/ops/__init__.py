"""Every operation: its forward on arrays and its calculus, one family a file.

Each file names, at its end, those of its functions that are also methods of `Tensor` (METHODS), those that also write
in place (INPLACE: `add` gives `add_`), and the operators it serves (OPERATORS). Here they are gathered and bound.
"""

from __future__ import annotations

import inspect
from types import FunctionType, ModuleType
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
    habits,
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
from .faces import numpy_names
from .misuse import explained

# easy before difficult; a file imports only from those before it
FAMILIES: tuple[ModuleType, ...] = (
    creation, tapers, shape, conversion, parts, movement, joining, pointwise, trigonometry, comparison, rounding, complexes, special_functions, gamma_functions, bessel, orthogonal_polynomials,
    reductions, matrix, contraction, indexing, positions, masks, habits, scattering, padding, scans, sorting, statistics,
    activations, softmax, losses, embedding, normalization, attention, recurrent, convolution, pooling, resampling,
    linear_algebra, decompositions, elimination, fourier,
)  # fmt: skip

# functions that are not at the top of PyTorch: in its special, linalg, nn.functional; or only for other families
ELSEWHERE = frozenset(
    """
    add_rows airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 chebyshev_polynomial_t chebyshev_polynomial_u
    chebyshev_polynomial_v chebyshev_polynomial_w check_inside cubic entr erfcx gammainc gammaincc
    hermite_polynomial_h hermite_polynomial_he i0e i1 i1e laguerre_polynomial_l legendre_polynomial_p linear
    log_ndtr mT modified_bessel_i0 modified_bessel_i1 modified_bessel_k0 modified_bessel_k1 multi_dot multigammaln
    ndtr ndtri one_hot pad reshape_as reshaped_in_place restored scaled_modified_bessel_k0 scaled_modified_bessel_k1
    shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u shifted_chebyshev_polynomial_v
    shifted_chebyshev_polynomial_w softsign spherical_bessel_j0 xlog1py zeta
    """.split()
)

# of what writes in place, that which PyTorch has as a function, too
IN_PLACE_FUNCTIONS = frozenset(
    """
    abs_ acos_ acosh_ addmv_ arccos_ arccosh_ arcsin_ arcsinh_ arctan_ arctanh_ asin_ asinh_ atan_ atanh_ ceil_
    clamp_ clamp_max_ clamp_min_ clip_ conj_physical_ cos_ cosh_ deg2rad_ erf_ erfc_ exp2_ exp_ expm1_ fix_ floor_
    frac_ gcd_ i0_ lcm_ ldexp_ log10_ log1p_ log2_ log_ logit_ nan_to_num_ neg_ negative_ rad2deg_ reciprocal_ relu_
    round_ rsqrt_ sigmoid_ sin_ sinc_ sinh_ sqrt_ square_ tan_ tanh_ trunc_ xlogy_
    """.split()
)


def public(family: ModuleType) -> dict[str, Any]:
    """The functions of a family that others may use."""
    own = {k: v for k, v in vars(family).items() if getattr(v, "__module__", "") == family.__name__}
    return {k: v for k, v in own.items() if isinstance(v, FunctionType) and not k.startswith("_")}


def faces(family: ModuleType) -> dict[str, Any]:
    """The composed functions of a family, which explain their failures; those that take `dim` understand NumPy's `axis`
    as operations do."""
    found: dict[FunctionType, Any] = {}  # one face for all names of a function
    functions = public(family)
    for function in functions.values():
        if not hasattr(function, "op"):
            code = inspect.unwrap(function).__code__
            dims = "dim" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            found[function] = explained(function, numpy_names if dims else None)
    return {name: found[function] for name, function in functions.items() if function in found}


HELD = "is_contiguous is_pinned numpy requires_grad_ size stride"  # of the methods that know no mathematics


def bind() -> None:
    """Give `Tensor` its mathematics; some of what writes in place is also a function, as in PyTorch (`relu_`)."""
    for name in HELD.split():
        setattr(Tensor, name, explained(getattr(Tensor, name)))
    for family in FAMILIES:
        functions = vars(family)
        functions.update(faces(family))
        for name in functions.get("METHODS", "").split():
            setattr(Tensor, name, functions[name])
        for name in functions.get("INPLACE", "").split():
            setattr(Tensor, name + "_", inplace(functions[name]))
            if name + "_" in IN_PLACE_FUNCTIONS:
                functions[name + "_"] = explained(getattr(Tensor, name + "_"))
        for name, function in functions.get("OPERATORS", {}).items():
            plain = isinstance(function, FunctionType) and not name.startswith("__")
            setattr(Tensor, name, explained(function) if plain else function)


bind()
_found = {name: function for family in FAMILIES for name, function in public(family).items()}
globals().update(_found)
__all__ = [name for name in _found if name not in ELSEWHERE]
