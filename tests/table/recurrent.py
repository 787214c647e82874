import numpy as np

from . import call, entry


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _weights(r, gates, inputs=3, hidden=2, biased=True):
    """Two weights and two biases."""
    biases = (r(gates * hidden), r(gates * hidden)) if biased else (None, None)
    return (r(gates * hidden, inputs), r(gates * hidden, hidden), *biases)


def _bias(b):
    return 0 if b is None else b


def _rnn(x, h, w_ih, w_hh, b_ih, b_hh, relu_=False):
    steps = []
    for step in x:
        h = step @ w_ih.T + h @ w_hh.T + _bias(b_ih) + _bias(b_hh)
        h = np.maximum(h, 0) if relu_ else np.tanh(h)
        steps.append(h)
    return np.stack(steps), h


def _lstm(x, h, c, w_ih, w_hh, b_ih, b_hh):
    steps = []
    for step in x:
        i, f, g, o = np.split(step @ w_ih.T + h @ w_hh.T + _bias(b_ih) + _bias(b_hh), 4, -1)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        steps.append(h)
    return np.stack(steps), h, c


def _gru(x, h, w_ih, w_hh, b_ih, b_hh):
    steps = []
    for step in x:
        r, z, n = np.split(step @ w_ih.T + _bias(b_ih), 3, -1)
        hr, hz, hn = np.split(h @ w_hh.T + _bias(b_hh), 3, -1)
        r, z = _sigmoid(r + hr), _sigmoid(z + hz)
        h = (1 - z) * np.tanh(n + r * hn) + z * h
        steps.append(h)
    return np.stack(steps), h


entry(
    "rnn",
    lambda r: call(r(4, 2, 3), r(2, 2), *_weights(r, 1)),
    lambda r: call(r(4, 2, 3), r(2, 2), *_weights(r, 1), relu_=True),
    lambda r: call(r(1, 2, 3), r(2, 2), *_weights(r, 1, biased=False)),
    lambda r: call(r(4, 3), r(2), *_weights(r, 1)),
    expect=_rnn,
)
entry(
    "lstm",
    lambda r: call(r(4, 2, 3), r(2, 2), r(2, 2), *_weights(r, 4)),
    lambda r: call(r(1, 2, 3), r(2, 2), r(2, 2), *_weights(r, 4, biased=False)),
    lambda r: call(r(4, 3), r(2), r(2), *_weights(r, 4)),
    expect=_lstm,
)
entry(
    "gru",
    lambda r: call(r(4, 2, 3), r(2, 2), *_weights(r, 3)),
    lambda r: call(r(1, 2, 3), r(2, 2), *_weights(r, 3, biased=False)),
    lambda r: call(r(4, 3), r(2), *_weights(r, 3)),
    expect=_gru,
)
