import numpy as np

from . import call, entry


def _normal(x, axes, eps):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def _affine(x, weight, bias, shape):
    x = x if weight is None else x * weight.reshape(shape)
    return x if bias is None else x + bias.reshape(shape)


def _layer_norm(x, weight, bias, dims, eps):
    return _affine(_normal(x, tuple(range(-dims, 0)), eps), weight, bias, x.shape[-dims:])


entry(
    "layer_norm",
    lambda r: call(r(3, 5), r(5), r(5), dims=1, eps=1e-5),
    lambda r: call(r(2, 3, 4), r(3, 4), r(3, 4), dims=2, eps=0.1),
    lambda r: call(r(2, 3, 4), None, r(4), dims=1, eps=1e-5),
    lambda r: call(r(2, 3, 4), r(4), None, dims=1, eps=1e-5),
    lambda r: call(r(6), None, None, dims=1, eps=1e-5),
    lambda r: call(r(0, 3), r(3), r(3), dims=1, eps=1e-5),
    expect=_layer_norm,
)


def _rms_norm(x, weight, dims, eps):
    out = x / np.sqrt((x * x).mean(tuple(range(-dims, 0)), keepdims=True) + eps)
    return out if weight is None else out * weight


entry(
    "rms_norm",
    lambda r: call(r(3, 5), r(5), dims=1, eps=1e-5),
    lambda r: call(r(2, 3, 4), r(3, 4), dims=2, eps=0.1),
    lambda r: call(r(6), None, dims=1, eps=1e-5),
    lambda r: call(r(0, 3), r(3), dims=1, eps=1e-5),
    expect=_rms_norm,
)


def _group_norm(x, weight, bias, groups, eps):
    rows = _normal(x.reshape(x.shape[0], groups, -1), 2, eps) if x.size else x
    return _affine(rows.reshape(x.shape), weight, bias, (-1, *[1] * (x.ndim - 2)))


entry(
    "group_norm",
    lambda r: call(r(2, 4, 3), r(4), r(4), groups=2, eps=1e-5),
    lambda r: call(r(2, 4, 2, 3), r(4), None, groups=4, eps=0.1),
    lambda r: call(r(2, 4), None, r(4), groups=1, eps=1e-5),
    lambda r: call(r(3, 4, 2), None, None, groups=2, eps=1e-5),
    lambda r: call(r(0, 4, 2), r(4), r(4), groups=2, eps=1e-5),
    expect=_group_norm,
)


def _batch_norm(x, weight, bias, eps):
    axes = (0, *range(2, x.ndim))
    out = _affine(_normal(x, axes, eps), weight, bias, (-1, *[1] * (x.ndim - 2)))
    return out, x.mean(axes), x.var(axes)


entry(
    "batch_norm",
    lambda r: call(r(5, 3), r(3), r(3), eps=1e-5),
    lambda r: call(r(2, 3, 4), r(3), None, eps=0.1),
    lambda r: call(r(2, 3, 2, 2), None, r(3), eps=1e-5),
    lambda r: call(r(4, 2), None, None, eps=1e-5),
    expect=_batch_norm,
)


def _channel_sum(x, before, after):
    rows = [x[:, max(c - before, 0) : c + after + 1].sum(1) for c in range(x.shape[1])]
    return np.stack(rows, 1)


entry(
    "channel_sum",
    lambda r: call(r(2, 5, 3), 1, 2),
    lambda r: call(r(2, 3), 4, 4),
    lambda r: call(r(2, 3, 2), 0, 0),
    expect=_channel_sum,
)

entry(
    "moved",
    lambda r: call(r(3), r(3), 0.1, 1.5),
    lambda r: call(r(0), r(0), 0.5, 1.0),
    expect=lambda running, value, rate, factor: running - rate * (running - factor * value),
    gradient=False,
)
