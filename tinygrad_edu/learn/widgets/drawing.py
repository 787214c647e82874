"""Draw, and a trained network answers: its weights are in the page, and a few lines of JavaScript run it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...nn.modules.container import Sequential
from ...tensor import Tensor
from ...train.page import page_of
from ...train.tasks import Options, Task
from ...utils.data import TensorDataset
from ..widget import Widget

GROW = """<script>
new ResizeObserver(() => {
  if (window.frameElement) window.frameElement.style.height = `${document.body.offsetHeight + 4}px`;
}).observe(document.body);
</script>
"""


class Page(Widget):
    """A page that is there already, shown as widgets are."""

    def __init__(self, page: str, title: str, height: int) -> None:
        super().__init__("", title=title, height=height)
        self._page = page.replace("</body>", f"{GROW}</body>")

    @property
    def page(self) -> str:
        """The whole page, which opens anywhere."""
        return self._page


def draw(
    model: Sequential,
    pictures: Tensor,
    labels: Tensor,
    classes: Sequence[str],
    mean: float = 0.0,
    std: float = 1.0,
    title: str = "your drawing",
) -> Page:
    """A page to draw on, for a `Sequential` that takes pictures of shape (B, 1, side, side) and gives a score per class.

    pictures   some that the network knows how to read, (N, 1, side, side): examples to begin with
    mean, std  what was done to pixels from 0 to 1 before: (pixel - mean) / std
    """
    side = math.isqrt(pictures[0].numel())
    if tuple(pictures.shape[1:]) != (1, side, side):
        raise ValueError(f"draw: pictures are (N, 1, side, side), not {tuple(pictures.shape)}")
    samples = TensorDataset(pictures, labels)
    facts = {"side": side, "mean": mean, "std": std}
    task = Task(title, "pictures", samples, samples, classes, {}, Options(), facts=facts)
    return Page(page_of(task, model), f"Try the network: {title}", height=600)


__all__ = ["draw"]
