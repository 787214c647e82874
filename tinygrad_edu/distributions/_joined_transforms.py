"""Several transforms side by side, each for its part of the elements; `transforms` shows them with the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..ops import cat, stack
from ..tensor import Tensor
from . import constraints
from ._transform import Transform


class _Joined(Transform):
    """Transforms along one dimension, which a subclass cuts into their parts and puts together again."""

    transforms: list[Transform]
    dim: int

    def __init__(self, tseq: Sequence[Transform], dim: int, cache_size: int) -> None:
        if not all(isinstance(t, Transform) for t in tseq):
            raise AssertionError(f"{type(self).__name__} takes a sequence of transforms")
        super().__init__(cache_size)
        self.transforms, self.dim = [t.with_cache(cache_size) for t in tseq], dim

    def with_cache(self, cache_size: int = 1) -> Any:
        """The same map that remembers its last argument and result, or does not."""
        if self._cache_size == cache_size:
            return self
        new = super().with_cache(cache_size)
        new.transforms = [t.with_cache(cache_size) for t in self.transforms]
        return new

    @property
    def bijective(self) -> bool:  # type: ignore[override]
        """Whether each of them can be inverted."""
        return all(t.bijective for t in self.transforms)

    def _parts(self, x: Tensor) -> list[Tensor]:
        raise NotImplementedError

    def _join(self, parts: list[Tensor], dim: int) -> Tensor:
        raise NotImplementedError

    def _each(self, function: Callable, *xs: Tensor) -> list[Tensor]:
        columns = [self._parts(x) for x in xs]
        return [function(t, *row) for t, *row in zip(self.transforms, *columns, strict=True)]

    def _call(self, x: Tensor) -> Tensor:
        return self._join(self._each(lambda t, part: t(part), x), self.dim)

    def _inverse(self, y: Tensor) -> Tensor:
        return self._join(self._each(lambda t, part: t.inv(part), y), self.dim)


class CatTransform(_Joined):
    """Transforms for stretches of these lengths along a dimension."""

    def __init__(
        self, tseq: Sequence[Transform], dim: int = 0, lengths: Sequence[int] | None = None, cache_size: int = 0
    ) -> None:
        super().__init__(tseq, dim, cache_size)
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.transforms):
            raise AssertionError(f"{len(self.transforms)} transforms need as many lengths, not {len(self.lengths)}")

    @property
    def length(self) -> int:
        """All lengths together."""
        return sum(self.lengths)

    def _parts(self, x: Tensor) -> list[Tensor]:
        if not -x.dim() <= self.dim < x.dim() or x.shape[self.dim] != self.length:
            raise AssertionError(f"CatTransform: {list(x.shape)} is not {self.length} long in dimension {self.dim}")
        return list(x.split(self.lengths, self.dim))

    def _join(self, parts: list[Tensor], dim: int) -> Tensor:
        return cat(parts, dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        stretched = self._each(lambda t, a, b: t.log_abs_det_jacobian(a, b), x, y)
        most = max(t.event_dim for t in self.transforms)
        stretched = [
            s.flatten(t.event_dim - most).sum(-1) if t.event_dim < most else s
            for s, t in zip(stretched, self.transforms, strict=True)
        ]
        dim = (self.dim if self.dim < 0 else self.dim - x.dim()) + most
        return cat(stretched, dim) if dim < 0 else sum(stretched[1:], stretched[0])

    @property
    def domain(self) -> Any:  # type: ignore[override]
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @property
    def codomain(self) -> Any:  # type: ignore[override]
        return constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)


class StackTransform(_Joined):
    """One transform for each position of a dimension."""

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(tseq, dim, cache_size)

    def _parts(self, x: Tensor) -> list[Tensor]:
        if not -x.dim() <= self.dim < x.dim() or x.shape[self.dim] != len(self.transforms):
            wrong = f"{list(x.shape)} is not {len(self.transforms)} long in dimension {self.dim}"
            raise AssertionError(f"StackTransform: {wrong}")
        return list(x.unbind(self.dim))

    def _join(self, parts: list[Tensor], dim: int) -> Tensor:
        return stack(parts, dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return stack(self._each(lambda t, a, b: t.log_abs_det_jacobian(a, b), x, y), self.dim)

    @property
    def domain(self) -> Any:  # type: ignore[override]
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @property
    def codomain(self) -> Any:  # type: ignore[override]
        return constraints.stack([t.codomain for t in self.transforms], self.dim)


__all__ = ["CatTransform", "StackTransform"]
