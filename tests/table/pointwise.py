import math

import numpy as np

from . import Call, Draw, binary, call, entry


def holomorphic(name, expect, draw="__call__", limits=()):
    """An operation of one argument that also takes complex numbers."""

    def sample(draw: str, limits: tuple, *shape: int):
        return lambda r: call(getattr(r, draw)(*limits, *shape))

    reals = [sample(draw, limits, *shape) for shape in ((3, 4), (), (0, 3))]
    entry(name, *reals, sample("complex", (), 3, 4), sample("complex", ()), expect=expect)


def arithmetic(name, expect, draw="__call__"):
    """An operation of two arguments that also takes complex numbers, alone and beside real ones."""

    def real(*shapes):
        return lambda r: call(*[getattr(r, draw)(*shape) for shape in shapes])

    def mixed(r: Draw) -> Call:
        return call(r.complex(3, 1), r.off_zero(4))

    shapes = [((3, 4), (3, 4)), ((3, 1), (4,)), ((2, 3, 4), (3, 1)), ((), (2, 3)), ((), ()), ((0, 3), (1, 3))]
    pair = [lambda r: call(r.complex(3, 4), r.complex(4)), lambda r: call(r.complex(3), 2 - 1j)]
    entry(name, *[real(*each) for each in shapes], mixed, *pair, expect=expect)


def division(name, expect):
    """An operation on quotients that jumps at whole numbers: those here lie between 2.1 and 2.9."""

    def sample(a, b):
        return lambda r: call(
            np.asarray(r.between(2.2, 2.8, *a) * np.sign(r(*a))),
            np.asarray(r.between(0.97, 1.03, *b) * np.sign(r(*b))),
        )

    shapes = [((3, 4), (3, 4)), ((3, 1), (4,)), ((), (2, 3)), ((), ()), ((0, 3), (1, 3))]
    entry(name, *[sample(a, b) for a, b in shapes], expect=expect)


holomorphic("neg", np.negative)
holomorphic("square", np.square)
holomorphic("reciprocal", np.reciprocal, "off_zero")
holomorphic("sqrt", lambda x: x**0.5, "between", (0.3, 3.0))
holomorphic("rsqrt", lambda x: x**-0.5, "between", (0.3, 3.0))
holomorphic("exp", np.exp)
holomorphic("exp2", lambda x: 2**x)
holomorphic("expm1", lambda x: np.exp(x) - 1)
holomorphic("log", np.log, "between", (0.3, 3.0))
holomorphic("log2", lambda x: np.log(x) / math.log(2), "between", (0.3, 3.0))
holomorphic("log10", lambda x: np.log(x) / math.log(10), "between", (0.3, 3.0))
holomorphic("log1p", lambda x: np.log(1 + x), "between", (-0.6, 3.0))
holomorphic("sigmoid", lambda x: (1 + np.tanh(x / 2)) / 2)
arithmetic("add", np.add)
arithmetic("sub", np.subtract)
arithmetic("mul", np.multiply)
arithmetic("div", np.divide, "off_zero")
division("floor_div", lambda x, y: np.floor(x / y))
division("trunc_div", lambda x, y: np.trunc(x / y))
division("remainder", lambda x, y: x - y * np.floor(x / y))
division("fmod", lambda x, y: x - y * np.trunc(x / y))
binary("hypot", lambda x, y: np.sqrt(x * x + y * y), "off_zero")
binary("logaddexp", lambda x, y: np.log(np.exp(x) + np.exp(y)))
binary("logaddexp2", lambda x, y: np.log2(2**x + 2**y))
binary("xlogy", lambda x, y: x * np.log(y), "between", (0.3, 3.0))
binary("xlog1py", lambda x, y: x * np.log(1 + y), "between", (0.3, 3.0))

entry(
    "pow",
    lambda r: call(r.between(0.3, 2, 3, 4), r(4)),
    lambda r: call(r.off_zero(3, 4), 2),
    lambda r: call(r.off_zero(3, 4), 3),
    lambda r: call(r.off_zero(3), 0),
    lambda r: call(r.between(0.3, 2, 3), -1.5),
    lambda r: call(r.between(0.3, 2), r()),
    lambda r: call(r.between(0.3, 2, 0, 3), r(3)),
    lambda r: call(0.5 * r.complex(3, 4) + 2, 0.5 * r.complex(4)),
    expect=np.power,
)
entry(
    "addcmul",
    lambda r: call(r(3, 4), r(4), r(3, 1)),
    lambda r: call(r(3), r(3), r(3), value=-0.5),
    lambda r: call(r(), r(), r()),
    lambda r: call(r.complex(3), r.complex(3), r.complex(3), value=2.0),
    expect=lambda x, a, b, value=1: x + value * (a * b),
)
entry(
    "addcdiv",
    lambda r: call(r(3, 4), r(4), r.off_zero(3, 1)),
    lambda r: call(r(3), r(3), r.off_zero(3), value=-0.5),
    lambda r: call(r(), r(), r.off_zero()),
    expect=lambda x, a, b, value=1: x + value * (a / b),
)
entry(
    "lerp",
    lambda r: call(r(3, 4), r(4), r.between(0, 1, 3, 1)),
    lambda r: call(r(3), r(3), 0.2),
    lambda r: call(r(3), r(3), 0.9),
    lambda r: call(r(), r(), r()),
    expect=lambda x, end, weight: x + weight * (end - x),
)
entry(
    "where",
    lambda r: call(r.flags(3, 4), r(3, 4), r(3, 4)),
    lambda r: call(r.flags(3, 1), r(4), r()),
    lambda r: call(r.flags(3), r(3), 2.0),
    lambda r: call(r.flags(), r(), r()),
    lambda r: call(r.flags(0, 3), r(3), r(1)),
    expect=lambda condition, x, y: condition * x + ~condition * y,
)
entry(
    "logit",
    lambda r: call(r.between(0.1, 0.9, 3, 4)),
    lambda r: call(r.between(0.1, 0.9)),
    lambda r: call(r.between(-0.5, 1.5, 30), 0.2),
    lambda r: call(r.between(0.1, 0.9, 0, 3)),
    expect=lambda x, eps=0: np.log(np.clip(x, eps, 1 - eps)) - np.log(1 - np.clip(x, eps, 1 - eps)),
)
