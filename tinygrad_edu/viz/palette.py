"""What the colours and the borders of boxes mean, in light and in dark, and told apart without colour too."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """How one kind of box looks; fill and line in light and in dark."""

    meaning: str
    fill: str
    line: str
    dark_fill: str
    dark_line: str
    border: int = 1
    style: str = ""  # of the border: "rounded", "dashed"
    double: bool = False  # a second border inside the first


KINDS = {
    "parameter": Kind("parameter", "#dbe9ff", "#2f66c4", "#16315f", "#7fb0ff", border=2),
    "leaf": Kind("leaf that wants a gradient", "#d5f1ee", "#15807a", "#0e3f3c", "#58cfc6", border=2),
    "input": Kind("input", "#e3f4d7", "#4d8a24", "#24401a", "#92cf66"),
    "constant": Kind("constant", "#f1f1ee", "#8b8b83", "#2d2e30", "#9b9c9e", style="dashed"),
    "operation": Kind("operation", "#fffdf6", "#85775a", "#2a2721", "#bfae8a", style="rounded"),
    "folded": Kind("folded", "#ece2fb", "#7546b8", "#35214f", "#b993f0", style="rounded", double=True),
    "result": Kind("result", "#ffe3c2", "#bd6510", "#4f2f0d", "#f2a654", border=2, style="rounded"),
}
PAPER, INK, QUIET, BAD = ("#ffffff", "#14171c"), ("#1d2129", "#e9ecf1"), ("#626a76", "#a1a9b5"), ("#b3001b", "#ff8a80")
CODE = ("#5a3f8f", "#c9b2f5")
ARROW = ("#6d7684", "#939cab")
BAD_FILL = ("#ffdedb", "#5a1717")
FRAME = ("#aab3c0", "#566070")
FRAME_FILLS = (("#f6f8fb", "#1b1f26"), ("#edf1f6", "#222832"))  # of every other depth

PAIRS = [
    *((kind.fill, kind.dark_fill) for kind in KINDS.values()),
    *((kind.line, kind.dark_line) for kind in KINDS.values()),
    *(PAPER, INK, QUIET, BAD, CODE, ARROW, BAD_FILL, FRAME, *FRAME_FILLS),
]


def style_sheet() -> str:
    """What turns a light picture dark where the reader's screen is dark; colours are found by their light form."""
    rules = "".join(
        f'.tg [fill="{light}"]{{fill:{dark}}}.tg [stroke="{light}"]{{stroke:{dark}}}' for light, dark in PAIRS
    )
    faces = (
        '.tg text{font-family:Arial,Helvetica,"Liberation Sans",sans-serif}'
        '.tg [font-family^=Courier]{font-family:"Courier New","Liberation Mono",Menlo,monospace}'
    )
    return f".tg{{max-width:100%;height:auto}}{faces}@media(prefers-color-scheme:dark){{{rules}}}"
