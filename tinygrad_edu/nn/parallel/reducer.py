"""How the gradients of several processes become their average while the walk back still runs.

Parameters share buckets: flat arrays in which their gradients travel together, the last parameters first, since the walk
comes to them first. A leaf is numbered like the beginning of a program, and the walk would come to all of them at its
end; for the time of a walk each is numbered just below the oldest node that uses it, so that its gradient is complete
when the walk comes to it, and its bucket can leave. All processes send their buckets in the same order, and what is
added is added in an order that does not depend on who comes first.

A large gradient is its own bucket and travels as it is, without a copy. All processes count the same in the average,
unless they say otherwise: by the number of their samples, or 0 when they have none left. What they count is then added
up as well, and the sums are divided by that.
"""

from __future__ import annotations

import contextlib
import math
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ... import devices, distributed
from ...autograd.alongside import accompany
from ...autograd.graph import Node, reachable
from ...distributed.groups import ProcessGroup
from ...errors import message
from ...tensor import Tensor, wrap

MEGABYTE = 1 << 20


class Bucket:
    """Some parameters, and the array in which their gradients travel."""

    flat: Tensor

    def __init__(self, parameters: dict[int, Tensor]) -> None:
        self.parameters = parameters  # by their numbers in the module
        self.missing: set[int] = set()
        self.work: distributed.Work | None = None
        self.reserve()

    def reserve(self) -> None:
        """Make the array."""
        first = next(iter(self.parameters.values())).array
        kind = np.float32 if first.dtype == np.float16 else first.dtype  # a sum of many needs more than a half
        self.flat = wrap(devices.empty(sum(p.array.size for p in self.parameters.values()), kind, like=first))

    def places(self) -> Iterator[tuple[Tensor, Any]]:
        """Each parameter, with its part of the array in the parameter's shape."""
        begin = 0
        for p in self.parameters.values():
            end = begin + p.array.size
            yield p, self.flat.array[begin:end].reshape(p.array.shape)
            begin = end

    def fill(self, weight: float) -> None:
        """Put the gradients in, times what they count; nothing where there is none."""
        for p, place in self.places():
            if p.grad is None or not weight:
                place[...] = 0
            elif weight == 1:
                place[...] = p.grad.array
            else:
                np.multiply(p.grad.array, weight, out=place)

    def empty(self, divisor: float, unused: set[int]) -> None:
        """Give every parameter its average."""
        for i, (p, place) in zip(self.parameters, self.places(), strict=True):
            if i in unused:
                continue
            if p.grad is None:
                p.grad = wrap(devices.empty(p.array.shape, p.array.dtype, like=place))
            np.divide(place, divisor, out=p.grad.array, casting="same_kind")
            p.grad.version().write()


class Large(Bucket):
    """One parameter, whose gradient travels as it is: there is no array of its own."""

    def reserve(self) -> None:
        self.flat = wrap(np.empty(0))

    def places(self) -> Iterator[tuple[Tensor, Any]]:
        (p,) = self.parameters.values()
        yield p, self.flat.array

    def fill(self, weight: float) -> None:
        (p,) = self.parameters.values()
        if p.grad is None or not weight:
            self.flat = wrap(devices.zeros(p.array.shape, p.array.dtype, like=p.array))
        else:
            self.flat = p.grad
            if weight != 1:
                self.flat.array *= weight

    def empty(self, divisor: float, unused: set[int]) -> None:
        super().empty(divisor, unused)
        self.reserve()  # who drops the gradient drops its memory


def buckets_of(parameters: Sequence[Tensor], first: float, size: float) -> list[Bucket]:
    """Parameters in buckets of so many bytes, in the order in which they are complete: the last parameters first.

    The first bucket is small, to leave early; what is as large as that leaves alone.
    """
    opened: dict[Any, dict[int, Tensor]] = {}
    buckets: list[Bucket] = []
    for i in reversed(range(len(parameters))):
        array = parameters[i].array
        if array.nbytes >= first and array.dtype != np.float16:
            buckets.append(Large({i: parameters[i]}))
            continue
        bucket = opened.setdefault((array.dtype, str(devices.of(array))), {})
        bucket[i] = parameters[i]
        if sum(p.array.nbytes for p in bucket.values()) >= (size if buckets else first):
            buckets.append(Bucket(opened.pop((array.dtype, str(devices.of(array))))))
    buckets += [Bucket(bucket) for bucket in opened.values()]
    return sorted(buckets, key=lambda bucket: -min(bucket.parameters))


class Reducer:
    """Goes along with the walks back through a module, and averages the gradients of its parameters."""

    def __init__(
        self, named: Mapping[str, Tensor], group: ProcessGroup, bucket_bytes: float, find_unused: bool
    ) -> None:
        self.names, self.parameters = list(named), list(named.values())
        self.group, self.find_unused = group, find_unused
        self.buckets = buckets_of(self.parameters, min(MEGABYTE, bucket_bytes), bucket_bytes)
        self.bucket_of = {i: bucket for bucket in self.buckets for i in bucket.parameters}
        self.on, self.weight = True, 1.0  # as the last forward has said
        self.counted = False  # whether processes count differently, so that what they count is added up too
        self.depth = 0  # of walks inside walks
        self._begin()
        for i, p in enumerate(self.parameters):
            p.register_post_accumulate_grad_hook(_message(weakref.ref(self), i))
        accompany(self)

    def _begin(self) -> None:
        self.sent = 0
        for bucket in self.buckets:
            bucket.missing, bucket.work = set(bucket.parameters), None

    @contextlib.contextmanager
    def along(self, roots: Sequence[Node]) -> Iterator[None]:
        """The time of a walk: leaves are numbered anew, and at its end the averages are there."""
        if not self.on:
            yield
            return
        if not self.depth:
            self._begin()
        self.depth += 1
        leaves = {p.node: i for i, p in enumerate(self.parameters) if p.node is not None}
        before = {leaf: leaf.number for leaf in leaves}
        try:
            _renumber(leaves, roots)
            yield
        finally:
            self.depth -= 1
            for leaf, number in before.items():
                leaf.number = number
        if not self.depth:
            self._end()

    def arrived(self, i: int) -> None:
        """The gradient of a parameter is complete: send what is ready, in order."""
        if not self.on:
            return
        bucket = self.bucket_of[i]
        if bucket.work is not None:
            wrong = (
                f"a gradient of {self.names[i]} came after the others were sent: it is used inside and outside of a "
            )
            raise RuntimeError(f"DistributedDataParallel: {wrong}checkpoint with use_reentrant=True; write False there")
        bucket.missing.discard(i)
        self._send_ready()

    def _send_ready(self) -> None:
        for bucket in self.buckets[: self.sent]:
            if bucket.work is not None:
                bucket.work.is_completed()  # asking drives it on
        while self.sent < len(self.buckets) and not self.buckets[self.sent].missing:
            self.send(self.buckets[self.sent], self.weight)
            self.sent += 1

    def send(self, bucket: Bucket, weight: float) -> None:
        """Begin to add a bucket up over all processes."""
        bucket.fill(weight)
        bucket.work = distributed.all_reduce(bucket.flat, group=self.group, async_op=True)

    def _end(self) -> None:
        """After the walk: wait for the sums, and divide them."""
        missing = [i for bucket in self.buckets for i in bucket.missing]
        if len(missing) == len(self.parameters):
            return  # a walk through something else
        if missing and not self.find_unused:
            raise RuntimeError(self._unused(missing))
        for i in missing:
            self.bucket_of[i].missing.discard(i)
        self._send_ready()
        divisor = self.counts(self.weight)
        unused = self.unused_everywhere(missing) if self.find_unused else set()
        for bucket in self.buckets:
            if bucket.work is not None:
                bucket.work.wait()
            bucket.empty(divisor, unused)

    def counts(self, weight: float) -> float:
        """What all processes count together in the average."""
        if not self.counted:
            return self.group.size()
        total = np.array(float(weight))
        distributed.all_reduce(wrap(total), group=self.group)
        return float(total)

    def unused_everywhere(self, missing: Sequence[int]) -> set[int]:
        """The parameters that no process has used: their `grad` stays as it is."""
        used = np.ones(len(self.parameters), np.uint8)
        used[list(missing)] = 0
        distributed.all_reduce(wrap(used), distributed.ReduceOp.MAX, self.group)
        return set(np.flatnonzero(used == 0).tolist())

    def shadow(self) -> None:
        """Do with nothing what the other processes do in a walk back; the gradients here stay as they are."""
        self._begin()
        for bucket in self.buckets:
            self.send(bucket, 0)
        self.counts(0)
        if self.find_unused:
            self.unused_everywhere(range(len(self.parameters)))
        for bucket in self.buckets:
            if bucket.work is not None:
                bucket.work.wait()

    def _unused(self, missing: Sequence[int]) -> str:
        names = ", ".join(self.names[i] for i in sorted(missing)[:8]) + (", ..." if len(missing) > 8 else "")
        wrong = (
            f"{len(missing)} of {len(self.parameters)} parameters had no part in the loss on rank {self.group.rank()} "
            f"({names}), and the other processes wait for their gradients"
        )
        instead = "DistributedDataParallel(model, find_unused_parameters=True), or requires_grad_(False) for these"
        return message("DistributedDataParallel", wrong, instead=instead)


def _message(reducer: weakref.ref[Reducer], i: int) -> Callable[[Tensor], None]:
    """A hook that tells a reducer, as long as there is one, of the gradient of parameter `i`."""

    def hook(_: Tensor) -> None:
        there = reducer()
        if there is not None:
            there.arrived(i)

    return hook


def _renumber(leaves: dict[Any, int], roots: Sequence[Node]) -> None:
    """Number each leaf just below the oldest node that uses it, each a little different from the others."""
    oldest: dict[Node, float] = {}
    for node in reachable(roots):
        for edge in node.edges:
            if edge in leaves and node.number < oldest.get(edge, math.inf):
                oldest[edge] = node.number
    for leaf, number in oldest.items():
        leaf.number = number - (1 + leaves[leaf]) / (2 + len(leaves))  # type: ignore[assignment]
