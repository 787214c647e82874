"""A small network, the same in both engines."""

from __future__ import annotations


def small(t):
    """A network with every kind of member, whose numbers are the same in both engines."""
    nn = t.nn

    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(t.arange(4.0).reshape(2, 2) / 4)
            self.register_parameter("bias", None)
            self.register_buffer("steps", t.tensor([1.0, 2.0]))
            self.register_buffer("scratch", t.zeros(1), persistent=False)

        def forward(self, x, scale=1.0):
            return (x @ self.weight) * scale

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = Inner()
            self.gain = nn.Parameter(t.tensor([2.0, -1.0]))
            self.second = Inner()
            self.again = self.first
            self.nothing = None
            self.note = "text"

        def forward(self, x):
            return self.second(self.first(x)).mul(self.gain)

    return Net()
