"""The time to the first trained model: from the start of the process to 95 % on the embedded digits it has not seen.

    python -m benchmarks.first_model tinygrad_edu
    python -m benchmarks.first_model torch
    python -m benchmarks.first_model numpy          the same by hand

Prints the epochs and the milliseconds. All begin with the same numbers, and see the same batches in the same order.
"""

from __future__ import annotations

import gzip
import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

STARTED = float(os.environ.get("BEGAN", time.monotonic()))  # `timing.alternating` says when the process was asked for

import numpy as np  # noqa: E402

from . import by_hand  # noqa: E402

DIGITS = Path(__file__).parents[1] / "tinygrad_edu" / "datasets" / "embedded" / "digits.csv.gz"
SIZES, BATCH, EPOCHS, OPTIONS = (64, 64, 10), 32, 100, {"lr": 0.1, "momentum": 0.9}
Classes = Callable[[np.ndarray], Any]


def main(engine: str) -> None:
    """Train until it is good enough, and print how long that took."""
    x, y = digits()
    test = np.arange(len(x)) % 5 == 4
    seen = np.random.default_rng(0).permutation(np.flatnonzero(~test))
    epochs, classes = (in_numpy if engine == "numpy" else in_engine)(engine, x[seen], y[seen])
    for epoch in epochs:
        if (classes(x[test]) == y[test]).mean() >= 0.95:
            print(f"{epoch} epochs, {(time.monotonic() - STARTED) * 1e3:.1f}")
            return
    raise SystemExit(f"{engine} has not come to 95 % in {EPOCHS} epochs")


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Pictures of 64 numbers from 0 to 1, and their classes."""
    lines = gzip.decompress(DIGITS.read_bytes()).decode().split()
    table = np.array([line.split(",") for line in lines], np.float32)
    return table[:, :-1] / 16, table[:, -1].astype(np.int64)


def in_engine(name: str, x: np.ndarray, y: np.ndarray) -> tuple[Iterator[int], Classes]:
    """The program as it is written with PyTorch's names."""
    from .workloads import network

    torch = import_module(name)
    model = network(torch, SIZES)
    optimizer = torch.optim.SGD(model.parameters(), **OPTIONS)
    loss_function = torch.nn.CrossEntropyLoss()
    rows = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    loader = torch.utils.data.DataLoader(rows, batch_size=BATCH, drop_last=True)

    def train() -> Iterator[int]:
        for epoch in range(1, EPOCHS + 1):
            for inputs, labels in loader:
                optimizer.zero_grad()
                loss_function(model(inputs), labels).backward()
                optimizer.step()
            yield epoch

    def classes(x: np.ndarray) -> Any:
        with torch.no_grad():
            return model(torch.from_numpy(x)).argmax(1).numpy()

    return train(), classes


def in_numpy(_: str, x: np.ndarray, y: np.ndarray) -> tuple[Iterator[int], Classes]:
    """The same by hand."""
    network = by_hand.layers(SIZES)
    step = by_hand.training(network, BATCH, "SGD", **OPTIONS)

    def train() -> Iterator[int]:
        for epoch in range(1, EPOCHS + 1):
            for start in range(0, len(x) - BATCH + 1, BATCH):
                step(x[start : start + BATCH], y[start : start + BATCH])
            yield epoch

    return train(), lambda x: by_hand.forward(network, x)[1].argmax(1)


if __name__ == "__main__":
    main(sys.argv[1])
