"""Recurrence: a layer of cells that runs along a sequence, as one operation.

All steps' products with the inputs are one matrix product beforehand, and so are, on the way back, all steps'
contributions to the weights' gradients: the loop over time holds only what truly waits for the step before. There the
weights are a copy of their transpose: with the few rows of a batch, BLAS takes twice as long for the transposed view.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import devices
from ..op import op
from ..sums import total
from ..tensor import Tensor
from .activations import relu
from .joining import cat, chunk, stack, unbind
from .matrix import linear
from .movement import flip
from .pointwise import sigmoid
from .shape import unsqueeze
from .trigonometry import tanh

# x (T, B, I), states (B, H), weights (gates * H, I) and (gates * H, H), biases (gates * H)


def _projected(x, w, *biases):
    """x wᵀ + biases for all steps at once."""
    out = x.reshape(-1, x.shape[-1]) @ w.T
    given = [b for b in biases if b is not None]
    if given:
        out += sum(given[1:], given[0])
    return out.reshape(*x.shape[:-1], w.shape[0])  # (T, B, gates * H)


def _weight_grads(gates, x, states, w_ih, needs, first):
    """The gradients of x, w_ih, w_hh, b_ih and b_hh from those of all steps' gates; w_ih's place in `needs` is `first`."""
    flat = gates.reshape(-1, gates.shape[-1])  # (T * B, gates * H)
    gx = (flat @ w_ih).reshape(x.shape) if needs & 1 else None
    gw_ih = flat.T @ x.reshape(-1, x.shape[-1]) if needs >> first & 1 else None
    gw_hh = flat.T @ states.reshape(-1, states.shape[-1]) if needs >> first & 2 else None
    gb = total(flat, 0) if needs >> first & 12 else None
    return gx, gw_ih, gw_hh, gb, gb


# Many gates: sigmoid(a) = ½ tanh(½ a) + ½, so that one tanh serves all of an LSTM's, and the inner ½ goes into its weights.


def _halved(w, order):
    """The gates of a weight or bias in this order, and halved but for the last, where no sigmoid follows."""
    if w is None:
        return None
    gates = w.reshape(len(order), len(w) // len(order), *w.shape[1:])[order]
    gates[:-1] *= 0.5
    return gates.reshape(w.shape)


def _by_gate(rows, count):
    """A view of the gates that lie in the last dimension, each a matrix by itself: (T, count, B, H)."""
    return np.moveaxis(rows.reshape(*rows.shape[:-1], count, rows.shape[-1] // count), -2, 1)


def _transposed(w, count):
    """Each gate's matrix transposed: (count, H, H). One product with all of them puts each gate in one run of memory."""
    return w.reshape(count, len(w) // count, w.shape[1]).swapaxes(1, 2).copy()


# --- the simple cell: h' = f(x w_ihᵀ + b_ih + h w_hhᵀ + b_hh) ----------------------------------------------------------


def _rnn_plain(x, h, w_ih, w_hh, b_ih, b_hh, relu_=False):
    steps = []
    for step in unbind(linear(x, w_ih, b_ih), 0):
        h = (relu if relu_ else tanh)(step + linear(h, w_hh, b_hh))
        steps.append(h)
    return stack(steps), h


@op(plain=_rnn_plain, returns="out state", keeps="states")
def _rnn(x, h, w_ih, w_hh, b_ih, b_hh, *, relu_=False):
    """h' = tanh(x w_ihᵀ + b_ih + h w_hhᵀ + b_hh), or with relu: every step's state, and the last."""
    states = devices.empty((len(x) + 1, *h.shape), x.dtype, like=x)
    states[0] = h
    projected = _projected(x, w_ih, b_ih, b_hh)
    recurrent, part = w_hh.T.copy(), devices.empty(h.shape, x.dtype, like=x)
    for t, a in enumerate(projected):
        a += np.matmul(states[t], recurrent, out=part)
        np.maximum(a, 0, out=states[t + 1]) if relu_ else np.tanh(a, out=states[t + 1])
    return states[1:], states[-1].copy(), states


def _rnn_grad(g_out, g_state, states, x, w_ih, w_hh, relu_, needs):
    gates = devices.empty(g_out.shape, g_out.dtype, like=g_out)
    slope = (states[1:] > 0) if relu_ else 1 - states[1:] * states[1:]
    gh = g_state.copy()
    for t in range(len(gates) - 1, -1, -1):
        gh += g_out[t]
        np.multiply(gh, slope[t], out=gates[t])
        np.matmul(gates[t], w_hh, out=gh)
    gx, *weights = _weight_grads(gates, x, states[:-1], w_ih, needs, 2)
    return gx, gh, *weights


_rnn.grad(together=_rnn_grad)

# --- LSTM: c' = f c + i g, h' = o tanh(c') ---------------------------------------------------------------------------


def _lstm_plain(x, h, c, w_ih, w_hh, b_ih, b_hh):
    steps = []
    for step in unbind(linear(x, w_ih, b_ih), 0):
        i, f, g, o = chunk(step + linear(h, w_hh, b_hh), 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(c)
        steps.append(h)
    return stack(steps), h, c


@op(plain=_lstm_plain, returns="out state cell", keeps="gates states cells")
def _lstm(x, h, c, w_ih, w_hh, b_ih, b_hh):
    """i, f, o = sigmoid, g = tanh of the gates; c' = f c + i g; h' = o tanh(c')."""
    states = devices.empty((len(x) + 1, *h.shape), x.dtype, like=x)
    cells = devices.empty(states.shape, x.dtype, like=x)
    states[0], cells[0] = h, c
    order = [0, 1, 3, 2]  # i, f, o, g: the sigmoids lie side by side
    gates = _by_gate(_projected(x, *[_halved(w, order) for w in (w_ih, b_ih, b_hh)]), 4).copy()  # (T, 4, B, H)
    recurrent = _transposed(_halved(w_hh, order), 4)
    part, added = devices.empty(gates.shape[1:], x.dtype, like=x), devices.empty(h.shape, x.dtype, like=x)
    half = devices.full((), 0.5, x.dtype, like=x)  # a number of Python's would be converted at every step
    for t, a in enumerate(gates):
        a += np.matmul(states[t], recurrent, out=part)
        np.tanh(a, out=a)
        i, f, o, g = a
        sigmoids = a[:3]
        sigmoids *= half
        sigmoids += half
        cell = np.multiply(f, cells[t], out=cells[t + 1])
        cell += np.multiply(i, g, out=added)
        np.multiply(o, np.tanh(cell, out=added), out=states[t + 1])
    return states[1:], states[-1].copy(), cells[-1].copy(), gates, states, cells


def _less_share(x, y, share, out):
    """x - y share"""
    return np.subtract(x, np.multiply(y, share, out=out), out=out)


def _lstm_grad(g_out, g_state, g_cell, gates, states, cells, x, w_ih, w_hh, needs):
    i, f, o, g = gates.swapaxes(0, 1)
    # what each gate's input does to the cell (i, f, g) or to the state (o): all that does not wait for the step after
    into_cell = devices.empty((3, *g.shape), g.dtype, like=g)
    part = i * g
    _less_share(part, part, i, out=into_cell[0])  # g i (1 - i)
    _less_share(i, part, g, out=into_cell[2])  # i (1 - g²)
    np.multiply(f, cells[:-1], out=part)
    _less_share(part, part, f, out=into_cell[1])  # c f (1 - f)
    into_state = _less_share(states[1:], states[1:], o, out=part)  # tanh(c') o (1 - o)
    through = np.tanh(cells[1:])
    _less_share(o, states[1:], through, out=through)  # what the new cell does to the state: o (1 - tanh²(c'))
    rows = devices.empty((*g.shape[:-1], 4 * g.shape[-1]), g.dtype, like=g)  # the gates' gradient
    apart = _by_gate(rows, 4)
    into_cell, cell_gates, o_gate = into_cell.swapaxes(0, 1), apart[:, :3], apart[:, 3]
    gh, gc, part = g_state.copy(), g_cell.copy(), devices.empty(g_state.shape, g.dtype, like=g)
    for t in range(len(g) - 1, -1, -1):
        gh += g_out[t]
        gc += np.multiply(gh, through[t], out=part)
        np.multiply(into_cell[t], gc, out=cell_gates[t])
        np.multiply(into_state[t], gh, out=o_gate[t])
        gc *= f[t]
        np.matmul(rows[t], w_hh, out=gh)
    gx, *weights = _weight_grads(rows, x, states[:-1], w_ih, needs, 3)
    return gx, gh, gc, *weights


_lstm.grad(together=_lstm_grad)

# --- GRU: h' = (1 - z) n + z h ---------------------------------------------------------------------------------------


def _gru_plain(x, h, w_ih, w_hh, b_ih, b_hh):
    steps = []
    for step in unbind(linear(x, w_ih, b_ih), 0):
        r, z, n = chunk(step, 3, -1)
        hr, hz, hn = chunk(linear(h, w_hh, b_hh), 3, -1)
        r, z = sigmoid(r + hr), sigmoid(z + hz)
        n = tanh(n + r * hn)
        h = n + z * (h - n)
        steps.append(h)
    return stack(steps), h


@op(plain=_gru_plain, returns="out state", keeps="gates states fresh")
def _gru(x, h, w_ih, w_hh, b_ih, b_hh):
    """r, z = sigmoid of the gates, n = tanh(x's part + r times h's part); h' = (1 - z) n + z h."""
    states = devices.empty((len(x) + 1, *h.shape), x.dtype, like=x)
    fresh = devices.empty((len(x), *h.shape), x.dtype, like=x)  # h's part of n, before the reset gate
    states[0] = h
    inside, b_new = b_hh, 0
    if b_hh is not None:  # n's stays behind the reset gate
        inside, b_new = b_hh.copy(), b_hh[2 * h.shape[-1] :]
        inside[2 * h.shape[-1] :] = 0
    gates = _by_gate(_projected(x, w_ih, b_ih, inside), 3).copy()  # (T, 3, B, H)
    recurrent = _transposed(w_hh, 3)
    part, added = devices.empty(gates.shape[1:], x.dtype, like=x), devices.empty(h.shape, x.dtype, like=x)
    half = devices.full((), 0.5, x.dtype, like=x)
    for t, (r, z, new) in enumerate(gates):
        np.matmul(states[t], recurrent, out=part)
        sigmoids = gates[t, :2]
        sigmoids += part[:2]
        sigmoids *= half
        np.tanh(sigmoids, out=sigmoids)
        sigmoids *= half
        sigmoids += half
        np.add(part[2], b_new, out=fresh[t])
        new += np.multiply(r, fresh[t], out=added)
        np.tanh(new, out=new)
        np.subtract(states[t], new, out=added)
        added *= z
        np.add(new, added, out=states[t + 1])
    return states[1:], states[-1].copy(), gates, states, fresh


def _gru_grad(g_out, g_state, gates, states, fresh, x, w_ih, w_hh, needs):
    r, z, new = gates.swapaxes(0, 1)
    into_new = (1 - z) * (1 - new * new)
    into_z = (states[:-1] - new) * z * (1 - z)
    into_r = fresh * r * (1 - r)
    ours = devices.empty((*new.shape[:-1], 3 * new.shape[-1]), new.dtype, like=new)  # the gradient of x's part
    theirs = devices.empty(ours.shape, new.dtype, like=new)  # of h's part: the reset gate stands before n
    our_r, our_z, our_new = _by_gate(ours, 3).swapaxes(0, 1)
    their_new = _by_gate(theirs, 3)[:, 2]
    gh, part = g_state.copy(), devices.empty(g_state.shape, new.dtype, like=new)
    for t in range(len(gates) - 1, -1, -1):
        gh += g_out[t]
        g_new = np.multiply(gh, into_new[t], out=our_new[t])
        np.multiply(g_new, into_r[t], out=our_r[t])
        np.multiply(gh, into_z[t], out=our_z[t])
        theirs[t] = ours[t]
        np.multiply(g_new, r[t], out=their_new[t])
        gh *= z[t]
        gh += np.matmul(theirs[t], w_hh, out=part)
    gx, gw_ih, _, gb_ih, _ = _weight_grads(ours, x, states[:-1], w_ih, needs & ~40, 2)  # all but w_hh, b_hh
    _, _, gw_hh, _, gb_hh = _weight_grads(theirs, x, states[:-1], w_ih, needs & ~21, 2)  # w_hh, b_hh
    return gx, gh, gw_ih, gw_hh, gb_ih, gb_hh


_gru.grad(together=_gru_grad)

# --- many layers, both directions --------------------------------------------------------------------------------------


def _backwards(x):
    """The steps in the opposite order."""
    return flip(x, (0,))


def _stacked(layer, x, states, params, directions=1, between=None, reverse=_backwards):
    """Layers on top of each other: `layer` is `_rnn`, `_lstm` or `_gru`, `params` are the weights of each direction of each.

    `states` are one tensor (layers * directions, B, H) or, for an LSTM, two; `between` is applied between layers,
    `reverse` where a layer runs from the end (packed sequences end at different steps).
    The answer: the last layer's outputs (T, B, directions * H), and all final states.
    """
    finals = []
    for k in range(0, len(params), directions):
        outs = []
        for d in range(directions):
            out, *last = layer(reverse(x) if d else x, *[s[k + d] for s in states], *params[k + d])
            outs.append(reverse(out) if d else out)
            finals.append(last)
        x = outs[0] if directions == 1 else cat(outs, -1)
        if between is not None and k + directions < len(params):
            x = between(x)
    return x, tuple(stack(last) for last in zip(*finals, strict=True))


# --- one step: PyTorch's cells -----------------------------------------------------------------------------------------


def rnn_tanh_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """tanh(x w_ihᵀ + b_ih + h w_hhᵀ + b_hh)"""
    return _rnn(unsqueeze(input, 0), hx, w_ih, w_hh, b_ih, b_hh)[1]


def rnn_relu_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """relu(x w_ihᵀ + b_ih + h w_hhᵀ + b_hh)"""
    return _rnn(unsqueeze(input, 0), hx, w_ih, w_hh, b_ih, b_hh, relu_=True)[1]


def lstm_cell(
    input: Tensor,
    hx: Sequence[Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """One step of an LSTM: the new state and the new cell."""
    return tuple(_lstm(unsqueeze(input, 0), *hx, w_ih, w_hh, b_ih, b_hh)[1:])


def gru_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """One step of a GRU: the new state."""
    return _gru(unsqueeze(input, 0), hx, w_ih, w_hh, b_ih, b_hh)[1]
