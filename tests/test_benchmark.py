"""`utils.benchmark`, with a clock that goes on by a second at each look; and the marks of `fx`."""

import itertools

import pytest

import tinygrad_edu as tg
from tinygrad_edu.utils.benchmark import Measurement, Timer


def seconds():
    return itertools.count().__next__


def test_a_number_of_runs():
    calls = []
    found = Timer("calls.append(1)", globals={"calls": calls}, timer=seconds()).timeit(4)
    assert len(calls) == 5  # one of them to warm up
    assert (found.times, found.median, found.mean, found.iqr) == ([0.25], 0.25, 0.25, 0.0)
    assert "calls.append(1)" in repr(found) and "250.00 ms" in repr(found)
    assert "1 measurement, 4 runs per measurement, 1 thread" in repr(found)


def test_as_many_runs_as_fill_a_time():
    heard = []
    timer = Timer("x = y", setup="y = 1", timer=seconds())
    found = timer.blocked_autorange(callback=lambda number, time: heard.append((number, time)), min_run_time=3)
    assert heard == [(1, 1.0)] * 3 and found.times == [1.0] * 3
    assert Measurement(1, [1.0, 2.0, 3.0, 4.0, 5.0]).iqr == 2.0


def test_threads_are_as_before():
    before = tg.get_num_threads()
    seen = []
    Timer("seen.append(count())", globals={"seen": seen, "count": tg.get_num_threads}, num_threads=1).timeit(1)
    assert seen == [1, 1] and tg.get_num_threads() == before


def test_bad_input():
    with pytest.raises(ValueError, match="str"):
        Timer(lambda: 1)
    with pytest.raises(ValueError, match="setup="):
        Timer("1", global_setup="#include")
    with pytest.raises(ZeroDivisionError):
        Timer("1 / 0").timeit(1)


def test_functions_marked_for_a_trace_stay_as_they_are():
    @tg.fx.wrap
    def double(x):
        return x * 2

    assert double(3) == 6 and tg.fx.wrap("len") == "len"
    with pytest.raises(RuntimeError, match="int"):
        tg.fx.wrap(3)
