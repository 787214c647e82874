"""`History`: what a training run leaves behind, step by step, and its curves."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..autograd.modes import no_grad
from ..nn.modules.module import Module
from ..tensor import Tensor
from .figures import MARKERS, Plot, line_style, panels, style

BINS = 40
MANY = 3  # more curves leave no room among them for a legend, which stands beside them then
FEW = 12  # points of a curve up to which each is marked

Series = list[tuple[float, Any]]  # step and value


class History:
    """Numbers, norms and activations of a training run, by step (an epoch, or whatever `unit` says)."""

    def __init__(self, unit: str = "epoch") -> None:
        self.unit = unit
        self.numbers: dict[str, Series] = {}
        self.weights: dict[str, Series] = {}  # the norm of each layer's parameters
        self.gradients: dict[str, Series] = {}
        self.activations: dict[str, Series] = {}  # of each layer: lowest, highest, how many in each bin between

    def log(self, step: float, **numbers: float | Tensor) -> None:
        """Note numbers by name: `history.log(epoch, loss=0.3, test_loss=0.4, accuracy=0.9)`."""
        for name, number in numbers.items():
            self.numbers.setdefault(name, []).append((step, float(number)))

    def log_norms(self, step: float, model: Module) -> None:
        """Note how large each layer's parameters are, and their gradients where there are any."""
        of_weights: dict[str, float] = {}
        of_gradients: dict[str, float] = {}
        names = {path: _called(path, module) for path, module in model.named_modules()}
        for name, parameter in model.named_parameters():
            layer = names[name.rpartition(".")[0]]
            of_weights[layer] = of_weights.get(layer, 0.0) + _square(parameter)
            if parameter.grad is not None:
                of_gradients[layer] = of_gradients.get(layer, 0.0) + _square(parameter.grad)
        for sums, kept in ((of_weights, self.weights), (of_gradients, self.gradients)):
            for layer, total in sums.items():
                kept.setdefault(layer, []).append((step, float(np.sqrt(total))))

    def log_activations(self, step: float, model: Module, *inputs: Any) -> None:
        """Run the model and note what comes out of each of its innermost modules, as a histogram."""
        handles = []

        def listener(name: str) -> Any:
            return lambda module, args, output: self._activation(step, name, output)

        try:
            for name, module in model.named_modules():
                if not list(module.children()):
                    handles.append(module.register_forward_hook(listener(_called(name, module))))
            with no_grad():
                model(*inputs)
        finally:
            for handle in handles:
                handle.remove()

    def _activation(self, step: float, name: str, output: Any) -> None:
        if isinstance(output, Tensor) and output.numel():
            counts, edges = np.histogram(output.detach().cpu().numpy(), BINS)
            self.activations.setdefault(name, []).append((step, [float(edges[0]), float(edges[-1]), *counts.tolist()]))

    def __getitem__(self, name: str) -> list[float]:
        """All values of a number, in their order."""
        return [value for _, value in self.numbers[name]]

    def state_dict(self) -> dict[str, Any]:
        """All that was noted, as plain numbers."""
        return {name: dict(value) if isinstance(value, dict) else value for name, value in vars(self).items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` has told."""
        for name, value in state.items():
            if isinstance(value, dict):
                value = {key: [tuple(pair) for pair in series] for key, series in value.items()}
            setattr(self, name, value)

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {series[-1][1]:.4g}" for name, series in self.numbers.items())
        steps = max((len(series) for series in self.numbers.values()), default=0)
        return f"<history of {steps} {self.unit}s{': ' + last if last else ''}>"

    def _repr_svg_(self) -> str | None:
        return self.plot().svg() if self.numbers else None

    # --- pictures --------------------------------------------------------------------------------------------------------------

    def plot(self, *names: str, logarithmic: bool = False) -> Plot:
        """The curves of these numbers, of all if none is named; one panel for names with the same last word."""
        self._something(self.numbers, "log(step, loss=...)")
        groups: dict[str, list[str]] = {}
        for name in names or self.numbers:
            groups.setdefault(re.split(r"[ _./]", name)[-1], []).append(name)
        with style():
            plot, axes = panels(len(groups), " and ".join(groups))
            for (title, group), ax in zip(groups.items(), axes, strict=True):
                self._curves(ax, title, {name: self.numbers[name] for name in group}, logarithmic)
        return plot

    def plot_norms(self) -> Plot:
        """How large the parameters of each layer and their gradients were."""
        self._something(self.weights, "log_norms(step, model)")
        with style():
            both = [("weights", self.weights), ("gradients", self.gradients)]
            shown = [(title, series) for title, series in both if series]
            plot, axes = panels(len(shown), "norms by layer")
            for (title, series), ax in zip(shown, axes, strict=True):
                self._curves(ax, f"norm of {title}", series, logarithmic=title == "gradients")
        return plot

    def plot_activations(self, steps: int = 4) -> Plot:
        """What came out of each layer: a histogram for a few steps, the last one filled."""
        self._something(self.activations, "log_activations(step, model, inputs)")
        with style():
            plot, axes = panels(len(self.activations), "activations by layer", columns=3, size=(3.2, 2.4))
            for (layer, series), ax in zip(self.activations.items(), axes, strict=True):
                chosen = np.unique(np.linspace(0, len(series) - 1, steps).round().astype(int))
                for number, i in enumerate(chosen):
                    step, (low, high, *counts) = series[i]
                    edges, density = np.linspace(low, high, BINS + 1), np.array(counts) / max(sum(counts), 1)
                    looks = line_style(number)
                    ax.stairs(density, edges, label=f"{self.unit} {step:g}", linewidth=1.2, **looks)
                    if i == chosen[-1]:
                        ax.stairs(density, edges, fill=True, alpha=0.25, color=looks["color"])
                ax.set_title(layer, fontsize=10)
                ax.yaxis.set_visible(False)
                ax.spines["left"].set_visible(False)
            axes[0].legend(fontsize=7, frameon=False)
        return plot

    def _curves(self, ax: Any, title: str, lines: dict[str, Series], logarithmic: bool) -> None:
        for number, (name, series) in enumerate(lines.items()):
            steps, values = zip(*series, strict=True)
            marker = MARKERS[number % len(MARKERS)] if len(steps) <= FEW else ""
            ax.plot(steps, values, label=name, marker=marker, markersize=4, linewidth=1.5, **line_style(number))
        if logarithmic and all(value > 0 for series in lines.values() for _, value in series):
            ax.set_yscale("log")
        ax.set_title(title, fontsize=11)
        ax.set_xlabel(self.unit)
        ax.grid(True)
        if _whole(lines.values()):
            ax.xaxis.get_major_locator().set_params(integer=True)
        if list(lines) != [title]:
            many = len(lines) > MANY
            ax.legend(frameon=True, **({"loc": "center left", "bbox_to_anchor": (1, 0.5)} if many else {}))

    def _something(self, kept: dict, how: str) -> None:
        if not kept:
            raise ValueError(f"nothing was noted that could be drawn; write history.{how} in the training loop")


def _whole(lines: Any) -> bool:
    return all(float(step).is_integer() for series in lines for step, _ in series)


def _called(path: str, module: Module) -> str:
    """A layer's name in a picture: `0.conv (Conv2d)`."""
    kind = type(module).__name__
    return f"{path} ({kind})" if path else kind


def _square(tensor: Tensor) -> float:
    values = tensor.detach().cpu().numpy().astype(np.float64)
    return float((values * values.conj()).real.sum())


__all__ = ["History"]
