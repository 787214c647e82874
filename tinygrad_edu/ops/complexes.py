"""Complex numbers: parts, conjugates, magnitudes, angles.

Elsewhere a rule is the derivative of a holomorphic function. Most functions here have none; their rules say how a
gradient changes, which inside the walk is the conjugate of the one that PyTorch shows.
"""

from __future__ import annotations

import math

import numpy as np

from .. import devices
from ..op import cast, op
from ..tensor import Tensor
from .arguments import need_tensor
from .operands import refuse, signs, zero
from .pointwise import _where
from .shape import mT
from .trigonometry import cos, sin

# --- parts and conjugates --------------------------------------------------------------------------------------------


@op(view=True)
def real(x):
    """The real part, in the same memory; real numbers as they are."""
    return x.real


@op(view=True)
def imag(x):
    """The imaginary part, in the same memory."""
    if x.dtype.kind != "c":
        raise RuntimeError(f"imag is not implemented for tensors with non-complex dtypes, here {x.dtype}")
    return x.imag


@op
def _conj(x):
    """The complex conjugate."""
    return np.conjugate(x)


real.grad(x=lambda g, x_dtype: cast(g, x_dtype))
imag.grad(x=lambda g: g * -1j)
_conj.grad(x=lambda g: conj(g))


def conj(input):
    """The complex conjugate; real numbers as they are."""
    complex_input = input.is_complex() if isinstance(input, Tensor) else input.dtype.kind == "c"
    return _conj(input) if complex_input else input


def conj_physical(input, *, out=None):
    """The complex conjugate, computed at once, as `conj` is here too."""
    return conj(input) if out is None else _conj(input, out=out)


# --- magnitude and direction -----------------------------------------------------------------------------------------


@op
def abs(x):
    """The absolute value."""
    refuse("b", "abs", x)
    return np.abs(x)


@op
def sgn(x):
    """The sign -1, 0 or 1; of complex numbers the direction `x / |x|`, and 0 at 0."""
    if x.dtype.kind == "c":
        return x / np.where(x == 0, 1, np.abs(x))
    return signs(x)


@op
def angle(x):
    """The angle to the positive real axis; of real numbers 0 or pi."""
    if x.dtype.kind == "c":
        return np.angle(x)
    return np.where(x == x, np.where(x < 0, math.pi, 0.0), x).astype(x.dtype if x.dtype.kind == "f" else np.float64)


def _sgn_grad(g, x, x_dtype, out):
    if not x_dtype.is_complex:
        return zero(g)
    return (g - real(g * out) * conj(out)) / _where(x == 0, math.inf, abs(x))  # only what turns the direction


def _angle_grad(g, x, x_dtype):
    if not x_dtype.is_complex:
        return zero(g)
    return _where(x == 0, 0, g * -1j / _where(x == 0, 1, x))


abs.grad(x=lambda g, x: g * conj(sgn(x)))
sgn.grad(x=_sgn_grad)
angle.grad(x=_angle_grad)

# --- from and to pairs of real numbers -------------------------------------------------------------------------------


@op(promote=False, tensors="real imag")
def _complex(real, imag):
    """`real + i imag`."""
    refuse("biuc", "complex", real, imag)
    out = devices.empty(np.broadcast_shapes(real.shape, imag.shape), np.result_type(real.dtype, 1j), like=real)
    out.real, out.imag = real, imag
    return out


@op(view=True)
def view_as_real(x):
    """The same memory with the two parts in a last dimension."""
    if x.dtype.kind != "c":
        raise RuntimeError(f"view_as_real is only supported for complex tensors, not for {x.dtype}")
    return x[..., None].view(x.real.dtype)


@op(view=True)
def view_as_complex(x):
    """The same memory as complex numbers, whose two parts are in the last dimension."""
    if x.dtype.kind != "f":
        raise RuntimeError(f"view_as_complex is only supported for half, float and double tensors, not for {x.dtype}")
    if not x.ndim or x.shape[-1] != 2:
        raise RuntimeError(f"view_as_complex: Tensor must have a last dimension of size 2, not shape {list(x.shape)}")
    return x.view(np.result_type(x.dtype, 1j))[..., 0]


_complex.grad(real=lambda g: real(g), imag=lambda g: -imag(g))
view_as_real.grad(x=lambda g: _complex(g[..., 0], -g[..., 1]))
view_as_complex.grad(x=lambda g: view_as_real(conj(g)))


def complex(real, imag, *, out=None):
    """`real + i imag`."""
    if out is not None and out.dtype is not real.dtype.to_complex():
        raise RuntimeError(f"complex: expected 'out' to be of {real.dtype.to_complex()}, but it is of {out.dtype}")
    return _complex(real, imag, out=out)


def polar(abs, angle, *, out=None):
    """The complex numbers of these magnitudes and angles."""
    abs, angle = need_tensor(abs, "polar", "abs"), need_tensor(angle, "polar", "angle")
    return complex(abs * cos(angle), abs * sin(angle), out=out)


# --- PyTorch marks conjugates and negatives, and computes them later; here they are computed at once -------------------


def is_conj(input):
    """Whether a conjugate is only marked: never here."""
    need_tensor(input, "is_conj")
    return False


is_neg = is_conj


def resolve_conj(input: Tensor):
    """The tensor itself."""
    return input


resolve_neg = resolve_conj


def adjoint(input):
    """The last two dimensions exchanged and the elements conjugated."""
    return conj(mT(input))


def _hermitian(x: Tensor) -> Tensor:
    """The conjugate transpose of a matrix."""
    if x.ndim not in (0, 2):
        raise RuntimeError(f"tensor.H is only supported on matrices (2-D tensors). Got {x.ndim}-D tensor.")
    return adjoint(x) if x.ndim else conj(x)


absolute = abs

METHODS = """
    abs absolute adjoint angle conj conj_physical is_conj is_neg resolve_conj resolve_neg sgn
"""
INPLACE = "abs absolute conj_physical sgn"
OPERATORS = {
    "__abs__": abs,
    "real": property(real, lambda self, value: real(self).copy_(value)),
    "imag": property(imag, lambda self, value: imag(self).copy_(value)),
    "H": property(_hermitian),
    "mH": property(adjoint),
}
