import math

import numpy as np

from . import call, entry, unary


def _kinked(name, expect, *samples, kinks=(), **options):
    """An operation with kinks: the samples keep away from them."""

    def away(r, *shape):
        x = np.asarray(r.between(-6, 6, *shape))
        for kink in kinks:
            x = np.where(np.abs(x - kink) < 0.1, kink + 0.2, x)
        return np.asarray(x)

    def sample(shape, args):
        return lambda r: call(away(r, *shape), *args)

    shapes = [(4, 5), (), (0, 3)]
    entry(name, *[sample(s, a) for a in samples or ((),) for s in shapes], expect=expect, **options)


def _each(function):
    """A function of numbers, element by element."""
    return lambda x, *args: np.reshape([function(float(v), *args) for v in np.ravel(x)], np.shape(x))


def _sigmoid(v):
    return 1 / (1 + math.exp(-v))


def _normal(v):
    return 0.5 * math.erfc(-v / math.sqrt(2))


def _nearly_normal(v):
    return 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))


entry(
    "gate",  # the last sample is large enough for the pieces
    lambda r: call(r(3, 4), r.off_zero(3, 4)),
    lambda r: call(r(), r.off_zero()),
    lambda r: call(r(300, 256), r.off_zero(300, 256)),
    expect=lambda x, out: np.where(out > 0, x, 0),
)
entry(
    "tied",
    lambda r: call(r(3, 4), r(2)),
    lambda r: call(r(), r(0, 3)),
    expect=lambda x, to: x,
)
unary("relu", _each(lambda v: v if v > 0 else 0.0), "off_zero")
_kinked("leaky_relu", _each(lambda v, s=0.01: v if v > 0 else s * v), (), (0.3,), (2.0,), (-0.5,), kinks=(0,))
_kinked("hardtanh", _each(lambda v, a=-1, b=1: min(max(v, a), b)), (), (-3.0, 2.0), kinks=(-3, -1, 1, 2))
_kinked("hardsigmoid", _each(lambda v: min(max(v / 6 + 0.5, 0), 1)), kinks=(-3, 3))
_kinked("hardswish", _each(lambda v: v * min(max(v / 6 + 0.5, 0), 1)), kinks=(-3, 3))
_kinked("threshold", _each(lambda v, t, value: v if v > t else value), (0.5, -2.0), kinks=(0.5,))
_kinked("hardshrink", _each(lambda v, t=0.5: v if abs(v) > t else 0.0), (), (1.5,), kinks=(-1.5, -0.5, 0.5, 1.5))
_kinked(
    "softshrink", _each(lambda v, t=0.5: math.copysign(max(abs(v) - t, 0), v)), (), (1.5,), kinks=(-1.5, -0.5, 0.5, 1.5)
)
entry(
    "prelu",
    lambda r: call(r.off_zero(3, 4), r()),
    lambda r: call(r.off_zero(2, 3, 4), r(3, 1)),
    lambda r: call(r.off_zero(), r()),
    lambda r: call(r.off_zero(0, 3), r(3)),
    expect=lambda x, w: np.where(x > 0, x, x * w),
)

_kinked(
    "elu",
    _each(lambda v, a=1, s=1, i=1: s * (v if v > 0 else a * (math.exp(i * v) - 1))),
    (), (0.7,), (1.6732632423543772, 1.0507009873554805), (-0.5, 1.0, 2.0), kinks=(0,),
)  # fmt: skip
_kinked(
    "softplus",
    _each(lambda v, b=1, t=20: v if v * b > t else math.log1p(math.exp(b * v)) / b),
    (),
    (0.5,),
    (2.0, 3.0),
    kinks=(1.5,),
)
_kinked("logsigmoid", _each(lambda v: math.log(_sigmoid(v))))

_kinked("silu", _each(lambda v: v * _sigmoid(v)))
_kinked("mish", _each(lambda v: v * math.tanh(math.log1p(math.exp(v)))))
_kinked("gelu", _each(lambda v, how="none": v * (_normal(v) if how == "none" else _nearly_normal(v))), (), ("tanh",))
_kinked("tanhshrink", _each(lambda v: v - math.tanh(v)))


def _glu(x, dim=-1):
    a, b = np.split(x, 2, dim)
    return a / (1 + np.exp(-b))


entry(
    "glu",
    lambda r: call(r(3, 4)),
    lambda r: call(r(2, 4, 3), 1),
    lambda r: call(r(6), 0),
    lambda r: call(r(0, 4)),
    expect=_glu,
)
