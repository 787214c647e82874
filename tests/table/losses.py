import itertools

import numpy as np

from tinygrad_edu import float64
from tinygrad_edu.ops.losses import _ctc_states

from . import call, entry


def _reduced(losses, reduction, weights=None):
    if reduction == "none":
        return np.asarray(losses)
    total = np.sum(losses)
    return total / (np.size(losses) if weights is None else np.sum(weights)) if reduction == "mean" else total


def _pairs(*options, draw="__call__"):
    """Two tensors, reduced in all ways; one that broadcasts, one without dimensions."""
    return [
        *[
            lambda r, o=o, how=how: call(getattr(r, draw)(3, 4), getattr(r, draw)(3, 4), how, *o)
            for o in options or ((),)
            for how in ("mean", "sum", "none")
        ],
        lambda r: call(getattr(r, draw)(3, 1), getattr(r, draw)(4), "mean", *(options[0] if options else ())),
        lambda r: call(getattr(r, draw)(), getattr(r, draw)(), "mean", *(options[0] if options else ())),
        lambda r: call(getattr(r, draw)(0, 2), getattr(r, draw)(0, 2), "sum", *(options[0] if options else ())),
    ]


def _huber(x, y, reduction="mean", delta=1.0):
    d = np.abs(x - y)
    return _reduced(np.where(d < delta, 0.5 * d * d, delta * (d - 0.5 * delta)), reduction)


entry("mse_loss", *_pairs(), expect=lambda x, y, reduction: _reduced((x - y) ** 2, reduction))
entry("huber_loss", *_pairs((1.0,), (0.3,)), expect=_huber)

# --- two classes: weights are made of whole numbers, since they have no gradient --------------------------------------


def _weighted(op, x, y, k=None, *args, **options):
    return op(x, y, k if k is None else k.to(x.dtype) / 4, *args, **options)


def _bce(x, y, k=None, reduction="mean"):
    losses = -(y * np.log(x) + (1 - y) * np.log(1 - x))
    return _reduced(losses if k is None else losses * k / 4, reduction)


def _chances(r, *shape):
    return r.between(0.1, 0.9, *shape)


entry(
    "binary_cross_entropy",
    *[lambda r, how=how: call(_chances(r, 3, 4), _chances(r, 3, 4), None, how) for how in ("mean", "sum", "none")],
    lambda r: call(_chances(r, 3, 4), _chances(r, 3, 4), r.ints(1, 6, 4)),
    lambda r: call(_chances(r), _chances(r)),
    lambda r: call(_chances(r, 0, 2), _chances(r, 0, 2), None, "sum"),
    expect=_bce,
    through=_weighted,
)


def _bce_logits(x, y, k=None, p=None, reduction="mean"):
    s = 1 / (1 + np.exp(-x))
    losses = -((1 if p is None else p / 3) * y * np.log(s) + (1 - y) * np.log(1 - s))
    return _reduced(losses if k is None else losses * k / 4, reduction)


entry(
    "binary_cross_entropy_with_logits",
    *[lambda r, how=how: call(r(3, 4), _chances(r, 3, 4), None, None, how) for how in ("mean", "sum", "none")],
    lambda r: call(r(3, 4), _chances(r, 3, 4), r.ints(1, 6, 4)),
    lambda r: call(r(3, 4), _chances(r, 3, 4), None, r.ints(1, 6, 4)),
    lambda r: call(r(3, 4), _chances(r, 3, 4), r.ints(1, 6, 3, 1), r.ints(1, 6, 4), "none"),
    lambda r: call(r(), _chances(r)),
    lambda r: call(r(0, 2), _chances(r, 0, 2), None, None, "sum"),
    expect=_bce_logits,
    through=lambda op, x, y, k=None, p=None, *args: _weighted(
        op, x, y, k, p if p is None else p.to(x.dtype) / 3, *args
    ),
)

# --- many classes ------------------------------------------------------------------------------------------------------


def _each_row(x):
    """The classes' dimension last."""
    return np.moveaxis(x, min(x.ndim, 2) - 1, -1)


def _nll(x, t, k=None, ignore=None, reduction="mean", smoothing=0.0):
    """By a loop over the rows."""
    rows = _each_row(x)
    classes = rows.shape[-1]
    weight = np.ones(classes) if k is None else k / 4
    losses, counted = np.zeros(t.shape), np.zeros(t.shape)
    for place in np.ndindex(*t.shape):
        if t[place] != ignore:
            row, w = rows[place], weight[t[place]]
            losses[place] = -(1 - smoothing) * w * row[t[place]] - smoothing / classes * (weight * row).sum()
            counted[place] = w
    return _reduced(losses, reduction, counted)


def _cross_entropy(x, t, *args):
    rows = _each_row(x)
    logp = rows - np.log(np.exp(rows).sum(-1, keepdims=True))
    return _nll(np.moveaxis(logp, -1, min(x.ndim, 2) - 1), t, *args)


_classes = [
    *[lambda r, how=how: call(r(5, 3), r.ints(0, 3, 5), None, None, how) for how in ("mean", "sum", "none")],
    *[
        lambda r, how=how: call(r(5, 3), np.array([2, 0, 1, 2, 2]), r.ints(1, 6, 3), 1, how)
        for how in ("mean", "sum", "none")
    ],
    lambda r: call(r(4, 3), np.array([0, -100, 2, -100]), None, -100),
    lambda r: call(r(2, 3, 4), r.ints(0, 3, 2, 4)),
    lambda r: call(r(2, 3, 2, 2), r.ints(0, 3, 2, 2, 2), r.ints(1, 6, 3), None, "none"),
    lambda r: call(r(4), r.ints(0, 4)),
    lambda r: call(r(4), r.ints(0, 4), None, None, "none"),
    lambda r: call(r(0, 3), r.ints(0, 3, 0), None, None, "sum"),
]
_smoothed = [
    *[lambda r, how=how: call(r(5, 3), r.ints(0, 3, 5), None, None, how, 0.2) for how in ("mean", "sum", "none")],
    *[
        lambda r, how=how: call(r(5, 3), np.array([2, 0, 1, 2, 2]), r.ints(1, 6, 3), 1, how, 0.1)
        for how in ("mean", "sum", "none")
    ],
    lambda r: call(r(4, 3), np.array([0, -100, 2, -100]), None, -100, "mean", 1.0),
    lambda r: call(r(2, 3, 4), r.ints(0, 3, 2, 4), r.ints(1, 6, 3), None, "mean", 0.3),
    lambda r: call(r(4), r.ints(0, 4), None, None, "mean", 0.3),
]

entry("nll_loss", *_classes, expect=_nll, through=_weighted)
entry("cross_entropy", *_classes, *_smoothed, expect=_cross_entropy, through=_weighted)
entry(
    "target_weights",
    lambda r: call(r.ints(0, 3, 4), weight=None, ignore_index=None, reduction="mean", shape=(4, 3), dtype=float64),
    lambda r: call(r.ints(0, 3, 4, 2), weight=None, ignore_index=1, reduction="sum", shape=(4, 3, 2), dtype=float64),
    expect=lambda t, shape, ignore_index, reduction, **_: (
        -np.moveaxis(
            (t[..., None] == np.arange(3)) * (t != ignore_index)[..., None] / (t.size if reduction == "mean" else 1.0),
            -1,
            1,
        )
    ),
    gradient=False,
)
entry(
    "is_class",
    lambda r: call(r.ints(0, 3, 4), 3),
    lambda r: call(r.ints(0, 3, 2, 4), 3),
    lambda r: call(r.ints(0, 3), 3),
    expect=lambda t, classes: np.eye(classes, dtype=bool)[t],
    gradient=False,
)

# --- sequences ---------------------------------------------------------------------------------------------------------


def _ctc(x, target, length, blank=0):
    """By spelling every path."""
    classes = x.shape[2]
    losses = []
    for n in range(x.shape[1]):
        total = 0.0
        for path in itertools.product(range(classes), repeat=int(length[n])):
            spelled = [c for c, _ in itertools.groupby(path) if c != blank]
            if spelled == [c for c in target[n] if c >= 0]:
                total += np.exp(sum(x[t, n, c] for t, c in enumerate(path)))
        losses.append(-np.log(total))
    return np.array(losses)


def _through_states(op, x, target, length):
    lengths = (target.array >= 0).sum(1).tolist()
    states, skips, first, last = _ctc_states(target.array, lengths, 0)
    return op(x, states, skips, length.reshape(-1, 1), first, last)


entry(
    "ctc_loss",
    lambda r: call(r(4, 2, 3), np.array([[1, 2], [1, 1]]), np.array([4, 4])),
    lambda r: call(r(5, 3, 3), np.array([[2, 1, 2], [1, -1, -1], [2, 2, -1]]), np.array([5, 3, 4])),
    lambda r: call(r(3, 2, 2), np.array([[-1], [1]]), np.array([3, 2])),
    expect=_ctc,
    through=_through_states,
)
