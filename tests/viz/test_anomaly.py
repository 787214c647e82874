"""Anomaly mode: the first NaN is found, where it was born; what is no mistake raises nothing. Errors name their module."""

from __future__ import annotations

import gc
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import autograd, nn
from tinygrad_edu.autograd.anomaly import AnomalyError, Line, short_name

HERE = Path(__file__).read_text().splitlines()


def leaf(*values: float) -> tg.Tensor:
    return tg.tensor(values, dtype=tg.float64, requires_grad=True)


def raised(build: Any, *args: Any) -> AnomalyError:
    """The error of a program's walk back in anomaly mode."""
    with autograd.detect_anomaly(), pytest.raises(RuntimeError) as caught:
        build(*args).backward()
    assert isinstance(caught.value, AnomalyError)
    return caught.value


def line_of(mark: str) -> int:
    """The number of the line of this file that ends in a comment."""
    return next(i for i, text in enumerate(HERE, 1) if text.endswith(f"# {mark}"))


def test_a_nan_of_the_forward_is_found_where_it_was_born() -> None:
    x = leaf(1, -2, 3, -4)

    def program() -> tg.Tensor:
        y = (x * 2).log()  # born here
        return ((y + 1) * 3).mean()

    error = raised(program)
    text = str(error)
    assert text.startswith("nan in the forward pass: log(float64[4]) has returned nan in 2 of 4 elements")
    assert error.line is not None and error.line.number == line_of("born here") and "# born here" in text
    assert error.index == (1,) and "x = -4" in text and "write instead: log(x.clamp" in text
    marked = [line for line in text.splitlines() if ">>>" in line]
    assert len(marked) == 1 and "log [4]" in marked[0]


def test_it_is_the_first_of_several() -> None:
    x = leaf(-1, 4)

    def program() -> tg.Tensor:
        a = x.sqrt()  # the first
        return (a.log() + x.acos() * a).sum()

    assert raised(program).line.number == line_of("the first")  # type: ignore[union-attr]


@pytest.mark.parametrize("several", [False, True], ids=["unbind", "in place"])
def test_through_views_writes_and_several_results(several: bool) -> None:
    x = leaf(-1, 1)

    def program() -> tg.Tensor:
        if several:
            a, b = tg.stack([x, x]).sqrt().unbind(0)
            return (a * b).sum()
        z = tg.zeros(3, dtype=tg.float64)
        z[:2] = (x * 1).sqrt()
        return (z * 2).sum()

    assert "sqrt(float64" in str(raised(program))


def test_nan_that_comes_with_the_data() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    data = tg.ones(5, 3)
    data[2, 1] = float("nan")
    text = str(raised(lambda: net(data).mean()))
    assert "the tensor x, float32[5, 3], is nan at [2, 1] already" in text and "came into the graph so" in text


def test_a_parameter_that_a_step_has_spoiled() -> None:
    net = nn.Linear(2, 1)
    optimizer = tg.optim.SGD(net.parameters(), lr=1e30)
    with autograd.detect_anomaly(), np.errstate(all="ignore"), pytest.raises(AnomalyError) as caught:
        for _ in range(9):
            optimizer.zero_grad()
            (net(tg.ones(3, 2)) ** 2).mean().backward()
            optimizer.step()  # spoiled here
    text = str(caught.value)
    assert "the parameter weight" in text and "# spoiled here" in text and "learning rate" in text


def test_infinity_is_an_error_only_when_it_turns_to_nan() -> None:
    x = leaf(800, 1)
    with autograd.detect_anomaly(), np.errstate(all="ignore"):
        x.exp().sum().backward()

    def program() -> tg.Tensor:
        e = x.exp()  # infinite here
        return (e / e.sum()).sum()

    with np.errstate(all="ignore"):
        text = str(raised(program))
    assert "div(" in text and "the infinity that it met was born in exp" in text and "# infinite here" in text


class TestNoFalseAlarm:
    """Programs that hold infinities and NaN, and are right."""

    def run(self, loss: Any, *leaves: tg.Tensor) -> None:
        with autograd.detect_anomaly(), np.errstate(all="ignore"):
            loss().backward()
        assert all(np.isfinite(t.grad.numpy()).all() for t in leaves)

    def test_causal_mask(self) -> None:
        x = tg.randn(4, 4, requires_grad=True)
        mask = tg.ones(4, 4).tril() == 0
        self.run(lambda: (tg.softmax(x.masked_fill(mask, float("-inf")), -1) ** 2).sum(), x)

    def test_a_nan_that_a_mask_takes_out(self) -> None:
        x = leaf(1, -1, 2)
        self.run(lambda: tg.where(x > 0, x.log(), 0.0).sum(), x)

    def test_a_nan_that_nobody_uses(self) -> None:
        x = leaf(1, -1, 2)

        def loss() -> tg.Tensor:
            (x.log() * 2).sum()
            return (x * 2).sum()

        self.run(loss, x)


class TestBackward:
    def test_it_names_values_and_what_to_write(self) -> None:
        x = leaf(1, 0, 2)
        error = raised(lambda: (x.sqrt() * tg.tensor([1.0, 0.0, 1.0]).to(tg.float64)).sum())
        text = str(error)
        assert text.startswith("Function 'SqrtBackward0' returned nan values in its 0th output.")
        assert error.index == (1,) and "g = 0, out = 0" in text and "sqrt(x + 1e-8)" in text

    def test_a_mask_behind_the_operation_does_not_hide_the_gradient(self) -> None:
        x = leaf(1, -1)
        text = str(raised(lambda: tg.where(x > 0, x.sqrt(), 0.0).sum()))
        assert "a mask after it hides the value, but not the gradient" in text
        assert "sqrt(torch.where(mask, x, 1.0))" in text

    def test_a_gradient_that_was_given(self) -> None:
        x = leaf(1, 2)
        with autograd.detect_anomaly(), pytest.raises(AnomalyError, match="was nan already: given to backward"):
            (x * 2).backward(tg.tensor([float("nan"), 1.0], dtype=tg.float64))

    def test_double_backward_names_the_rule(self) -> None:
        x = leaf(0, 1)

        def program() -> tg.Tensor:
            y = (x**1.5).sum()  # its rule
            (g,) = autograd.grad(y, x, create_graph=True)
            return (g * 0).sum()

        with np.errstate(all="ignore"):
            text = str(raised(program))
        assert "returned nan values" in text and "in the rule of pow, from: " in text and "# its rule" in text

    def test_nan_in_a_recorded_rule(self) -> None:
        x = leaf(0, 1)

        def program() -> tg.Tensor:
            (g,) = autograd.grad((x**0.5).sum(), x, create_graph=True)  # recorded rule
            return (g * 0).sum()

        with np.errstate(all="ignore"):
            assert "# recorded rule" in str(raised(program))


def test_a_picture_with_the_culprit_in_red() -> None:
    x = leaf(1, -2)
    error = raised(lambda: ((x * 2).log() + 1).sum())
    picture = error.graph.picture
    red = [box for box in picture.boxes if box.bad]
    assert len(red) == 1 and picture.places[error.node] == red[0].id
    assert "nan at [1]" in error.graph.describe()


def test_the_picture_has_the_types_of_the_program() -> None:
    x = leaf(1, -2).detach().float().requires_grad_()
    error = raised(lambda: ((x * 2).log() + 1).sum())
    assert "float32" in error.graph.describe() and "float64" not in error.graph.describe()


def test_the_mode_is_seen_through_another_observer() -> None:
    from tinygrad_edu.viz import Recording

    with autograd.detect_anomaly(), Recording():
        assert autograd.is_anomaly_enabled() and autograd.is_anomaly_check_nan_enabled()
    assert not autograd.is_anomaly_enabled()


# --- errors inside modules ---------------------------------------------------------------------------------------------


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(10, 5), nn.ReLU(), nn.Linear(4, 2))
        self.table = nn.Embedding(5, 3)

    def forward(self, x: Any, how: str = "") -> Any:
        if how == "index":
            return self.table(tg.tensor([7]))
        if how == "own":
            raise ValueError("mine")
        return self.encoder(x)


def test_a_shape_error_names_the_path_and_the_shapes_before() -> None:
    net = Net()
    with pytest.raises(RuntimeError) as caught:
        net(tg.ones(2, 10))
    text = str(caught.value)
    assert text.count("in: ") == 1 and "in: net.encoder.2, Linear(in_features=4" in text
    assert "called with float32[2, 5]" in text and "linear [2, 5] -> relu [2, 5]" in text
    assert caught.value.module_path == "net.encoder.2"  # type: ignore[attr-defined]


def test_it_keeps_the_type_and_also_works_with_hooks() -> None:
    net = Net()
    net.register_forward_hook(lambda *told: None)
    with pytest.raises(IndexError, match=r"in: net\.table, Embedding\(5, 3\)"):
        net(tg.ones(2, 10), "index")


def test_what_the_program_raises_stays_as_it_is() -> None:
    net = Net()
    with pytest.raises(ValueError) as caught:
        net(tg.ones(2, 10), "own")
    assert caught.value.args == ("mine",) and not hasattr(caught.value, "module_path")


def test_a_line_of_a_notebook_is_called_by_its_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = SimpleNamespace(compile=SimpleNamespace(_filename_map={"/some/kernel_1/2.py": 7}))
    line, other = Line("/some/kernel_1/2.py", 3), Line("/home/me/train.py", 3)
    assert line.place == "2.py:3"
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert line.place == str(line) == "cell 7, line 3"
    assert (other.place, str(other)) == ("train.py:3", "/home/me/train.py:3")


def test_an_infinite_gradient_that_turns_to_nan_is_told_by_where_it_was_born() -> None:
    def length(x: tg.Tensor) -> tg.Tensor:
        return (x**2).sum(1).sqrt().mean()  # length

    error = raised(lambda: length(leaf(0.0, 0.0, 3.0, 4.0).reshape(2, 2)))
    assert short_name(error.node) == "pow" and error.index == (0, 0)
    assert f"born in sqrt, from: {__file__}:{line_of('length')}" in str(error)
    assert str(error).endswith("write instead: sqrt(x + 1e-8), or vector_norm, whose gradient at 0 is 0")


def test_what_is_noted_of_infinities_keeps_no_graph_alive() -> None:
    x = leaf(0.0, 1.0)
    gc.disable()
    try:
        with autograd.detect_anomaly():
            root = x.sqrt()
            y = root.exp().sum()  # the gradient is inf, and never NaN
            y.backward()
        born = weakref.ref(root.grad_fn)
        assert x.grad.isinf().any()
        del y, root
        assert born() is None
    finally:
        gc.enable()
