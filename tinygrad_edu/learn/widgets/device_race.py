"""Batches and samples a second by batch size: what was measured on the CPU, what was recorded on a GPU, and an imagined device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import message
from ..widget import Widget

CSS = """
#charts { margin-top: 6px; }
label { white-space: nowrap; }
output { display: inline-block; min-width: 4.5em; }
#say { font-weight: 600; }
td { padding-left: 12px; }
tr[data-name] > * { white-space: nowrap; }
"""
HTML = """
<h1>Samples a second, by batch size</h1>
<div class="row">
  <label>batch size <input id="batch" type="range" min="0" step="1"> <output id="batch-text"></output></label>
</div>
<div class="row">
  <span>an imagined device:</span>
  <label>starts an operation in <input id="start" type="range" min="0" max="80" step="1" value="54"> <output id="start-text"></output></label>
  <label>computes <input id="times" type="range" min="0" max="30" step="1" value="13"> <output id="times-text"></output></label>
</div>
<div class="charts"><div id="chart"></div><div><table id="table"></table></div></div>
<p id="say" role="status" aria-live="polite"></p>
<p class="quiet">The imagined device is a formula, not a measurement:
seconds a step = operations · start + (CPU's seconds a sample ÷ times as fast) · batch.</p>
"""


def device_race(
    cpu: Mapping[int, float], operations: int, gpu: Mapping[int, float] | None = None, name: str = "GPU"
) -> Widget:
    """Training steps of several batch sizes raced.

    cpu, gpu    seconds a step by batch size, as they were measured; `gpu` if there is a record
    operations  how many operations a step is made of: each has to be started
    name        of the GPU that was recorded
    """
    sizes = sorted(cpu)
    if len(sizes) < 2 or min(cpu.values()) <= 0:
        raise ValueError(
            message("device_race", f"got {dict(cpu)}", instead="two batch sizes or more, positive seconds")
        )
    overhead, a_sample = fitted(sizes, [cpu[n] for n in sizes])
    measured = {"this CPU, measured": [[n, cpu[n]] for n in sizes]}
    if gpu:
        measured[f"{name}, recorded"] = [[n, gpu[n]] for n in sorted(gpu)]
    data = {"measured": measured, "sizes": sizes, "operations": operations, "overhead": overhead, "sample": a_sample}
    script = "".join(Path(__file__).with_name(file).read_text("utf-8") for file in ("chart.js", "device_race.js"))
    style = Path(__file__).with_name("chart.css").read_text("utf-8") + CSS
    return Widget(HTML, style, script, data, title="Samples a second", height=480)


def fitted(sizes: Sequence[int], seconds: Sequence[float]) -> tuple[float, float]:
    """Seconds of a step before the first sample, and for each sample: the line through the first and the last size."""
    a_sample = max((seconds[-1] - seconds[0]) / (sizes[-1] - sizes[0]), 1e-12)
    return max(seconds[0] - a_sample * sizes[0], 0.0), a_sample


__all__ = ["device_race", "fitted"]
