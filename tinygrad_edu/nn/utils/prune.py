"""Pruning: a hook multiplies a parameter by a mask before every forward."""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from ...errors import message
from ...linalg import vector_norm
from ...ops import ones_like, zeros_like
from ...ops.misuse import explain_all as _explain_all
from ...random import rand, rand_like
from ...tensor import Tensor
from ..modules.module import Module
from .convert_parameters import parameters_to_vector
from .weight_norm import hooks_of, unhook

__all__ = [
    "BasePruningMethod",
    "CustomFromMask",
    "Identity",
    "L1Unstructured",
    "LnStructured",
    "PruningContainer",
    "RandomStructured",
    "RandomUnstructured",
    "custom_from_mask",
    "global_unstructured",
    "identity",
    "is_pruned",
    "l1_unstructured",
    "ln_structured",
    "random_structured",
    "random_unstructured",
    "remove",
]


class BasePruningMethod(ABC):
    """A forward pre-hook: the parameter is `name_orig` times `name_mask`. Subclasses say how the mask is found."""

    PRUNING_TYPE: ClassVar[str]
    _tensor_name: str

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The new mask from the elements' importance and the mask so far."""

    def apply_mask(self, module: Module) -> Tensor:
        """The parameter times its mask."""
        original = getattr(module, f"{self._tensor_name}_orig")
        return getattr(module, f"{self._tensor_name}_mask").to(original.dtype) * original

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None, **kwargs: Any
    ) -> BasePruningMethod:
        """Prune a parameter, on top of how it is pruned already."""
        method = cls(*args, **kwargs)
        method._tensor_name = name
        older = [hook for hook in hooks_of(module, BasePruningMethod) if hook._tensor_name == name]
        for hook in older:
            unhook(module, hook)
            container = hook if isinstance(hook, PruningContainer) else PruningContainer(hook)
            container.add_pruning_method(method)
            method = container
        weight = getattr(module, name)
        scores = weight if importance_scores is None else importance_scores
        _check_scores(scores, weight)
        mask = getattr(module, f"{name}_mask").detach().clone() if older else ones_like(weight.detach())
        mask = method.compute_mask(scores.detach(), default_mask=mask)
        if not older:
            del module._parameters[name]
            module.register_parameter(f"{name}_orig", weight)
        module.register_buffer(f"{name}_mask", mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None) -> Tensor:
        """A tensor pruned, without a module."""
        scores = t if importance_scores is None else importance_scores
        _check_scores(scores, t)
        return t * self.compute_mask(scores, default_mask=ones_like(t) if default_mask is None else default_mask)

    def remove(self, module: Module) -> None:
        """Make the pruned values the parameter's own."""
        name = self._tensor_name
        weight = self.apply_mask(module)
        if hasattr(module, name):
            delattr(module, name)
        original: Any = module._parameters.pop(f"{name}_orig")
        del module._buffers[f"{name}_mask"]
        original.data = weight.detach()
        setattr(module, name, original)


def _check_scores(scores: Tensor, t: Tensor) -> None:
    if scores.shape != t.shape:
        wrong = f"they have the shape {list(scores.shape)}, the tensor {list(t.shape)}"
        raise AssertionError(message("importance_scores should have the same shape as the tensor", wrong))


class PruningContainer(BasePruningMethod):
    """Several prunings of one parameter, one after the other."""

    def __init__(self, *args: BasePruningMethod) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        if len(args) == 1:
            self._tensor_name = args[0]._tensor_name
        for method in args:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: BasePruningMethod) -> None:
        """One more on top."""
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if self._tensor_name != method._tensor_name:
            wrong = f"named '{self._tensor_name}', not on '{method._tensor_name}'"
            raise ValueError(f"Can only add pruning methods acting on the parameter {wrong}")
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._pruning_methods)

    def __getitem__(self, idx: Any) -> Any:
        return self._pruning_methods[idx]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The newest method's mask among what the older ones have left."""
        method = self._pruning_methods[-1]
        kind = method.PRUNING_TYPE
        place: Any
        if kind == "unstructured":
            place = default_mask == 1
        elif kind == "structured":
            dim = _dim_of(t, method.dim)
            place = [slice(None)] * t.dim()
            place[dim] = default_mask.movedim(dim, 0).flatten(1).sum(1) != 0
            place = tuple(place)
        elif kind == "global":
            place = (slice(None),) * t.dim()
        else:
            raise ValueError(f"Unrecognized PRUNING_TYPE {kind}")
        mask = default_mask.to(t.dtype).clone()
        mask[place] = method.compute_mask(t[place], default_mask=default_mask[place]).to(mask.dtype)
        return mask


# --- the methods -----------------------------------------------------------------------------------------------------


class Identity(BasePruningMethod):
    """Prunes nothing, but makes the mask."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class _Amount(BasePruningMethod):
    """Prunes a number or a share of the elements or slices."""

    amount: float

    def __init__(self, amount: float) -> None:
        if not isinstance(amount, numbers.Real):
            raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
        if amount < 0 or (not isinstance(amount, numbers.Integral) and amount > 1):
            wrong = "should either be a float in the range [0, 1] or a non-negative integer"
            raise ValueError(f"amount={amount} {wrong}")
        self.amount = amount

    def _count(self, size: int) -> int:
        if not isinstance(self.amount, numbers.Integral):
            return round(self.amount * size)
        if self.amount > size:
            raise ValueError(f"amount={self.amount} should be smaller than the number of parameters to prune={size}")
        return int(self.amount)


class _Unstructured(_Amount):
    """Prunes the elements with the lowest scores."""

    PRUNING_TYPE = "unstructured"

    def _scores(self, t: Tensor) -> Tensor:
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        mask, count = default_mask.clone(), self._count(t.numel())
        if count:
            mask.view(-1)[self._scores(t).reshape(-1).topk(count, largest=False).indices] = 0
        return mask


class RandomUnstructured(_Unstructured):
    """Prunes elements at random."""

    def _scores(self, t: Tensor) -> Tensor:
        return rand_like(t)


class L1Unstructured(_Unstructured):
    """Prunes the elements of the smallest size."""

    def _scores(self, t: Tensor) -> Tensor:
        return t.abs()


class _Structured(_Amount):
    """Keeps the slices of a dimension with the highest scores."""

    PRUNING_TYPE = "structured"
    dim: int

    def _scores(self, rows: Tensor) -> Tensor:
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if t.dim() < 2:
            wrong = f"Found tensor of shape {list(t.shape)}"
            raise ValueError(f"Structured pruning can only be applied to multidimensional tensors. {wrong}")
        dim = _dim_of(t, self.dim)
        size = t.shape[dim]
        count = self._count(size)
        if not count:
            return default_mask
        kept = self._scores(t.movedim(dim, 0).flatten(1)).topk(size - count).indices
        place: list[Any] = [slice(None)] * t.dim()
        place[dim] = kept
        mask = zeros_like(t)
        mask[tuple(place)] = 1
        return mask * default_mask.to(mask.dtype)


def _dim_of(t: Tensor, dim: int) -> int:
    if not -t.dim() <= dim < t.dim():
        raise IndexError(f"Invalid index {dim} for tensor of size {list(t.shape)}")
    return dim % t.dim()


class RandomStructured(_Structured):
    """Prunes slices at random."""

    def __init__(self, amount: float, dim: int = -1) -> None:
        super().__init__(amount)
        self.dim = dim

    def _scores(self, rows: Tensor) -> Tensor:
        return rand(rows.shape[0])


class LnStructured(_Structured):
    """Prunes the slices of the smallest norm."""

    def __init__(self, amount: float, n: Any, dim: int = -1) -> None:
        super().__init__(amount)
        self.n = n
        self.dim = dim

    def _scores(self, rows: Tensor) -> Tensor:
        return vector_norm(rows, 2 if self.n == "fro" else float(self.n), 1)


class CustomFromMask(BasePruningMethod):
    """Prunes by a mask that is given."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        _check_scores(self.mask, default_mask)
        return default_mask * self.mask.to(default_mask.dtype)


# --- as functions ----------------------------------------------------------------------------------------------------


def identity(module: Module, name: str) -> Module:
    """Make a mask that prunes nothing."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: float) -> Module:
    """Prune elements at random."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: Module, name: str, amount: float, importance_scores: Tensor | None = None) -> Module:
    """Prune the elements of the smallest size."""
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: float, dim: int) -> Module:
    """Prune slices at random."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: Module, name: str, amount: float, n: Any, dim: int, importance_scores: Tensor | None = None
) -> Module:
    """Prune the slices of the smallest norm."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prune by a mask that is given."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]],
    pruning_method: type[BasePruningMethod],
    importance_scores: dict[tuple[Module, str], Tensor] | None = None,
    **kwargs: Any,
) -> None:
    """Prune several parameters as if they were one."""
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    if importance_scores is not None and not isinstance(importance_scores, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    parameters, given = list(parameters), importance_scores or {}
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        wrong = f'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`, not {method.PRUNING_TYPE}'
        raise TypeError(message("global_unstructured()", wrong))
    weights = [getattr(module, name).detach() for module, name in parameters]
    scores = parameters_to_vector([given.get(key, w).detach() for key, w in zip(parameters, weights, strict=True)])
    masks = [getattr(m, f"{name}_mask", ones_like(w)) for (m, name), w in zip(parameters, weights, strict=True)]
    container = PruningContainer()
    container._tensor_name = method._tensor_name = "all together"
    container.add_pruning_method(method)
    parts = container.compute_mask(scores, parameters_to_vector(masks)).split([w.numel() for w in weights])
    for (module, name), part, weight in zip(parameters, parts, weights, strict=True):
        custom_from_mask(module, name, part.view_as(weight))


def remove(module: Module, name: str) -> Module:
    """Make the pruned values the parameter's own."""
    for hook in hooks_of(module, BasePruningMethod):
        if hook._tensor_name == name:
            hook.remove(module)
            unhook(module, hook)
            return module
    wrong = f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed"
    raise ValueError(wrong)


def is_pruned(module: Module) -> bool:
    """Whether a parameter, here or below, is pruned."""
    return any(hooks_of(part, BasePruningMethod) for part in module.modules())


_explain_all(globals())
