"""Curves, norms, activations, landscapes, and what a network has learned: what is drawn, and that it is drawn the same again."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn, optim, viz

matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")


def network() -> nn.Sequential:
    tg.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 3))


def trained(epochs: int = 5) -> tuple[viz.History, nn.Sequential]:
    """A short run with everything noted."""
    history, model = viz.History(), network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    x, y = tg.randn(20, 2), tg.arange(20) % 3
    for epoch in range(1, epochs + 1):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        history.log(epoch, loss=loss, test_loss=loss.item() + 1, accuracy=0.1 * epoch)
        history.log_norms(epoch, model)
        history.log_activations(epoch, model, x)
        optimizer.step()
    return history, model


def texts(plot: viz.Plot) -> list[str]:
    """The words in a picture."""
    root = ElementTree.fromstring(plot.svg())
    return [node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}text")]


# --- what is noted ---------------------------------------------------------------------------------------------------------------


def test_numbers_are_kept_by_name() -> None:
    history = viz.History()
    history.log(1, loss=tg.tensor(2.0), accuracy=0.5)
    history.log(3, loss=1.0)
    assert history["loss"] == [2.0, 1.0] and history.numbers["loss"] == [(1, 2.0), (3, 1.0)]
    assert repr(history) == "<history of 2 epochs: loss 1, accuracy 0.5>"
    assert repr(viz.History(unit="step")) == "<history of 0 steps>"


def test_norms_are_those_of_each_layer() -> None:
    history, model = viz.History(), network()
    history.log_norms(0, model)
    assert not history.gradients
    model(tg.ones(1, 2)).sum().backward()
    history.log_norms(1, model)
    layer = model[2]
    both = np.concatenate([layer.weight.detach().numpy().ravel(), layer.bias.detach().numpy()])
    slopes = np.concatenate([layer.weight.grad.numpy().ravel(), layer.bias.grad.numpy()])
    assert list(history.weights) == ["0 (Linear)", "2 (Linear)"]
    assert history.weights["2 (Linear)"][1] == (1, pytest.approx(np.linalg.norm(both), rel=1e-6))
    assert history.gradients["2 (Linear)"] == [(1, pytest.approx(np.linalg.norm(slopes), rel=1e-6))]


def test_activations_are_histograms_of_each_layers_results() -> None:
    history, model, x = viz.History(), network(), tg.randn(50, 2)
    history.log_activations(7, model, x)
    assert list(history.activations) == ["0 (Linear)", "1 (ReLU)", "2 (Linear)"]
    out = model[1](model[0](x)).detach().numpy()
    step, (low, high, *counts) = history.activations["1 (ReLU)"][0]
    assert (step, low, high) == (7, 0, pytest.approx(out.max()))
    assert counts == np.histogram(out, len(counts))[0].tolist() and sum(counts) == 250
    model(x)
    assert len(history.activations["1 (ReLU)"]) == 1  # nobody listens any more


def test_a_model_of_one_layer_goes_by_its_kind() -> None:
    history = viz.History()
    history.log_norms(1, nn.Linear(2, 2))
    history.log_activations(1, nn.Linear(2, 2), tg.ones(1, 2))
    assert list(history.weights) == list(history.activations) == ["Linear"]


def test_a_history_goes_through_json() -> None:
    history, _ = trained()
    again = viz.History()
    again.load_state_dict(json.loads(json.dumps(history.state_dict())))
    assert vars(again) == vars(history)
    again.log(6, loss=0.0)
    assert len(history["loss"]) == 5


# --- what is drawn ---------------------------------------------------------------------------------------------------------------


def test_curves_with_the_same_last_word_share_a_panel() -> None:
    history, _ = trained()
    loss, accuracy = history.plot().axes
    assert [line.get_label() for line in loss.lines] == ["loss", "test_loss"] and loss.get_title() == "loss"
    np.testing.assert_array_equal(loss.lines[0].get_data(), [[1, 2, 3, 4, 5], history["loss"]])
    assert accuracy.get_xlabel() == "epoch" and len(accuracy.lines) == 1
    assert [ax.get_title() for ax in history.plot("accuracy").axes] == ["accuracy"]
    assert history.plot("loss", logarithmic=True).axes[0].get_yscale() == "log"


def test_a_plot_or_a_page_that_cannot_be_written_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plot, page = trained()[0].plot(), viz.play(tg.ones(2, requires_grad=True).sum())
    monkeypatch.setattr("os.fsync", lambda file: (_ for _ in ()).throw(OSError("disk full")))
    for picture, name in ((plot, "curves.svg"), (page, "step.html")):
        (tmp_path / name).write_text("old")
        with pytest.raises(OSError, match="disk full"):
            picture.save(tmp_path / name)
        assert (tmp_path / name).read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2


def test_the_legend_of_four_curves_stands_beside_them() -> None:
    history = viz.History()
    for step in range(5):
        history.log(step, **{f"{name}_loss": step * height for height, name in enumerate("abcd")})
    (ax,) = history.plot().axes
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().x0 >= ax.get_window_extent().x1


def test_norms_and_activations_have_a_line_for_each() -> None:
    history, _ = trained()
    weights, gradients = history.plot_norms().axes
    assert len(weights.lines) == len(gradients.lines) == 2 and gradients.get_yscale() == "log"
    panels = history.plot_activations(steps=3).axes
    assert [ax.get_title() for ax in panels] == ["0 (Linear)", "1 (ReLU)", "2 (Linear)"]
    assert [text.get_text() for text in panels[0].get_legend().texts] == ["epoch 1", "epoch 3", "epoch 5"]


@pytest.mark.parametrize("method", ["plot", "plot_norms", "plot_activations"])
def test_nothing_noted_is_said(method: str) -> None:
    with pytest.raises(ValueError, match=r"nothing was noted.*write history\.log"):
        getattr(viz.History(), method)()
    assert viz.History()._repr_svg_() is None


def every_plot() -> dict[str, viz.Plot]:
    history, model = trained()
    x, y = tg.randn(30, 2), tg.arange(30) % 3
    return {
        "curves": history.plot(),
        "norms": history.plot_norms(),
        "activations": history.plot_activations(),
        "boundary": viz.decision_boundary(model, x, y),
        "confusion": viz.confusion(y, y.flip(0)),
        "images": viz.images(tg.rand(3, 1, 4, 4), ["a", "b", "<c>"]),
        "weights": viz.weights(nn.Linear(9, 4)),
        "race": viz.race(viz.LANDSCAPES["bowl"], {"SGD": lambda v: optim.SGD(v, lr=0.1)}, (1, 1), 5),
    }


def test_a_picture_is_the_same_each_time_and_keeps_no_state() -> None:
    before = dict(matplotlib.rcParams)
    tg.manual_seed(1)
    first = {name: plot.svg() for name, plot in every_plot().items()}
    tg.manual_seed(1)
    last = every_plot()
    again = {name: plot.svg() for name, plot in last.items()}
    for name, svg in first.items():
        assert svg == again[name], name
        assert svg == last[name].svg(), f"{name} is another one when it is drawn a second time"
        assert svg.startswith("<svg") and "prefers-color-scheme:dark" in svg
        assert not re.search(r"\d{4}-\d\d-\d\d|Matplotlib v", svg), name
        ElementTree.fromstring(svg)
    assert dict(matplotlib.rcParams) == before


def test_pyplot_is_left_alone() -> None:
    program = (
        "import sys; from tinygrad_edu import viz\nh = viz.History(); h.log(1, loss=1); h.plot().svg()\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"


def test_saving(tmp_path: Path) -> None:
    plot = trained()[0].plot()
    assert plot.save(tmp_path / "x.svg").read_text() == plot.svg() == plot._repr_svg_()
    assert plot.save(tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert plot.save(tmp_path / "x.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(ValueError, match=r"ends in '.jpg'"):
        plot.save(tmp_path / "x.jpg")


def test_without_matplotlib_the_error_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['matplotlib'] = None\nfrom tinygrad_edu import viz\n"
        "h = viz.History(); h.log(1, loss=1)\n"
        "try: h.plot()\nexcept ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 'pip install "tinygrad_edu[viz]"' in done.stdout


# --- landscapes ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_path_of_gradient_descent(momentum: float) -> None:
    from tinygrad_edu.viz.landscape import path

    found = path(lambda x, y: x * x / 20 + y * y, lambda v: optim.SGD(v, lr=0.1, momentum=momentum), (2, -1), 30)
    place, speed = np.array([2.0, -1.0]), np.zeros(2)
    for row in found:
        np.testing.assert_allclose(row, place, rtol=1e-5, atol=1e-6)
        speed = momentum * speed + place * [0.1, 2]
        place = place - 0.1 * speed


@pytest.mark.parametrize(("name", "lowest"), [("bowl", (0, 0)), ("rosenbrock", (1, 1)), ("himmelblau", (3, 2)),
                                              ("saddle", (0, 2**0.5)), ("waves", (0, 0))])  # fmt: skip
def test_landscapes_are_lowest_where_they_say(name: str, lowest: tuple[float, float]) -> None:
    surface = viz.LANDSCAPES[name]
    bottom = surface(*(tg.tensor(v, dtype=tg.float64) for v in lowest))
    around = tg.randn(2, 500, dtype=tg.float64) * 0.3 + tg.tensor(lowest)[:, None]
    assert (surface(*around) >= bottom - 1e-9).all() and surface.__doc__ is not None


def test_a_race_shows_where_each_came_to() -> None:
    makers: dict[str, Callable[[list[Any]], optim.Optimizer]] = {
        "slow": lambda v: optim.SGD(v, lr=0.01),
        "wild": lambda v: optim.SGD(v, lr=1e6),
        "LBFGS": lambda v: optim.LBFGS(v),
    }
    plot = viz.race(viz.LANDSCAPES["bowl"], makers, (1.0, 1.0), steps=20)
    labels = [text.get_text() for text in plot.axes[0].get_legend().texts]
    slow = 0.999**40 / 20 + 0.98**40
    assert labels[0] == f"slow: {slow:.3g}" and labels[1] == "wild: flew away"
    assert float(labels[2].split(": ")[1]) < 1e-6
    (left, right), (bottom, top) = plot.axes[0].get_xlim(), plot.axes[0].get_ylim()
    assert left < 0 < 1 < right < 5 and bottom < 0 < 1 < top < 5


# --- what a network has learned --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scores", [lambda x: x[:, :1] - 0.2, lambda x: x[:, 0] - 0.2, lambda x: tg.stack([x[:, 0] * 0, x[:, 0] - 0.2], 1)]
)
def test_the_boundary_is_where_the_scores_say(scores: Callable) -> None:  # fmt: skip
    x = tg.tensor([[-1.0, -1.0], [1.0, 1.0], [0.5, -0.5], [0.1, 0.0]])
    plot = viz.decision_boundary(scores, x, tg.tensor([0, 1, 1, 1]), ["left", "right"])
    assert plot.axes[0].get_title() == "75.0% of 4 points right"
    edges = [path.get_extents() for path in plot.axes[0].collections[0].get_paths()]
    assert edges[0].x1 == pytest.approx(0.2, abs=0.02) and edges[1].x0 == pytest.approx(0.2, abs=0.02)


def test_the_model_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    viz.decision_boundary(model, tg.randn(5, 2), tg.arange(5) % 2)
    assert model.training and model[1].training
    with pytest.raises(ValueError, match=r"\(N, 2\), but got \(5, 3\)"):
        viz.decision_boundary(model, tg.randn(5, 3), tg.arange(5))


def test_confusion_counts() -> None:
    plot = viz.confusion(tg.tensor([0, 0, 1, 2, 2, 2]), tg.tensor([0, 1, 1, 2, 2, 0]), ["cat", "dog", "bird"])
    at = {
        (round(t.get_position()[1] - 0.5), round(t.get_position()[0] - 0.5)): t.get_text() for t in plot.axes[0].texts
    }
    assert at == {(0, 0): "1", (0, 1): "1", (1, 1): "1", (2, 0): "1", (2, 2): "2"}
    assert plot.axes[0].get_title() == "66.7% right" and {"cat", "dog", "bird"} <= set(texts(plot))
    with pytest.raises(ValueError, match="2 classes and 1 predictions"):
        viz.confusion(tg.tensor([0, 1]), tg.tensor([0]))


def test_weights_are_pictures() -> None:
    layer = nn.Linear(6, 4)
    plot = viz.weights(layer, shape=(2, 3))
    for unit, ax in enumerate(plot.axes):
        np.testing.assert_array_equal(ax.images[0].get_array(), layer.weight[unit].detach().reshape(2, 3).numpy())
    assert plot.axes[0].images[0].get_clim()[1] == pytest.approx(layer.weight.abs().max().item())
    assert len(viz.weights(nn.Conv2d(2, 3, (5, 4))).axes) == 6
    with pytest.raises(ValueError, match=r"6 weights of a unit are no picture of \(2, 2\)"):
        viz.weights(layer)


def test_pictures_of_every_layout() -> None:
    x = tg.rand(5, 3, 4, 6)
    np.testing.assert_array_equal(viz.images(x).axes[2].images[0].get_array(), x[2].permute(1, 2, 0).numpy())
    np.testing.assert_array_equal(viz.images(x[:, :1]).axes[1].images[0].get_array(), x[1, 0].numpy())
    assert [ax.get_title() for ax in viz.images(x[:2, 0], titles=["a", "b"]).axes] == ["a", "b"]
    with pytest.raises(ValueError, match="N, C, H, W"):
        viz.images(tg.rand(4))
