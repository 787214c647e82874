"""One step of a recurrence, for programs that loop over time themselves."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...errors import describe, message
from ...ops import empty, zeros
from ...ops.recurrent import gru_cell, lstm_cell, rnn_relu_cell, rnn_tanh_cell
from ...tensor import Tensor
from .. import init
from ..parameter import Parameter
from .module import Module
from .utils import need_sizes

__all__ = ["GRUCell", "LSTMCell", "RNNCell", "RNNCellBase"]


class RNNCellBase(Module):
    """What the cells share: the weights of one step."""

    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        need_sizes(type(self).__name__, input_size=input_size, hidden_size=hidden_size)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(empty(rows, input_size, device=device, dtype=dtype))
        self.weight_hh = Parameter(empty(rows, hidden_size, device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(empty(rows, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw everything from U(±1/√hidden_size)."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size else 0.0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text

    def _step(self, cell: Callable[..., Any], input: Tensor, states: Any) -> Any:
        """One step of a cell, for a batch (B, I) or for one sample (I)."""
        what, pair = type(self).__name__, cell is lstm_cell
        if states is not None and isinstance(states, Tensor) is pair:
            wrong = f"hx must be {'a tuple (h, c) of tensors' if pair else 'a tensor'}, not {type(states).__name__}"
            raise TypeError(message(what, wrong))
        given = () if states is None else (tuple(states) if pair else (states,))
        if pair and len(given) not in (0, 2):
            raise RuntimeError(message(what, f"expects two hidden states (h, c), not {len(given)}"))
        if input.dtype is not self.weight_ih.dtype:
            wrong = f"the input is {input.dtype}, the weights are {self.weight_ih.dtype}"
            raise RuntimeError(message(what, wrong, instead=f"input.to({self.weight_ih.dtype})"))
        for name, t in zip(("input", "hidden", "cell"), (input, *given), strict=False):
            if t.dim() not in (1, 2):
                raise ValueError(f"{what}: Expected {name} to be 1D or 2D, got {t.dim()}D instead")
        if input.shape[-1] != self.input_size:
            wrong = f"input has inconsistent input_size: got {input.shape[-1]} expected {self.input_size}"
            instead = f"nn.{what}({input.shape[-1]}, {self.hidden_size})"
            raise RuntimeError(message(f"{what} of {describe(input)}", wrong, instead=instead))
        alone = input.dim() == 1
        x = input.unsqueeze(0) if alone else input
        if states is None:
            states = zeros(x.shape[0], self.hidden_size, dtype=x.dtype, device=x.device)
            states = (states, states) if pair else states
        else:
            given = tuple(s.unsqueeze(0) for s in given) if alone else given
            for s in given:
                if tuple(s.shape) != (x.shape[0], self.hidden_size):
                    wrong = f"hidden has the shape {list(s.shape)}, expected {[x.shape[0], self.hidden_size]}"
                    raise RuntimeError(message(what, wrong))
            states = given if pair else given[0]
        out = cell(x, states, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        if not alone:
            return out
        return tuple(s.squeeze(0) for s in out) if pair else out.squeeze(0)


class RNNCell(RNNCellBase):
    """One step of an RNN: h' = tanh(x w_ihᵀ + b_ih + h w_hhᵀ + b_hh), or with relu."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step(rnn_tanh_cell if self.nonlinearity == "tanh" else rnn_relu_cell, input, hx)


class LSTMCell(RNNCellBase):
    """One step of an LSTM: the new state and the new cell."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        return self._step(lstm_cell, input, hx)


class GRUCell(RNNCellBase):
    """One step of a GRU: the new state."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(gru_cell, input, hx)
