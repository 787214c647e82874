import numpy as np

from . import call, entry

entry(
    "matmul",
    lambda r: call(r(3, 4), r(4, 2)),
    lambda r: call(r(2, 3, 4), r(4, 2)),
    lambda r: call(r(2, 1, 3, 4), r(5, 4, 2)),
    expect=np.matmul,
)
