import math

import numpy as np

from . import binary, call, entry, unary

unary("floor", np.vectorize(math.floor, otypes=[float]))
unary("ceil", np.vectorize(math.ceil, otypes=[float]))
unary("trunc", np.vectorize(math.trunc, otypes=[float]))
unary("frac", lambda x: x - np.trunc(x))
unary("sign", lambda x: x / abs(x), "off_zero")
unary("signbit", lambda x: x < 0, "off_zero", gradient=False)
binary("copysign", lambda x, y: abs(x) * np.sign(y), "off_zero")
binary("heaviside", np.heaviside, "distinct", gradient=False)
binary("nextafter", np.nextafter)
entry(
    "round",
    lambda r: call(r.distinct(3, 4)),
    lambda r: call(r.distinct()),
    lambda r: call(r.distinct(3, 4), decimals=2),
    lambda r: call(100 * r.distinct(5) - 3, decimals=-1),
    lambda r: call(r(0, 3)),
    expect=np.vectorize(lambda x, decimals=0: round(x * 10**decimals) / 10**decimals, otypes=[float]),
)

# numbers whose differences are never near 0, on either side of the broadcast
_shapes = [((3, 4), (3, 4)), ((3, 1), (4,)), ((), (2, 3)), ((), ()), ((0, 3), (1, 3))]
for _name, _expect in {"maximum": np.maximum, "minimum": np.minimum, "fmax": np.maximum, "fmin": np.minimum}.items():
    entry(
        _name,
        *[lambda r, a=a, b=b: call(r.distinct(*a), np.asarray(r.distinct(*b) + 0.03)) for a, b in _shapes],
        expect=_expect,
    )
entry(
    "clamp",
    lambda r: call(r.distinct(3, 4), -0.3, 0.6),
    lambda r: call(r.distinct(3, 4), None, 0.2),
    lambda r: call(r.distinct(), -0.3, None),
    lambda r: call(r.distinct(3, 4), r.distinct(3, 4) - 0.53, r.distinct(3, 4) + 0.52),
    lambda r: call(r.distinct(3, 4), r.distinct(4) + 0.03, None),
    lambda r: call(r.distinct(0, 4), 0.1, None),
    expect=np.clip,
)
entry(
    "nan_to_num",
    lambda r: call(r(3, 4)),
    lambda r: call(r()),
    lambda r: call(r(0, 4)),
    expect=np.nan_to_num,
)
binary("gcd", np.vectorize(math.gcd, otypes=[int]), "ints", (-20, 20), gradient=False)
binary("lcm", np.vectorize(math.lcm, otypes=[int]), "ints", (-20, 20), gradient=False)
entry(
    "times_power_of_2",
    lambda r: call(r(3, 4), r.ints(-3, 4, 4)),
    lambda r: call(r(), r.ints(-3, 4)),
    expect=lambda x, exponent: x * 2.0**exponent,
)
entry(
    "frexp",
    lambda r: call(r.off_zero(3, 4)),
    lambda r: call(r.off_zero()),
    lambda r: call(r.off_zero(0, 3)),
    expect=lambda x: tuple(
        np.vectorize(lambda v, k=k: math.frexp(v)[k], otypes=[kind])(x) for k, kind in enumerate((float, int))
    ),
)
