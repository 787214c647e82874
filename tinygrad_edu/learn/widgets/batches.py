"""Sixty coloured samples, shuffled and dealt into batches, epoch after epoch."""

from __future__ import annotations

from pathlib import Path

from ...random import Generator
from ...utils.data import DataLoader, Dataset
from ..widget import Widget

SAMPLES, EPOCHS = 60, 6
CLASSES = ("cat", "dog", "bird")

HTML = """
<h1>Sixty samples, shuffled and dealt into batches</h1>
<div class="row">
  <label><input type="checkbox" id="shuffle"> shuffle</label>
  <label>batch size <input type="range" id="size" min="1" max="60"> <output id="size-text"></output></label>
  <label><input type="checkbox" id="drop"> drop the last batch if it is short</label>
  <label>epoch <select id="epoch"></select></label>
</div>
<p class="quiet">the data, in the order of the file: number and class of each sample</p>
<div id="file" class="strip"></div>
<p class="quiet">one epoch: each frame is a batch, and the bar under it shows its classes</p>
<div id="batches" role="list"></div>
<div class="row" style="margin-top:8px"><button id="back">◀ batch</button><button id="next">batch ▶</button><output id="where" class="code"></output></div>
<p id="summary" role="status" aria-live="polite"></p>
"""
CSS = """
.strip, #batches { display: flex; flex-wrap: wrap; gap: 3px; }
#batches { gap: 8px; align-items: flex-start; }
.sample { width: 25px; height: 25px; border-radius: 6px; display: grid; place-items: center; font-size: 11px; border: 1.5px solid; }
.cat { background: var(--blue-soft); border-color: var(--blue); color: var(--blue); }
.dog { background: var(--orange-soft); border-color: var(--orange); color: var(--orange); border-radius: 50%; }
.bird { background: var(--green-soft); border-color: var(--green); color: var(--green); border-radius: 0 10px 0 10px; }
.sample.chosen { outline: 2px solid var(--ink); outline-offset: 1px; }
.sample.out { opacity: 0.35; }
.batch { border: 1.5px solid var(--line); border-radius: 9px; padding: 5px; max-width: 100%; cursor: pointer; }
.batch .strip { max-width: 281px; }
.batch[aria-current="true"] { border-color: var(--ink); background: var(--card); }
.batch.dropped { border-style: dashed; opacity: 0.45; cursor: default; }
.shares { display: flex; height: 7px; margin-top: 5px; border-radius: 3px; overflow: hidden; }
.shares i { height: 100%; } .shares .cat { background: var(--blue); } .shares .dog { background: var(--orange); border-radius: 0; }
.shares .bird { background: var(--green); border-radius: 0; }
#size { width: 150px; vertical-align: middle; }
#where { white-space: normal; }
"""


def shuffle_and_batch() -> Widget:
    """Shuffle, batch size, drop_last and epochs to play with; the orders are those that a `DataLoader` deals."""
    labels = [i * len(CLASSES) // SAMPLES for i in range(SAMPLES)]
    data = {"classes": CLASSES, "labels": labels, "orders": orders()}
    script = Path(__file__).with_suffix(".js").read_text("utf-8")
    return Widget(HTML, CSS, script, data, title="Shuffle and batch", height=520)


def orders(seed: int = 7) -> list[list[int]]:
    """The samples in the order in which a shuffling loader deals them, for each epoch."""
    generator = Generator()
    generator.manual_seed(seed)
    loader: DataLoader = DataLoader(Numbers(), batch_size=None, shuffle=True, generator=generator)
    return [[int(i) for i in loader] for _ in range(EPOCHS)]


class Numbers(Dataset):
    """Each sample is its own number."""

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, i: int) -> int:
        return i


__all__ = ["shuffle_and_batch"]
