"""Figures that show themselves in a notebook and save themselves: matplotlib's, with no state kept anywhere.

An SVG has the colours of a light page and turns dark with the reader's screen; the same figure gives the same bytes.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..serialization.replacing import replaced
from .labels import escaped
from .palette import BAD_FILL, FRAME, INK, KINDS, PAPER, QUIET

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("svg", "png", "pdf")
ORDER = ("parameter", "result", "leaf", "folded", "input", "constant")  # in which the palette's kinds are used
COLOURS = [(KINDS[name].line, KINDS[name].dark_line) for name in ORDER]
TINTS = [(KINDS[name].fill, KINDS[name].dark_fill) for name in ORDER]
DASHES = ("-", "--", ":", "-.")  # with the markers, lines are told apart without colour
MARKERS = "os^Dvp"
SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "tinygrad_edu",  # ids in the file hang on its content alone
    "svg.fonttype": "none",  # text stays text
    "font.family": ["sans-serif"],
    "font.size": 10,
    "text.color": INK[0],
    "axes.edgecolor": QUIET[0],
    "axes.labelcolor": INK[0],
    "axes.titlecolor": INK[0],
    "axes.facecolor": PAPER[0],
    "axes.grid": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": PAPER[0],
    "grid.color": FRAME[0],
    "grid.linewidth": 0.4,
    "legend.edgecolor": FRAME[0],
    "legend.facecolor": PAPER[0],
    "legend.fontsize": 9,
    "xtick.color": QUIET[0],
    "ytick.color": QUIET[0],
}


class Plot:
    """A picture of numbers: `figure` is matplotlib's, to be changed at will."""

    def __init__(self, figure: Figure, title: str) -> None:
        self.figure, self.title = figure, title

    @property
    def axes(self) -> list[Axes]:
        """The panels."""
        return self.figure.axes

    def svg(self) -> str:
        """The picture as SVG text: light or dark as the reader's screen is."""
        text = self._written("svg").decode()
        head, _, rest = text[text.index("<svg") :].partition(">")
        size = f"<style>.tg-plot{{max-width:100%;height:auto}}{_dark_rules()}</style>"
        return f'{head} class="tg-plot" role="img">\n<title>{escaped(self.title)}</title>\n{size}{rest}'

    def save(self, path: str | os.PathLike) -> Path:
        """Write the picture to a file: .svg, .png or .pdf."""
        path = Path(path)
        form = path.suffix.lower().removeprefix(".")
        if form not in FORMATS:
            raise ValueError(f"save({str(path)!r}): the name ends in {path.suffix!r}, and plots are .svg, .png or .pdf")
        data = self.svg().encode() if form == "svg" else self._written(form)
        with replaced(path) as file:
            file.write(data)
        return path

    def _written(self, form: str) -> bytes:
        file = io.BytesIO()
        dated = {"svg": "Date", "pdf": "CreationDate"}
        places = [(ax, ax.get_position(original=True), ax.get_in_layout()) for ax in self.axes]
        with style():
            self.figure.savefig(
                file, format=form, dpi=150, metadata={dated[form]: None, "Creator": None} if form in dated else None
            )
        for ax, place, laid_out in places:  # a layout that began with its own result would end elsewhere
            ax.set_position(place)
            ax.set_in_layout(laid_out)
        return file.getvalue()

    def _repr_svg_(self) -> str:
        return self.svg()

    def __repr__(self) -> str:
        return f"<plot of {self.title}>"


def _dark_rules() -> str:
    """What turns a light figure dark; colours are found by their light form."""
    pairs = [*COLOURS, *TINTS, PAPER, INK, QUIET, FRAME, BAD_FILL]
    rules = "".join(
        f'.tg-plot [style*="{what}: {light}"]{{{what}:{dark}!important}}'
        for light, dark in pairs
        for what in ("fill", "stroke")
    )
    return f"@media(prefers-color-scheme:dark){{{rules}}}"


@contextmanager
def style() -> Iterator[None]:
    """matplotlib with the settings of this file, and with the user's own again afterwards."""
    try:
        import matplotlib
    except ImportError:
        raise ImportError('plots are drawn by matplotlib; write: pip install "tinygrad_edu[viz]"') from None
    with matplotlib.rc_context(SETTINGS):
        yield


def panels(count: int, title: str, columns: int = 2, size: tuple[float, float] = (4.6, 3.2)) -> tuple[Plot, list[Axes]]:
    """An empty plot with so many panels of this size (inches); call it inside `style()`."""
    from matplotlib.figure import Figure

    columns = min(columns, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).reshape(-1)
    for unused in grid[count:]:
        unused.remove()
    return Plot(figure, title), list(grid[:count])


def line_style(number: int) -> dict[str, Any]:
    """How the so manyth line looks: colours in turn, and other dashes each time they begin again."""
    return {"color": COLOURS[number % len(COLOURS)][0], "linestyle": DASHES[number // len(COLOURS) % len(DASHES)]}


__all__ = ["Plot"]
