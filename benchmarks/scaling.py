"""A model of data-parallel training: how long an all-reduce and a step take with any number of processes.

An all-reduce of B bytes over n processes sends 2 log₂ n messages one after the other, each with a latency α, and moves
2 (n - 1) / n B bytes through every process at a bandwidth β:

    reduce(n, B) = 2 log₂ n α + 2 (n - 1) / n B / β

A step is the work of one process, what each process does and waits besides (dividing the sums, being late), both longer
where processes share cores, and the all-reduce of the gradients, of which a share ω is hidden behind the walk back:

    step(n) = (work + besides) · max(1, n / cores) + (1 - ω) reduce(n, gradients)

Where there are more processes than cores, all this takes n / cores times as long, and who receives a message waits for the
sender's turn on its core, a time τ for each turn. MPICH sends up to 2 KB whole, in log₂ n messages, more in halves, quarters
and so on, 2 log₂ n messages, and announces each from about 16 KB on, which makes two turns of it:

    turns(n, B) = log₂ n · (1, 2 or 4)

α, β, ω and `besides` are fitted to two processes, τ to one all-reduce of more processes than cores; the other points test
them, and the rest is computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

MANY = (8, 16, 64, 256, 1024)


@dataclass(frozen=True)
class Model:
    """Microseconds, and bytes per microsecond; `cores` are those of one machine."""

    latency: float
    bandwidth: float
    hidden: float = 0.0
    besides: float = 0.0
    cores: float = math.inf
    turn: float = 0.0

    def slower(self, n: int) -> float:
        """How much longer everything takes where processes share cores."""
        return max(1.0, n / self.cores)

    def reduce(self, n: int, size: float) -> float:
        """Microseconds of an all-reduce of so many bytes."""
        if n == 1:
            return 0.0
        alone = 2 * math.log2(n) * self.latency + 2 * (n - 1) / n * size / self.bandwidth
        return self.slower(n) * alone + (turns(n, size) * self.turn if n > self.cores else 0.0)

    def step(self, n: int, work: float, size: float) -> float:
        """Microseconds of a training step, whose work takes one process alone so long."""
        if n == 1:
            return work
        return self.slower(n) * (work + self.besides) + (1 - self.hidden) * self.reduce(n, size)

    def efficiency(self, n: int, work: float, size: float) -> float:
        """The share of n times one process's samples per second that n processes reach, each with a whole batch."""
        return work / self.step(n, work, size)


def turns(n: int, size: float) -> float:
    """How often a process waits for another's turn in an all-reduce."""
    return math.log2(n) * (1 if size <= 2048 else 2 if size <= 16_384 else 4)


def fit(points: list[tuple[int, float]], cores: float) -> Model:
    """Latency and bandwidth from all-reduces between two processes, `(bytes, microseconds)`: the least and the most."""
    (_, quick), (size, slow) = min(points), max(points)
    return Model(latency=quick / 2, bandwidth=size / (slow - quick), cores=cores)


def with_steps(model: Model, work: float, step: float, late: float, size: float) -> Model:
    """The model with what two processes' steps show: `late` is one whose all-reduce begins when the walk has ended."""
    reduce = model.reduce(2, size)
    hidden = min(max((late - step) / reduce, 0.0), 1.0)
    return replace(model, hidden=hidden, besides=step - work - (1 - hidden) * reduce)


def with_turns(model: Model, n: int, size: float, time: float) -> Model:
    """The model with what an all-reduce of more processes than cores shows, which took so long."""
    return replace(model, turn=max(time - model.reduce(n, size), 0.0) / turns(n, size))


NETWORKS = {  # usual figures of networks between machines: not measured here
    "10 Gbit/s Ethernet": Model(latency=30.0, bandwidth=1_100.0),
    "100 Gbit/s InfiniBand": Model(latency=2.0, bandwidth=11_000.0),
}
