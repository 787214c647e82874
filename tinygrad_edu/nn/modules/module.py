"""`Module`: what layers are made from. It finds its parameters, buffers and submodules as they are assigned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ... import dtypes
from ...autograd.modes import no_grad
from ...errors import alike
from ...tensor import Tensor
from ..parameter import is_lazy
from .failure import locate
from .hooks import (
    Hooked,
    call,
    register_module_backward_hook,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from .members import Members
from .state import Stateful, _IncompatibleKeys

__all__ = [
    "Module",
    "_IncompatibleKeys",
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]

Self = TypeVar("Self", bound="Module")


class Module(Members, Stateful, Hooked):
    """Base of all layers and networks: assign parameters and submodules in `__init__`, compute in `forward`."""

    training: bool
    call_super_init = False  # whether `__init__` goes on to the next class, where a subclass inherits from several

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and kwargs:
            name = next(iter(kwargs))
            raise TypeError(f"{type(self).__name__}.__init__() got an unexpected keyword argument '{name}'")
        if not self.call_super_init and args:
            given = len(args) + 1
            raise TypeError(f"{type(self).__name__}.__init__() takes 1 positional argument but {given} were given")
        self.__dict__.update(training=True, _parameters={}, _buffers={}, _modules={}, _non_persistent_buffers_set=set())
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    # --- the call -------------------------------------------------------------------------------------------------

    def forward(self, *input: Any) -> Any:
        """Compute the result; every subclass says how."""
        own = [name for each in type(self).__mro__[:-1] if each is not Module for name in vars(each)]
        wrong = f'Module [{type(self).__name__}] is missing the required "forward" function'
        raise NotImplementedError(wrong + alike("forward", own))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:  # costs nothing unless something is raised
            if self._around is None:
                return self.forward(*args, **kwargs)
            return call(self, args, kwargs)
        except Exception as error:
            locate(error, Module.__call__.__code__)
            raise

    # --- changing all of it ---------------------------------------------------------------------------------------

    def apply(self: Self, fn: Callable[[Module], None]) -> Self:
        """Call `fn` on every module below, then on this one."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _apply(self: Self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replace the data of every parameter, of its gradient, and every buffer by `fn` of it."""
        for module in self.children() if recurse else ():
            module._apply(fn)
        with no_grad():
            for param in self._parameters.values():
                if param is not None:
                    data, grad = fn(param.data), None if param.grad is None else fn(param.grad)
                    param.grad = None  # it must never differ in dtype or device
                    param.data = data
                    param.grad = grad
            for name, buffer in self._buffers.items():
                if is_lazy(buffer):
                    buffer.data = fn(buffer.data)
                elif buffer is not None:
                    self._buffers[name] = fn(buffer)
        return self

    def to(self: Self, *args: Any, **kwargs: Any) -> Self:
        """Move to a device or to a floating-point dtype; integers keep theirs."""
        dtype, order, rest = kwargs.pop("dtype", None), kwargs.pop("memory_format", None), []
        for value in args:
            if isinstance(value, Tensor):
                dtype, value = value.dtype, value.device
            if isinstance(value, dtypes.dtype):
                dtype = value
            else:
                rest.append(value)
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            wrong = f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
            raise TypeError(wrong)

        def moved(t: Tensor) -> Tensor:
            if dtype is not None and (t.is_floating_point() or t.is_complex()):
                t = t.to(dtype)
            if order is not None and t.dim() in (4, 5):  # a bias or a matrix has no channels to put last
                t = t.to(memory_format=order)
            return t.to(*rest, **kwargs) if rest or kwargs else t

        return self._apply(moved)

    def _cast(self: Self, dtype: dtypes.dtype) -> Self:
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def float(self: Self) -> Self:
        """Floating-point parameters and buffers in single precision."""
        return self._cast(dtypes.float32)

    def double(self: Self) -> Self:
        """Floating-point parameters and buffers in double precision."""
        return self._cast(dtypes.float64)

    def half(self: Self) -> Self:
        """Floating-point parameters and buffers in half precision."""
        return self._cast(dtypes.float16)

    def bfloat16(self: Self) -> Self:
        """Raises where there is a floating-point parameter: NumPy has no such type."""
        return self._cast(dtypes.bfloat16)

    def type(self: Self, dst_type: Any) -> Self:
        """All parameters and buffers in another dtype."""
        return self._apply(lambda t: t.type(dst_type))

    def cpu(self: Self) -> Self:
        """Move to the computer's own memory."""
        return self._apply(lambda t: t.cpu())

    def cuda(self: Self, device: Any = None) -> Self:
        """Move to a GPU."""
        return self._apply(lambda t: t.cuda(device))

    def to_empty(self: Self, *, device: Any, recurse: bool = True) -> Self:
        """Move to a device without copying what was there."""
        return self._apply(lambda t: t.new_empty(t.shape, device=device), recurse)

    def share_memory(self: Self) -> Self:
        """Nothing to do: kept for programs that call it."""
        return self

    def train(self: Self, mode: bool = True) -> Self:
        """Set training mode, here and below."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self: Self) -> Self:
        """Set evaluation mode, here and below."""
        return self.train(False)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Whether the parameters ask for gradients."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the parameters' gradients, or set them to zero."""
        for param in self.parameters():
            if set_to_none:
                param.grad = None
            elif param.grad is not None:
                param.grad.detach_().zero_()

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to do: kept for programs that call it."""

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)

    # --- printing -------------------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What a subclass prints inside its brackets."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        children = [f"({name}): {indented(repr(module))}" for name, module in self._modules.items()]
        if not children and "\n" not in extra:
            return f"{self._get_name()}({extra})"
        lines = [*(extra.split("\n") if extra else ()), *children]
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"


def indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def _addindent(s_: str, numSpaces: int) -> str:
    return s_.replace("\n", "\n" + " " * numSpaces)
