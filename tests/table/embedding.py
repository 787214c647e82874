import numpy as np

from . import call, entry

entry(
    "embedding",
    lambda r: call(r(5, 3), r.ints(0, 5, 4)),
    lambda r: call(r(5, 3), r.ints(0, 5, 2, 4)),
    lambda r: call(r(5, 3), np.asarray(2)),
    lambda r: call(r(5, 3), r.ints(0, 5, 0)),
    lambda r: call(r(2, 3), np.array([0, 1, 1, 0, 1])),
    expect=lambda weight, index: weight[index],
)


def _sum_rows(x, index, rows, skip=None, by_frequency=False):
    table = np.zeros((rows, x.shape[-1]))
    for place in np.ndindex(*index.shape):
        if index[place] != skip:
            table[index[place]] += x[place] / ((index == index[place]).sum() if by_frequency else 1)
    return table


entry(
    "sum_rows",
    lambda r: call(r(4, 3), r.ints(0, 5, 4), 5),
    lambda r: call(r(2, 4, 3), r.ints(0, 3, 2, 4), 3, 1),
    lambda r: call(r(2, 4, 3), r.ints(0, 3, 2, 4), 3, None, True),
    lambda r: call(r(3), np.asarray(1), 2),
    lambda r: call(r(0, 3), r.ints(0, 5, 0), 5),
    expect=_sum_rows,
)
entry(
    "frequency",
    lambda r: call(np.array([2, 0, 2, 2]), r(1)),
    lambda r: call(np.array([[2, 0], [1, 2]]), r(1)),
    expect=lambda index, like: np.array([[(index == i).sum()] for i in index.ravel()], float).reshape(*index.shape, 1),
    gradient=False,
)
entry(
    "dropout",
    lambda r: call(r(3, 4), r.flags(3, 4), 2.0),
    lambda r: call(r(2, 3, 4), r.flags(2, 3, 1), 1.25),
    lambda r: call(r(), r.flags(), 2.0),
    lambda r: call(r(0, 3), r.flags(0, 3), 2.0),
    expect=lambda x, mask, scale: np.where(mask, x * scale, 0),
)


def _alpha_dropout(x, mask, p):
    kept = np.where(mask, x, -1.0507009873554805 * 1.6732632423543772)
    scale = 1 / np.sqrt((1 - p) * (1 + p * (1.0507009873554805 * 1.6732632423543772) ** 2))
    return scale * kept + scale * p * 1.0507009873554805 * 1.6732632423543772


entry(
    "alpha_dropout",
    lambda r: call(r(3, 4), r.flags(3, 4), 0.4),
    lambda r: call(r(2, 3, 4), r.flags(2, 3, 1), 0.5),
    lambda r: call(r(), r.flags(), 0.1),
    expect=_alpha_dropout,
)
