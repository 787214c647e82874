"""Training, epoch by epoch, so that it can be interrupted and goes on with the same numbers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import optim
from ..autograd.modes import no_grad
from ..datasets.progress import Progress
from ..errors import Mistake
from ..random import Generator, get_rng_state, manual_seed, set_rng_state
from ..serialization import save
from ..utils.data import DataLoader, RandomSampler
from ..viz.history import History
from .tasks import Options, Task, loss_of, right

Make = Callable[..., optim.Optimizer]
OPTIMIZERS: dict[str, Make] = {
    "sgd": optim.SGD,
    "momentum": lambda parameters, lr: optim.SGD(parameters, lr=lr, momentum=0.9),
    "rmsprop": optim.RMSprop,
    "adagrad": optim.Adagrad,
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "nadam": optim.NAdam,
}
COLUMNS = ("loss", "accuracy", "test_loss", "test_accuracy")


class Training:
    """A model, its optimizer, its history, and all that decides how it goes on."""

    def __init__(self, task: Task, options: Options) -> None:
        self.task, self.options = task, options
        seed: int = options.seed  # type: ignore[assignment]
        size: int = options.batch_size  # type: ignore[assignment]
        manual_seed(seed)
        self.model = task.models[options.model]().to(options.device)  # type: ignore[index]
        self.optimizer = OPTIMIZERS[options.optimizer](self.model.parameters(), lr=options.lr)  # type: ignore[index]
        self.history = History()
        self.epoch = self.kept = 0  # how many epochs are done, and how many of them the file knows
        self.order = Generator().manual_seed(seed)
        count = len(task.learn) if task.steps is None else task.steps * size  # type: ignore[arg-type]
        sampler = RandomSampler(task.learn, task.steps is not None, count, self.order)
        self.learn = DataLoader(task.learn, size, sampler=sampler, generator=self.order)
        self.test = DataLoader(task.test, 256, generator=Generator())

    def run(self, path: Path) -> Iterator[dict[str, float]]:
        """Train the epochs that are left; after each its numbers, when the state is kept in the file `path`."""
        epochs: int = self.options.epochs  # type: ignore[assignment]
        while self.epoch < epochs:
            began = time.perf_counter()
            with Progress(f"epoch {self.epoch + 1} of {epochs}", len(self.learn), "batches") as bar:
                loss, accuracy = self._learn(bar)
            test_loss, test_accuracy = self.tested()
            if not math.isfinite(loss + test_loss):
                raise Mistake(
                    f"in epoch {self.epoch + 1} the loss became {loss + test_loss}: the steps are too large; begin again "
                    f"with a smaller --lr than {self.options.lr}"
                )
            self.epoch += 1
            numbers = dict(zip(COLUMNS, (loss, accuracy, test_loss, test_accuracy), strict=True))
            self.history.log(self.epoch, **numbers)
            self.history.log_norms(self.epoch, self.model)
            self.keep(path)
            yield {"epoch": self.epoch, **numbers, "seconds": time.perf_counter() - began}

    def _learn(self, bar: Progress) -> tuple[float, float]:
        """One epoch; the mean loss and accuracy on the way."""
        total = hits = seen = 0.0
        self.model.train()
        for x, y in self.learn:
            x, y = x.to(self.options.device), y.to(self.options.device)
            self.optimizer.zero_grad()
            scores = self.model(x)
            loss = loss_of(scores, y)
            loss.backward()
            self.optimizer.step()
            count = scores.shape[:-1].numel()
            total, seen = total + loss.item() * count, seen + count
            hits += right(scores, y).sum().item()
            bar.advance(note=f"loss {total / seen:.4f}")
        return total / seen, hits / seen

    @no_grad()
    def tested(self) -> tuple[float, float]:
        """The mean loss and accuracy on the data to test."""
        total = hits = seen = 0.0
        self.model.eval()
        for x, y in self.test:
            scores = self.model(x.to(self.options.device))
            y = y.to(self.options.device)
            count = scores.shape[:-1].numel()
            total, seen = total + loss_of(scores, y).item() * count, seen + count
            hits += right(scores, y).sum().item()
        return total / seen, hits / seen

    # --- to be continued ---------------------------------------------------------------------------------------------------------

    def keep(self, path: Path) -> None:
        """Write the state after an epoch."""
        state = {
            "options": asdict(self.options),
            "epoch": self.epoch,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history.state_dict(),
            "chance": get_rng_state(),
            "order": self.order.get_state(),
        }
        save(state, path)
        self.kept = self.epoch

    def go_on(self, state: dict[str, Any]) -> None:
        """Continue from a kept state."""
        self.epoch = self.kept = state["epoch"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.history.load_state_dict(state["history"])
        set_rng_state(state["chance"])
        self.order.set_state(state["order"])
