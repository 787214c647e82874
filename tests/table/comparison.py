import numpy as np

from . import Draw, binary, call, entry, unary

for _name, _expect in {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
}.items():  # fmt: skip
    binary(_name, _expect, "distinct", gradient=False)


def _special(r: Draw, *shape: int) -> np.ndarray:
    """Numbers, infinite ones and none."""
    return np.asarray(r.rng.choice([np.nan, np.inf, -np.inf, 0.0, 1.5], shape))


for _name, _expect in {
    "isnan": lambda x: x != x,
    "isinf": lambda x: abs(x) == np.inf,
    "isfinite": lambda x: abs(x) < np.inf,
    "isposinf": lambda x: x == np.inf,
    "isneginf": lambda x: x == -np.inf,
}.items():
    entry(
        _name,
        lambda r: call(_special(r, 5, 6)),
        lambda r: call(_special(r)),
        lambda r: call(_special(r, 0, 3)),
        expect=_expect,
        gradient=False,
    )
entry(
    "isreal",
    lambda r: call(r.complex(3) * r.flags(3)),
    lambda r: call(r(3)),
    expect=lambda x: np.imag(x) == 0,
    gradient=False,
)
entry(
    "isclose",
    lambda r: call(
        np.array([1.0, 1.0, 2.0, np.inf, np.nan]), np.array([1.000001, 1.1, 2.0, np.inf, np.nan]), 1e-5, 0.0, False
    ),
    lambda r: call(r.ints(0, 3, 4), r.ints(0, 3, 4), 0.0, 1.0, True),
    expect=lambda x, y, rtol, atol, equal_nan: np.isclose(x, y, rtol, atol, equal_nan),
    gradient=False,
)

unary("logical_not", lambda x: x == 0, "ints", (0, 2), gradient=False)
unary("bitwise_not", lambda x: -x - 1, "ints", (-9, 9), gradient=False)
binary("logical_and", lambda x, y: (x != 0) & (y != 0), "ints", (0, 2), gradient=False)
binary("logical_or", lambda x, y: (x != 0) | (y != 0), "ints", (0, 2), gradient=False)
binary("logical_xor", lambda x, y: (x != 0) != (y != 0), "ints", (0, 2), gradient=False)
binary("bitwise_and", np.bitwise_and, "ints", (-9, 9), gradient=False)
binary("bitwise_or", np.bitwise_or, "ints", (-9, 9), gradient=False)
binary("bitwise_xor", np.bitwise_xor, "ints", (-9, 9), gradient=False)
binary("bitwise_left_shift", lambda x, y: x * 2**y, "ints", (0, 9), gradient=False)
binary("bitwise_right_shift", lambda x, y: x // 2**y, "ints", (0, 9), gradient=False)
