"""Recurrent layers: cells that run along sequences, in several layers and both directions."""

from __future__ import annotations

import functools
import math
import numbers
import warnings
from collections.abc import Callable
from typing import Any

from ...errors import describe, message
from ...ops import cat, empty, linear, sigmoid, stack, tanh, zeros
from ...ops.recurrent import _gru, _lstm, _rnn, _stacked
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..parameter import Parameter
from .cells import GRUCell, LSTMCell, RNNCell, RNNCellBase
from .module import Module
from .packed import PackedSequence, Steps

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell", "RNNCellBase"]


def _lstm_projected(x, h, c, w_ih, w_hh, b_ih, b_hh, w_hr):
    """An LSTM whose state is the projection h' = (o tanh(c')) w_hrᵀ."""
    steps = []
    for step in linear(x, w_ih, b_ih).unbind(0):
        i, f, g, o = (step + linear(h, w_hh, b_hh)).chunk(4, -1)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = linear(sigmoid(o) * tanh(c), w_hr)
        steps.append(h)
    return stack(steps), h, c


# mode: how many gates, and what computes a layer
MODES: dict[str, tuple[int, Callable[..., Any]]] = {
    "RNN_TANH": (1, _rnn),
    "RNN_RELU": (1, functools.partial(_rnn, relu_=True)),
    "GRU": (3, _gru),
    "LSTM": (4, _lstm),
}


def _packed(layer: Callable[..., Any], steps: Steps, count: int) -> Callable[..., Any]:
    """A layer with `count` states for packed rows: steps with the same sequences run together; who has ended leaves."""

    def packed(x, *args):
        states, params = args[:count], args[count:]
        outs, ended, row = [], [], 0
        for n, batch in steps.runs():
            if batch < states[0].shape[0]:
                ended.append([s[batch:] for s in states])
                states = [s[:batch] for s in states]
            out, *states = layer(x[row : row + n * batch].reshape(n, batch, -1), *states, *params)
            outs.append(out.reshape(n * batch, -1))
            row += n * batch
        ended.append(states)
        return cat(outs), *(cat(parts[::-1]) for parts in zip(*ended, strict=True))

    return packed


class RNNBase(Module):
    """What RNN, LSTM and GRU share: weights of all layers and directions, the checks, the way in and out."""

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = dropout
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_options()
        self.dropout = float(dropout)
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={dropout} and num_layers={num_layers}",
                stacklevel=3,
            )
        rows, outputs = MODES[mode][0] * hidden_size, proj_size or hidden_size
        directions = 2 if bidirectional else 1
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            inputs = outputs * directions if layer else input_size
            for suffix in ("", "_reverse")[:directions]:
                shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, inputs), "weight_hh": (rows, outputs)}
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if proj_size:
                    shapes |= {"weight_hr": (proj_size, hidden_size)}
                for name, shape in shapes.items():
                    self.register_parameter(
                        f"{name}_l{layer}{suffix}", Parameter(empty(shape, device=device, dtype=dtype))
                    )
                self._all_weights.append([f"{name}_l{layer}{suffix}" for name in shapes])
        self.reset_parameters()

    def _check_options(self) -> None:
        what, dropout = type(self).__name__, self.dropout
        if not isinstance(dropout, numbers.Number) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
            wrong = f"dropout should be a number in range [0, 1], how likely an element is zeroed, not {dropout}"
            raise ValueError(message(what, wrong))
        for name, kind in (("bias", bool), ("batch_first", bool), ("input_size", int), ("hidden_size", int)):
            value = getattr(self, name)
            if not isinstance(value, kind):
                wrong = f"{name} should be of type {kind.__name__}, got: {type(value).__name__}"
                raise TypeError(message(what, wrong))
        for name in ("input_size", "hidden_size", "num_layers"):
            if getattr(self, name) <= 0:
                raise ValueError(message(what, f"{name} must be greater than zero, not {getattr(self, name)}"))
        if not 0 <= self.proj_size < self.hidden_size:
            wrong = f"proj_size has to be smaller than hidden_size and not negative, but got {self.proj_size}"
            raise ValueError(message(what, wrong))
        if self.mode not in MODES:
            raise ValueError(f"Unrecognized RNN mode: {self.mode}")

    def reset_parameters(self) -> None:
        """Draw everything from U(±1/√hidden_size)."""
        bound = 1 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Nothing to do: kept for programs that call it."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The weights of each direction of each layer."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Parameter]:
        return [getattr(self, name) for name in self._flat_weights_names]

    def forward(self, input: Any, hx: Any = None) -> Any:
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        what = type(self).__name__
        if input.dim() not in (2, 3):
            raise ValueError(f"{what}: Expected input to be 2D or 3D, got {input.dim()}D instead")
        batched = input.dim() == 3
        if hx is not None:
            hx = self._given_states(hx, input.dim())
        if not batched:
            input = input.unsqueeze(1)
        elif self.batch_first:
            input = input.transpose(0, 1)
        self.check_input(input, None)  # (T, B, I) from here on
        if not input.shape[0]:
            raise RuntimeError(message(what, "Expected sequence length to be larger than 0 in RNN"))
        states = self._states(input, input.shape[1], hx)
        out, finals = _stacked(*self._program(input, states))
        if not batched:
            out, finals = out.squeeze(1), tuple(s.squeeze(1) for s in finals)
        elif self.batch_first:
            out = out.transpose(0, 1)
        return out, self._as_given(finals)

    def _forward_packed(self, packed: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        x, batch_sizes, sorted_indices, unsorted_indices = packed
        self.check_input(x, batch_sizes)
        if hx is not None:
            hx = self._as_states(self.permute_hidden(hx, sorted_indices))
        states = self._states(x, int(batch_sizes[0]), hx)
        layer, *program = self._program(x, states)
        steps = Steps(batch_sizes)
        back = steps.backwards(x.array) if self.bidirectional else None
        layer = _packed(layer, steps, len(states))
        out, finals = _stacked(layer, *program, reverse=lambda rows: rows.index_select(0, back))  # type: ignore[misc]
        finals = self.permute_hidden(self._as_given(finals), unsorted_indices)
        return PackedSequence(out, batch_sizes, sorted_indices, unsorted_indices), finals

    def _program(self, x: Tensor, states: tuple[Tensor, ...]) -> tuple:
        """What `_stacked` wants: the layer's function, what it reads, the weights, directions, and what lies between."""
        layer = _lstm_projected if self.proj_size else MODES[self.mode][1]
        params: list[list[Any]] = list(self.all_weights)  # type: ignore[arg-type]
        if not self.bias:
            params = [[*p[:2], None, None, *p[2:]] for p in params]
        between = None
        if self.dropout and self.training:
            between = functools.partial(F.dropout, p=self.dropout)
        return layer, x, states, params, 2 if self.bidirectional else 1, between

    # --- states: one tensor, or two of an LSTM ------------------------------------------------------------------------

    def _as_states(self, hx: Any) -> tuple[Tensor, ...]:
        if not isinstance(hx, Tensor):
            raise TypeError(message(type(self).__name__, f"hx must be a tensor, not {type(hx).__name__}"))
        return (hx,)

    def _as_given(self, states: tuple[Tensor, ...]) -> Any:
        return states[0]

    def _state_widths(self) -> tuple[int, ...]:
        return (self.hidden_size,)

    def _given_states(self, hx: Any, dims: int) -> tuple[Tensor, ...]:
        """The states given, with a dimension for the batch."""
        states = self._as_states(hx)
        if any(s.dim() != dims for s in states):
            kind, names = ("batched" if dims == 3 else "unbatched"), " and ".join(("hx", "cx")[: len(states)])
            found = ", ".join(f"{s.dim()}-D" for s in states)
            raise RuntimeError(f"For {kind} {dims}-D input, {names} should also be {dims}-D but got {found} tensor")
        return states if dims == 3 else tuple(s.unsqueeze(1) for s in states)

    def _states(self, x: Tensor, batch: int, given: tuple[Tensor, ...] | None) -> tuple[Tensor, ...]:
        """The states at the beginning: those given, checked, or zeros."""
        count = self.num_layers * (2 if self.bidirectional else 1)
        shapes = [(count, batch, width) for width in self._state_widths()]
        if given is None:
            return tuple(zeros(shape, dtype=x.dtype, device=x.device) for shape in shapes)
        for k, (state, shape) in enumerate(zip(given, shapes, strict=True)):
            name = f"hidden[{k}]" if len(shapes) > 1 else "hidden"
            self.check_hidden_size(state, shape, f"Expected {name} size {{}}, got {{}}")
            if state.dtype is not x.dtype:
                wrong = f"{name} is {state.dtype}, but the input is {x.dtype}"
                raise RuntimeError(message(type(self).__name__, wrong, instead=f"hx.to({x.dtype})"))
        return given

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise for an input that does not fit the weights."""
        expected, weight = (3 if batch_sizes is None else 2), getattr(self, self._all_weights[0][0])
        if input.dtype is not weight.dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight.dtype}). "
                f"Convert input: input.to({weight.dtype}), or convert model: model.to({input.dtype})"
            )
        if input.dim() != expected:
            raise RuntimeError(f"input must have {expected} dimensions, got {input.dim()}")
        if input.shape[-1] != self.input_size:
            wrong = f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.shape[-1]}"
            name = type(self).__name__
            instead = (
                f"nn.{name}({input.shape[-1]}, {self.hidden_size}), or an input whose last dimension is its features"
            )
            raise RuntimeError(message(f"{name} of {describe(input)}", wrong, instead=instead))

    def check_hidden_size(
        self, hx: Tensor, expected_hidden_size: tuple[int, ...], msg: str = "Expected hidden size {}, got {}"
    ) -> None:
        """Raise for a state of the wrong shape."""
        expected = tuple(expected_hidden_size)
        if tuple(hx.shape) != expected:
            instead = f"zeros{expected}, for (layers * directions, batch, size), also with batch_first=True"
            raise RuntimeError(message(type(self).__name__, msg.format(expected, list(hx.shape)), instead=instead))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """The states with their sequences in another order."""
        if permutation is None:
            return hx
        return self._as_given(tuple(s.index_select(1, permutation) for s in self._as_states(hx)))

    def extra_repr(self) -> str:
        usual = dict(proj_size=0, num_layers=1, bias=True, batch_first=False, dropout=0, bidirectional=False)  # noqa: C408
        unusual = [f", {name}={getattr(self, name)}" for name, value in usual.items() if getattr(self, name) != value]
        return f"{self.input_size}, {self.hidden_size}{''.join(unusual)}"


class RNN(RNNBase):
    """h' = tanh(x w_ihᵀ + b_ih + h w_hhᵀ + b_hh), or with relu: (T, B, I) to (T, B, H), and the last states."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        mode = f"RNN_{nonlinearity.upper()}"
        super().__init__(
            mode, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """i, f, o = sigmoid, g = tanh of the gates; c' = f c + i g; h' = o tanh(c'), or a projection of it."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "LSTM",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            device,
            dtype,
        )

    def _as_states(self, hx: Any) -> tuple[Tensor, ...]:
        if isinstance(hx, Tensor) or len(hx) != 2:
            given = f"a tensor of shape {list(hx.shape)}" if isinstance(hx, Tensor) else f"{len(hx)} of them"
            raise TypeError(message("LSTM", f"hx must be a tuple (h_0, c_0) of two tensors, not {given}"))
        return tuple(hx)

    def _as_given(self, states: tuple[Tensor, ...]) -> Any:
        return states

    def _state_widths(self) -> tuple[int, ...]:
        return self.proj_size or self.hidden_size, self.hidden_size


class GRU(RNNBase):
    """r, z = sigmoid of the gates, n = tanh(x's part + r times h's part); h' = (1 - z) n + z h."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )
