import numpy as np

from . import call, entry


def _products(draw):
    shapes = [
        ((3, 4), (4, 2)), ((2, 3, 4), (4, 2)), ((2, 1, 3, 4), (5, 4, 2)), ((3, 4), (5, 4, 2)), ((4,), (4,)),
        ((4,), (4, 2)), ((3, 4), (4,)), ((4,), (2, 4, 3)), ((2, 3, 4), (4,)), ((0, 4), (4, 2)), ((3, 0), (0, 2)),
        ((2, 0, 3), (3, 4)),
    ]  # fmt: skip
    return [lambda r, a=a, b=b: call(getattr(r, draw)(*a), getattr(r, draw)(*b)) for a, b in shapes]


entry("matmul", *_products("__call__"), *_products("complex"), expect=np.matmul)


def _linear(x, weight, bias=None):
    out = np.einsum("...i,oi->...o", x, weight) if weight.ndim == 2 else np.einsum("...i,i->...", x, weight)
    return out if bias is None else out + bias


entry(
    "linear",
    lambda r: call(r(5, 3), r(2, 3), r(2)),
    lambda r: call(r(5, 3), r(2, 3)),
    lambda r: call(r(2, 5, 3), r(4, 3), r(4)),
    lambda r: call(r(2, 1, 5, 3), r(4, 3), r(1)),
    lambda r: call(r(3), r(4, 3), r(4)),
    lambda r: call(r(3), r(4, 3)),
    lambda r: call(r(5, 3), r(3)),
    lambda r: call(r(2, 5, 3), r(3)),
    lambda r: call(r(0, 3), r(2, 3), r(2)),
    lambda r: call(r(5, 3), r(2, 3), r(5, 2)),
    lambda r: call(r.complex(5, 3), r.complex(2, 3), r.complex(2)),
    expect=_linear,
)
entry(
    "cross",
    lambda r: call(r(3), r(3)),
    lambda r: call(r(2, 3, 4), r(2, 3, 4), 1),
    lambda r: call(r(5, 3), r(1, 3)),
    lambda r: call(r.complex(5, 3), r.complex(5, 3)),
    expect=lambda x, y, dim=-1: np.cross(x, y, axis=dim),
)
