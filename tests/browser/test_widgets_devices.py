"""The race of devices in a real browser: what was measured is shown as it was, the imagined device is its formula."""

from __future__ import annotations

from typing import Any

import pytest

from tinygrad_edu.learn.widgets.device_race import device_race, fitted

pytestmark = pytest.mark.browser

OPERATIONS = 10
CPU = {1: 101e-6, 16: 116e-6, 256: 356e-6}  # 100 µs, and 1 µs a sample
GPU = {1: 250e-6, 16: 250e-6, 256: 260e-6}


def slide(page: Any, selector: str, value: int) -> None:
    script = (
        "const e = document.querySelector(arguments[0]); e.value = arguments[1]; e.dispatchEvent(new Event('input'))"
    )
    page.run(script, selector, value)


def row(page: Any, name: str) -> list[str]:
    return [cell.text for cell in page.all(f'#table tr[data-name="{name}"] td')]


def test_a_line_is_fitted_through_the_first_and_the_last_size() -> None:
    assert fitted(list(CPU), list(CPU.values())) == pytest.approx((100e-6, 1e-6))


def test_measured_numbers_are_shown_and_a_gpu_only_if_it_was_recorded(page: Any) -> None:
    page.open(device_race(CPU, OPERATIONS, GPU, name="Some GPU").page)
    slide(page, "#batch", 2)
    assert row(page, "this CPU, measured") == ["356 µs", "2810", "719000"]  # 1 and 256 / 356 µs, in three digits
    assert row(page, "Some GPU, recorded") == ["260 µs", "3850", "985000"]
    page.open(device_race(CPU, OPERATIONS).page)
    names = [line.get_attribute("data-name") for line in page.all("#chart polyline")]
    assert names == ["this CPU, measured", "an imagined device"]


def test_the_imagined_device_follows_its_formula(page: Any) -> None:
    page.open(device_race(CPU, OPERATIONS).page)
    slide(page, "#batch", 1)
    slide(page, "#start", 50)  # 10 ** (50 / 20 - 7) seconds
    slide(page, "#times", 10)  # 10 times as fast
    start = 10 ** (50 / 20 - 7)
    seconds = OPERATIONS * start + 1e-6 / 10 * 16
    assert row(page, "an imagined device")[0] == f"{1e6 * seconds:.3g} µs"
    ahead = (OPERATIONS * start - 100e-6) / (1e-6 - 1e-7)
    assert f"ahead from a batch of about {float(f'{-(-ahead // 1):.2g}'):.0f}." in page.text("#say")


def test_who_starts_slowly_and_computes_no_faster_never_wins(page: Any) -> None:
    page.open(device_race(CPU, OPERATIONS).page)
    slide(page, "#start", 80)
    slide(page, "#times", 0)
    assert page.text("#say") == "The imagined device is behind at every batch size up to 256."
    slide(page, "#start", 0)
    assert page.text("#say") == "The imagined device is ahead at every batch size."


def test_one_batch_size_makes_no_race() -> None:
    with pytest.raises(ValueError, match="two batch sizes"):
        device_race({32: 1e-3}, OPERATIONS)
