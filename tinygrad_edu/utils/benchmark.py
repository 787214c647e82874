"""How long a statement takes: `Timer(stmt, globals=globals()).timeit(100).median`."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from timeit import Timer as Stopwatch
from timeit import default_timer
from typing import Any

from ..threads import get_num_threads, set_num_threads

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


@dataclasses.dataclass
class Measurement:
    """The times of several runs, of `number_per_run` calls each."""

    number_per_run: int
    raw_times: list[float]
    stmt: str = "pass"
    num_threads: int = 1

    @property
    def times(self) -> list[float]:
        """Seconds a call, for each run."""
        return [t / self.number_per_run for t in self.raw_times]

    @property
    def median(self) -> float:
        """Half of the runs took longer."""
        return statistics.median(self.times)

    @property
    def mean(self) -> float:
        """The average."""
        return statistics.fmean(self.times)

    @property
    def iqr(self) -> float:
        """How far apart the quarter of the fast runs and that of the slow ones begin."""
        if len(self.times) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.times, n=4, method="inclusive")
        return high - low

    def __repr__(self) -> str:
        size, unit = next((u for u in UNITS if self.median >= u[0]), UNITS[-1])
        runs, s = len(self.times), "s" * (self.num_threads != 1)
        counts = f"{runs} measurement{'s' * (runs != 1)}, {self.number_per_run} runs per measurement"
        return (
            f"<{type(self).__module__}.Measurement of {self.stmt}>\n  {self.median / size:.2f} {unit}\n"
            f"  {counts}, {self.num_threads} thread{s}"
        )


class Timer:
    """Times a statement, after one run that is not counted, on one thread."""

    def __init__(
        self,
        stmt: str = "pass",
        setup: str = "pass",
        global_setup: str = "",
        timer: Callable[[], float] = default_timer,
        globals: dict[str, Any] | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
    ) -> None:
        if not isinstance(stmt, str):
            raise ValueError("Currently only a `str` stmt is supported.")
        if global_setup:
            raise ValueError("global_setup is for C++; write setup=")
        self.stmt, self.num_threads = stmt, num_threads
        self._timer = Stopwatch(stmt, setup, timer, globals if globals is not None else {})

    def timeit(self, number: int = 1_000_000) -> Measurement:
        """One measurement of `number` runs."""
        return self._measured(number, [self._on_threads(lambda: self._warm().timeit(number))])

    def blocked_autorange(
        self, callback: Callable[[int, float], Any] | None = None, min_run_time: float = 0.2
    ) -> Measurement:
        """Measurements of as many runs as fill a thousandth of `min_run_time`, until it has gone by."""

        def measure() -> tuple[int, list[float]]:
            timer, number = self._warm(), 1
            while timer.timeit(number) < min_run_time / 1000:
                number *= 10
            times: list[float] = []
            while sum(times) < min_run_time:
                times.append(timer.timeit(number))
                if callback is not None:
                    callback(number, times[-1])
            return number, times

        return self._measured(*self._on_threads(measure))

    def _warm(self) -> Stopwatch:
        self._timer.timeit(1)
        return self._timer

    def _on_threads(self, measure: Callable[[], Any]) -> Any:
        before = get_num_threads()
        set_num_threads(self.num_threads)
        try:
            return measure()
        finally:
            set_num_threads(before)

    def _measured(self, number: int, times: Sequence[float]) -> Measurement:
        return Measurement(number, list(times), self.stmt, self.num_threads)


__all__ = ["Measurement", "Timer"]
