"""The model of `python -m benchmarks.distributed`, and that the benchmark runs."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from started import needs_mpi, run

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import distributed  # noqa: E402
from benchmarks.scaling import Model, fit, with_steps, with_turns  # noqa: E402


def ring(n: int, size: float, latency: float, bandwidth: float) -> float:
    """The time of reduce-scatter and all-gather by halving and doubling, added up message by message."""
    total, distance = 0.0, 1
    while distance < n:
        total += 2 * (latency + size * distance / n / bandwidth)
        distance *= 2
    return total


@pytest.mark.parametrize("n", [2, 4, 8, 64, 1024])
@pytest.mark.parametrize("size", [4, 1e5, 1e7])
def test_an_all_reduce_is_its_messages(n: int, size: float) -> None:
    np.testing.assert_allclose(Model(3.0, 2000.0).reduce(n, size), ring(n, size, 3.0, 2000.0), 1e-12)


def test_what_made_the_points_is_found_again() -> None:
    model = Model(4.0, 7000.0, hidden=0.25, besides=900.0, cores=2)
    found = fit([(size, model.reduce(2, size)) for size in (1_000_000, 0, 10_000_000)], cores=2)
    step = model.step(2, 20_000, 7.5e6)
    late = step + 0.25 * model.reduce(2, 7.5e6)
    found = with_steps(found, 20_000, step, late, 7.5e6)
    np.testing.assert_allclose([found.latency, found.bandwidth, found.hidden, found.besides], [4, 7000, 0.25, 900])
    assert found.step(4, 20_000, 7.5e6) == pytest.approx(model.step(4, 20_000, 7.5e6))


@pytest.mark.parametrize(("size", "wanted"), [(4, 2), (2048, 2), (4096, 4), (65_536, 8), (10_000_000, 8)])
def test_who_shares_a_core_waits_for_turns(size: float, wanted: int) -> None:
    """Two, four or eight turns of 90 µs among four processes on two cores; none where each has a core."""
    model = with_turns(Model(4.0, 7000.0, cores=2), 4, 65_536, 8 * 90 + 2 * ring(4, 65_536, 4.0, 7000.0))
    np.testing.assert_allclose(model.reduce(4, size), wanted * 90 + 2 * ring(4, size, 4.0, 7000.0))
    np.testing.assert_allclose(model.reduce(2, size), ring(2, size, 4.0, 7000.0))


def test_more_processes_are_never_better_than_alone() -> None:
    model = Model(30.0, 1100.0)
    shares = [model.efficiency(n, 20_000, 7.5e6) for n in (1, 2, 8, 64, 1024)]
    assert shares[0] == 1 and shares == sorted(shares, reverse=True) and shares[-1] > 0
    assert Model(1.0, 1e9, cores=2).efficiency(4, 20_000, 4) == pytest.approx(0.5, 1e-3)


@needs_mpi
def test_the_benchmark_runs() -> None:
    ended = run([sys.executable, "-m", "benchmarks.distributed", "--quick"], seconds=150, cwd=ROOT)
    assert ended.code == 0, ended.err
    rows = [line for line in ended.out.splitlines() if line.startswith("|")]
    assert sum("bytes |" in row for row in rows) == 5 and sum("256 samples" in row for row in rows) == 3
    assert "**Computed, not measured:**" in ended.out and "7.45 MB of gradients" in ended.out


def test_the_page_is_that_of_the_results() -> None:
    """The tables in the documentation are written from the results that are kept, by no hand."""
    import json

    page = distributed.PAGE.read_text("utf-8")
    kept = page.partition(distributed.BEGIN)[2].partition(distributed.END)[0].strip()
    assert kept == distributed.tables(json.loads(distributed.RESULTS.read_text("utf-8"))).strip()
