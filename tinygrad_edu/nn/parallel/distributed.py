"""`DistributedDataParallel`: every process has the whole module and its own samples, and the gradients are averaged."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ... import devices, distributed
from ...autograd.modes import is_grad_enabled
from ...distributed.groups import here_or_alone
from ...errors import describe
from ...tensor import Tensor, wrap
from ..modules.batchnorm import SyncBatchNorm
from ..modules.module import Module
from .reducer import MEGABYTE, Reducer
from .wrappers import _Wrapper

__all__ = ["DistributedDataParallel"]


class DistributedDataParallel(_Wrapper):
    """A module whose gradients are, after each `backward()`, the average over all processes.

    It begins with the parameters and buffers of rank 0; these must be alike in all processes. With `weigh_samples` a
    process counts by the length of its batch (that of its first tensor in dimension `dim`), so that batches of different
    lengths give the gradient of the whole batch; PyTorch, and this without it, lets all processes count the same.
    """

    def __init__(
        self,
        module: Module,
        device_ids: Sequence[Any] | None = None,
        output_device: Any = None,
        dim: int = 0,
        broadcast_buffers: bool | None = None,
        init_sync: bool = True,
        process_group: Any = None,
        bucket_cap_mb: float | None = None,
        find_unused_parameters: bool = False,
        check_reduction: bool = False,
        gradient_as_bucket_view: bool = False,
        static_graph: bool = False,
        *,
        weigh_samples: bool = False,
        **further: Any,
    ) -> None:
        super().__init__()
        named = {name: p for name, p in module.named_parameters() if p.requires_grad}
        if not named:
            raise RuntimeError(
                "DistributedDataParallel is not needed when a module doesn't have any parameter that requires a gradient."
            )
        self.module, self.dim = module, dim
        self.device_ids, self.output_device = device_ids, output_device
        self.process_group = here_or_alone(process_group)
        self.broadcast_buffers = broadcast_buffers is not False
        self.find_unused_parameters, self.weigh_samples = find_unused_parameters, weigh_samples
        self.require_backward_grad_sync = True
        self._joining = False
        synchronized = any(isinstance(m, SyncBatchNorm) for m in module.modules())
        if weigh_samples and synchronized:
            raise ValueError(
                "DistributedDataParallel: weigh_samples weighs gradients, and SyncBatchNorm mixes them over the "
                "processes before; divide the sum of the losses by the samples of all processes instead"
            )
        self._reducer: Reducer | None = None
        if self.process_group.size() > 1:
            if init_sync:
                self._verify(named)
                self._broadcast([*module.parameters(), *module.buffers()], 0)
            size = MEGABYTE * (25 if bucket_cap_mb is None else bucket_cap_mb)
            self._reducer = Reducer(named, self.process_group, size, find_unused_parameters)
            self._reducer.counted = weigh_samples

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        if self._reducer is not None and is_grad_enabled():
            self._prepare(self._reducer, (*inputs, *kwargs.values()))
        return self.module(*inputs, **kwargs)

    def _prepare(self, reducer: Reducer, inputs: Iterable[Any]) -> None:
        """Say how the next walk back averages, and give all processes the buffers of one."""
        reducer.on = self.require_backward_grad_sync
        if self.weigh_samples:
            first = next((t for t in inputs if isinstance(t, Tensor)), None)
            if first is None:
                raise ValueError(
                    "DistributedDataParallel: weigh_samples needs a tensor among the inputs, to count its samples"
                )
            reducer.weight = float(first.shape[self.dim])
        root = self._signal(True)[0] if self._joining else 0
        self._share_buffers(root)

    def _share_buffers(self, root: int) -> None:
        if self.training and self.require_backward_grad_sync and self.broadcast_buffers:
            self._broadcast(list(self.module.buffers()), root)

    @contextlib.contextmanager
    def no_sync(self) -> Iterator[None]:
        """For forwards inside the block gradients stay this process's own, and add up until the next one outside."""
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    # --- data that ends in one process before the others --------------------------------------------------------------

    @contextlib.contextmanager
    def join(
        self,
        divide_by_initial_world_size: bool = True,
        enable: bool = True,
        throw_on_early_termination: bool = False,
    ) -> Iterator[None]:
        """A block for a loop that may be shorter in some processes: these then do with nothing what the others do.

        At its end all have the parameters of one that was there until the end. By default gradients are divided by the
        number of all processes, with `divide_by_initial_world_size=False` by those that still had data.
        """
        reducer = self._reducer
        if reducer is None or not enable:
            yield
            return
        if any(isinstance(m, SyncBatchNorm) for m in self.module.modules()) and not throw_on_early_termination:
            raise ValueError(
                "join: a process without data cannot take part in SyncBatchNorm; write throw_on_early_termination=True"
            )
        self._joining, self._throw = True, throw_on_early_termination
        reducer.counted = self.weigh_samples or not divide_by_initial_world_size
        self._last_active = 0
        try:
            yield
            while self._signal(False):
                self._share_buffers(self._last_active)
                if self._others_sync:
                    reducer.shadow()
            self._broadcast([*self.module.parameters(), *self.module.buffers()], self._last_active)
        finally:
            self._joining, reducer.counted = False, self.weigh_samples

    def _signal(self, active: bool) -> list[int]:
        """Tell the others whether there is data here; who still has some."""
        mine = np.array([active, self.require_backward_grad_sync], np.uint8)
        told = np.zeros((self.process_group.size(), 2), np.uint8)
        distributed.all_gather_into_tensor(wrap(told), wrap(mine), self.process_group)
        found = np.flatnonzero(told[:, 0]).tolist()
        if self._throw and 0 < len(found) < len(told):
            self._joining = False
            ended = sorted(set(range(len(told))) - set(found))
            raise RuntimeError(
                f"join: Detected at least one rank that exhausted inputs, ranks {ended}. Throwing across all ranks."
            )
        if found:
            self._last_active = found[0]
            self._others_sync = bool(told[found[0], 1])
        return found

    # --- the same beginning everywhere -----------------------------------------------------------------------------------

    def _verify(self, named: Mapping[str, Tensor]) -> None:
        """Raise, in every process, if the modules are not alike."""
        mine = [f"{name}: {describe(p)}" for name, p in [*named.items(), *self.module.named_buffers()]]
        all_of_them: list[Any] = [None] * self.process_group.size()
        distributed.all_gather_object(all_of_them, mine, self.process_group)
        for rank, theirs in enumerate(all_of_them):
            for a, b in zip(all_of_them[0], theirs, strict=False):
                if a != b:
                    raise RuntimeError(
                        f"DistributedDataParallel: the module is not the same in all processes: rank 0 has {a}, rank {rank} {b}"
                    )
            if len(theirs) != len(all_of_them[0]):
                raise RuntimeError(
                    "DistributedDataParallel: the module is not the same in all processes: rank 0 has "
                    f"{len(all_of_them[0])} parameters and buffers, rank {rank} {len(theirs)}"
                )

    def _broadcast(self, tensors: Sequence[Tensor], root: int) -> None:
        """The values of one process for all, those of one type together."""
        alike: dict[Any, list[Tensor]] = {}
        for t in tensors:
            alike.setdefault((t.array.dtype, str(devices.of(t.array))), []).append(t)
        for some in alike.values():
            flat = wrap(np.concatenate([t.array.reshape(-1) for t in some]))
            distributed.broadcast(flat, group=self.process_group, group_src=root)
            if self.process_group.rank() == root:
                continue
            begin = 0
            for t in some:
                end = begin + t.array.size
                t.array[...] = flat.array[begin:end].reshape(t.array.shape)
                t.version().write()
                begin = end
