"""Small trainings of different kinds; each answers with its losses and, as a digest, the bits of all that it ended with."""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Callable

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.utils.data import DataLoader, TensorDataset, random_split

F = nn.functional


class Convolutional(nn.Module):
    """Convolutions, a batch norm, dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(36, 3))

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return self.head(self.body(x.reshape(-1, 1, 8, 8)))


class Recurrent(nn.Module):
    """An LSTM over rows."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(8, 6, batch_first=True), nn.Linear(6, 3)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return self.head(self.lstm(x.reshape(-1, 8, 8))[0][:, -1])


class Attending(nn.Module):
    """A layer of a transformer over rows."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.head = nn.Linear(64, 3)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return self.head(self.layer(x.reshape(-1, 8, 8)).flatten(1))


KINDS: dict[str, Callable[[], nn.Module]] = {
    "convolutional": Convolutional,
    "recurrent": Recurrent,
    "attending": Attending,
    "dense": lambda: nn.Sequential(nn.Linear(64, 32), nn.GELU(), nn.LayerNorm(32), nn.Linear(32, 3)),
}


def prepared(kind: str) -> Callable[[], str]:
    """A training that is ready to run: whatever is drawn is drawn now, but the masks of dropout."""
    tg.manual_seed(3)
    model = KINDS[kind]()
    data = TensorDataset(tg.randn(48, 64), tg.randint(3, (48,)))
    learn, _ = random_split(data, [0.75, 0.25])
    batches = [batch for _ in range(3) for batch in DataLoader(learn, batch_size=12, shuffle=True)]
    optimizer = tg.optim.Adam(model.parameters(), lr=0.01)

    def step(x: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    def run() -> str:
        quick = tg.compile(step) if kind == "dense" else step
        losses = [quick(x, y).item() for x, y in batches]
        file = io.BytesIO()
        tg.save({"losses": losses, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
        return f"{losses[-1]!r} {hashlib.sha256(file.getvalue()).hexdigest()}"

    return run


if __name__ == "__main__":
    for chosen in sys.argv[1:] or KINDS:
        print(chosen, prepared(chosen)())
