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
    gb = flat.sum(0) if needs >> first & 12 else None
    return gx, gw_ih, gw_hh, gb, gb


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
    recurrent = w_hh.T.copy()
    for t, a in enumerate(projected):
        a += states[t] @ recurrent
        states[t + 1] = np.maximum(a, 0) if relu_ else np.tanh(a)
    return states[1:], states[-1].copy(), states


def _rnn_grad(g_out, g_state, states, x, w_ih, w_hh, relu_, needs):
    gates = devices.empty(g_out.shape, g_out.dtype, like=g_out)
    slope = (states[1:] > 0) if relu_ else 1 - states[1:] * states[1:]
    gh = g_state
    for t in range(len(gates) - 1, -1, -1):
        gates[t] = (gh + g_out[t]) * slope[t]
        gh = gates[t] @ w_hh
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
    n = h.shape[-1]
    states = devices.empty((len(x) + 1, *h.shape), x.dtype, like=x)
    cells = devices.empty(states.shape, x.dtype, like=x)
    states[0], cells[0] = h, c
    # sigmoid(a) = ½ tanh(½ a) + ½: all four gates by one tanh, and the inner ½ goes into the weights
    half = devices.full(4 * n, 0.5, x.dtype, like=x)
    half[2 * n : 3 * n] = 1
    rest, column = 1 - half, half[:, None]
    scaled = [None if b is None else b * half for b in (b_ih, b_hh)]
    gates = _projected(x, w_ih * column, *scaled)  # (T, B, 4H)
    recurrent = (w_hh * column).T.copy()
    shares = [gates[..., k * n : (k + 1) * n] for k in range(4)]
    for a, i, f, g, o, h, c, new_h, new_c in zip(gates, *shares, states, cells, states[1:], cells[1:], strict=False):
        a += h @ recurrent
        np.tanh(a, out=a)
        a *= half
        a += rest
        np.multiply(f, c, out=new_c)
        new_c += i * g
        np.multiply(o, np.tanh(new_c), out=new_h)
    return states[1:], states[-1].copy(), cells[-1].copy(), gates, states, cells


def _lstm_grad(g_out, g_state, g_cell, gates, states, cells, x, w_ih, w_hh, needs):
    n = w_hh.shape[1]
    i, f, g, o = (gates[..., k * n : (k + 1) * n] for k in range(4))
    squashed = np.tanh(cells[1:])
    # what each gate's input does to the cell (i, f, g) or to the state (o): all that does not wait for the step after
    slopes = 1 - gates
    slopes *= gates
    into_i, into_f, into_g, into_o = (slopes[..., k * n : (k + 1) * n] for k in range(4))
    into_i *= g
    into_f *= cells[:-1]
    np.multiply(g, g, out=into_g)
    np.subtract(1, into_g, out=into_g)
    into_g *= i
    into_o *= squashed
    squashed *= squashed
    through = np.subtract(1, squashed, out=squashed)
    through *= o
    gh, gc = g_state.copy(), g_cell.copy()
    steps = [a[::-1] for a in (g_out, through, slopes, into_i, into_f, into_g, into_o, f)]
    for g_now, through_now, step, to_i, to_f, to_g, to_o, f_now in zip(*steps, strict=True):
        gh += g_now
        gc += gh * through_now
        to_i *= gc  # the slopes become the gates' gradient
        to_f *= gc
        to_g *= gc
        to_o *= gh
        gc *= f_now
        gh = step @ w_hh
    gx, *weights = _weight_grads(slopes, x, states[:-1], w_ih, needs, 3)
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
    n = h.shape[-1]
    states = devices.empty((len(x) + 1, *h.shape), x.dtype, like=x)
    fresh = devices.empty((len(x), *h.shape), x.dtype, like=x)  # h's part of n, before the reset gate
    states[0] = h
    gates = _projected(x, w_ih, b_ih)  # (T, B, 3H)
    recurrent = w_hh.T.copy()
    for t, a in enumerate(gates):
        part = states[t] @ recurrent
        if b_hh is not None:
            part += b_hh
        both, new = a[..., : 2 * n], a[..., 2 * n :]
        both += part[..., : 2 * n]
        both *= 0.5
        np.tanh(both, out=both)
        both *= 0.5
        both += 0.5
        fresh[t] = part[..., 2 * n :]
        new += both[..., :n] * fresh[t]
        np.tanh(new, out=new)
        states[t + 1] = new + both[..., n:] * (states[t] - new)
    return states[1:], states[-1].copy(), gates, states, fresh


def _gru_grad(g_out, g_state, gates, states, fresh, x, w_ih, w_hh, needs):
    n = w_hh.shape[1]
    r, z, new = (gates[..., k * n : (k + 1) * n] for k in range(3))
    into_new = (1 - z) * (1 - new * new)
    into_z = (states[:-1] - new) * z * (1 - z)
    into_r = fresh * r * (1 - r)
    ours = devices.empty(gates.shape, gates.dtype, like=gates)  # the gradient of x's part of the gates
    theirs = devices.empty(gates.shape, gates.dtype, like=gates)  # of h's part: the reset gate stands before n
    gh = g_state
    for t in range(len(gates) - 1, -1, -1):
        gh = gh + g_out[t]
        gn = gh * into_new[t]
        ours[t, ..., :n] = gn * into_r[t]
        ours[t, ..., n : 2 * n] = gh * into_z[t]
        ours[t, ..., 2 * n :] = gn
        theirs[t] = ours[t]
        theirs[t, ..., 2 * n :] *= r[t]
        gh = gh * z[t] + theirs[t] @ w_hh
    gx, gw_ih, _, gb_ih, _ = _weight_grads(ours, x, states[:-1], w_ih, needs & ~40, 2)
    _, _, gw_hh, _, gb_hh = _weight_grads(theirs, x, states[:-1], w_ih, needs & ~21, 2)
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
