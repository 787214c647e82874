"""What else PyTorch's `autograd.graph` offers: edges, hooks on several tensors, blocks around what is saved."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple

from .. import devices
from ..plan import OpNode
from ..tensor import Tensor, wrap
from .function import FunctionNode, Saved
from .graph import FREED, Handle, Node
from .modes import observer, watch


class GradientEdge(NamedTuple):
    """Where a gradient goes: a node, and which of its results."""

    node: Node
    output_nr: int


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Where the gradient of a tensor goes."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"get_gradient_edge takes a tensor, not {type(tensor).__name__}")
    node = tensor.edge()
    if node is None:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    return GradientEdge(*node.as_function())


def increment_version(tensor: Tensor | Sequence[Tensor]) -> None:
    """Note that a tensor's memory was written by other means, so that a saved value of it is not used any more."""
    for each in [tensor] if isinstance(tensor, Tensor) else tensor:
        each.version().write()


class Handles:
    """Answer to a registration on several tensors: `remove()` takes all hooks away."""

    def __init__(self, handles: Sequence[Handle]) -> None:
        self.handles = handles

    def remove(self) -> None:
        """Take the hooks away."""
        for handle in self.handles:
            handle.remove()

    def __enter__(self) -> Handles:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable[..., None], *, mode: Literal["all", "any"] = "all"
) -> Handles:
    """Call `fn(gradients)` once the gradients of all tensors are there; with "any", `fn(gradient)` for the first."""
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    arrived: list[Any] = [None] * len(tensors)

    def hook(i: int, g: Tensor) -> None:
        first = all(a is None for a in arrived)
        arrived[i] = g
        if mode == "any":
            if first:
                fn(g)
        elif all(a is not None for a in arrived):
            gradients = list(arrived)
            arrived[:] = [None] * len(tensors)
            fn(gradients)

    return Handles([t.register_hook(lambda g, i=i: hook(i, g)) for i, t in enumerate(tensors)])  # type: ignore[misc]


class saved_tensors_hooks:
    """A block in which `pack(tensor)` is kept instead of each tensor that is saved for the way back.

    `unpack` of that must answer an equal tensor, and is called when the value is needed. As in PyTorch, of two blocks
    the inner one counts, and writes into what was packed are not noticed.
    """

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> None:
        if _refusal.get() is not None:
            raise RuntimeError(_refusal.get())
        self.outer = observer.get()
        while isinstance(self.outer, saved_tensors_hooks):
            self.outer = self.outer.outer
        self.end = watch(self)

    def __exit__(self, *error: object) -> None:
        self.end()

    def recorded(self, node: Any, inputs: Any, outputs: Any) -> None:
        """A node was made: what it has saved is packed."""
        if self.outer is not None:
            self.outer.recorded(node, inputs, outputs)
        if isinstance(node, OpNode):
            values = [self._packed(value) for value in node.kept]
            if any(new is not old for new, old in zip(values, node.kept, strict=True)):
                node.kept, node.watch, node.__class__ = tuple(values), None, PackedNode
        else:  # of a `Function`
            node.ctx._saved = tuple(
                PackedSaved(s, Packed(self, s.tensor)) if isinstance(s, Saved) else s for s in node.ctx._saved
            )

    def written(self, tensor: Tensor, what: str) -> None:
        """Memory was written."""
        if self.outer is not None:
            self.outer.written(tensor, what)

    def walked(self, node: Node, g: Any, results: list[tuple[Node, Any]]) -> None:
        """A node has passed its gradient on."""
        if self.outer is not None:
            self.outer.walked(node, g, results)

    def _packed(self, value: Any) -> Any:
        """A kept value with every array in it packed; options and shapes as they are."""
        if isinstance(value, list):
            return [self._packed(v) for v in value] if any(map(devices.is_array, value)) else value
        return Packed(self, wrap(value)) if devices.is_array(value) else value


class Packed:
    """What a program's function has made of a tensor, and the function that makes it a tensor again."""

    __slots__ = ("hooks", "place", "value")

    def __init__(self, hooks: saved_tensors_hooks, tensor: Tensor) -> None:
        self.hooks, self.place = hooks, devices.stretch(tensor.array)
        self.value = hooks.pack_hook(tensor)

    def unpack(self) -> Tensor:
        """The tensor again."""
        found = self.hooks.unpack_hook(self.value)
        if not isinstance(found, Tensor):
            kind = type(found).__name__
            raise TypeError(
                f"Output of saved tensor unpack_hook expected to be a Tensor but got result of type {kind}; "
                "write unpack so that unpack(pack(x)) equals x"
            )
        return found

    def unshared(self, memory: Any) -> Packed:
        """Packed anew, as a copy, if it was made of memory that is about to be written."""
        (first, size), (other, length) = self.place, devices.stretch(memory)
        apart = first + size <= other or other + length <= first
        return self if apart else Packed(self.hooks, self.unpack().clone())


def _unpacked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpacked(v) for v in value]
    return value.unpack().array if isinstance(value, Packed) else value


class PackedNode(OpNode):
    """A node whose kept values are packed until it runs."""

    __slots__ = ()

    def back(self, g: Any, create_graph: bool) -> list[tuple[Node, Any]]:
        packed = self.kept
        self.kept = packed if packed is FREED else tuple(map(_unpacked, packed))
        try:
            return super().back(g, create_graph)
        finally:
            self.kept = packed

    def check(self) -> None:
        """Writes are not noticed: what is unpacked may be a copy of long ago."""

    def free(self) -> None:
        self.kept = FREED


class PackedSaved(Saved):
    """A tensor that a `Function` has saved, packed."""

    __slots__ = ("node", "packed")

    def __init__(self, saved: Saved, packed: Packed) -> None:
        self.result, self.node, self.packed = saved.result, saved.tensor.edge(), packed

    def unpack(self, node: FunctionNode | None) -> Tensor:
        edge = self.node if self.result is None or node is None else node.edge_of(self.result)
        return wrap(self.packed.unpack().array, edge)


class save_on_cpu(saved_tensors_hooks):
    """A block in which saved tensors wait in the computer's own memory until they are needed on their device."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda x: (x.device, x.cpu()), lambda packed: packed[1].to(packed[0]))


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """A block in which `saved_tensors_hooks` is refused, with this sentence."""
    before = _refusal.set(error_message)
    try:
        yield
    finally:
        _refusal.reset(before)


_refusal: ContextVar[str | None] = ContextVar("refusal", default=None)

__all__ = [
    "GradientEdge",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]
