"""`play`: a page on which a graph is stepped through, forward and then back, with the engine's own numbers."""

from __future__ import annotations

import html
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..autograd.graph import reachable
from ..errors import message
from ..nn.modules.module import Module
from ..tensor import Tensor, root
from .graph import name_of, names_for
from .labels import cut
from .names import variables_around
from .pages import Page, in_script
from .reading import Reading
from .steps import Steps, Walk, Witness, rehearse

LIMIT = 2000  # nodes: more than anyone steps through, and than a page of 2 MB can tell of
PAGE = Path(__file__).parent / "page"


class Play(Page):
    """A walk through a graph that shows itself in a notebook and saves itself as a page of its own."""

    def __init__(self, steps: Steps) -> None:
        self.steps, self.title = steps, steps.title

    @property
    def page(self) -> str:
        """The whole page: nothing is fetched, so that it opens anywhere."""
        data = in_script(json.dumps(self.steps.data(), separators=(",", ":"), ensure_ascii=False, allow_nan=False))
        parts = {"title": html.escape(self.steps.title), "style": _file("player.css"), "data": data}
        parts["script"] = "".join(_file(name) for name in ("numbers.js", "layout.js", "panel.js", "player.js"))
        page = _file("player.html")
        for name in ("title", "style", "script", "data"):  # the data last: no name in it is taken for a place
            page = page.replace(f"{{{name}}}", parts[name], 1)
        return page

    def __repr__(self) -> str:
        steps = self.steps
        return (
            f"<Play of {steps.title}: {len(steps.forward)} steps forward, {len(steps.back)} back; .save('step.html')>"
        )


def play(what: Tensor | Callable, *args: Any, **options: Any) -> Play:
    """Step through the graph of a loss, or through a function that computes one.

    `play(loss)` walks back through the graph that is there; nobody's `grad` is touched. `play(function, *args)` calls
    the function and watches, so that the page knows every line, module and value. If the function walks back itself,
    that walk is shown.
    """
    if isinstance(what, Tensor):
        if args or options:
            wrong = (
                "arguments are for a function that it calls; of a tensor it knows the graph, and the names around it"
            )
            raise TypeError(message("play", wrong, instead="play(loss), or play(function, *args)"))
        return played([what], None, variables_around())
    if not callable(what):
        wrong = f"it takes a tensor, or a function that returns one, not {type(what).__name__}"
        raise TypeError(message("play", wrong, instead="play(loss), or play(lambda: loss_of(model(x), y))"))
    with Witness() as witness:
        answer = what(*args, **options)
    walked = witness.walks[-1] if witness.walks else None
    roots = [answer] if walked is None else walked.roots()
    if not all(isinstance(t, Tensor) for t in roots):
        wrong = f"the function returned {type(answer).__name__}, and has not called backward() itself"
        raise TypeError(message("play", wrong, instead="a function that returns the loss, one tensor of one number"))
    return played(roots, walked, [_arguments(what, args, options), *variables_around(what)])


def play_of(roots: list[Tensor], walked: Walk) -> Play:
    """The page of a walk that a `Witness` has seen."""
    return played(roots, walked, variables_around())


def played(roots: list[Tensor], walked: Walk | None, spaces: list[Mapping[str, Any]]) -> Play:
    """The page of a walk that was seen, or of one that is made now from the only root."""
    nodes = [root(roots[0], None, False, "play")[0]] if walked is None else [node for node, *_ in walked.steps]
    count = len(reachable(nodes))
    if count > LIMIT:
        raise ValueError(
            message(
                "play",
                f"the graph has {count:,} nodes, more than the {LIMIT:,} that one page can show step by step",
                instead="play(...) of a part: one layer's output.sum(), fewer steps of a loop; "
                "or graph(loss, depth=1), which folds modules into boxes",
            )
        )
    names = names_for([("", t) for t in roots], spaces, None, None)
    named = [(name_of("", t, names), t) for t in roots]
    reading = Reading(named, names)
    return Play(Steps(cut(", ".join(name for name, _ in named), 80), reading, walked or rehearse(roots[0])))


def _arguments(function: Callable, args: Sequence[Any], options: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call by the names of the parameters."""
    function = function.forward if isinstance(function, Module) else function
    try:
        return dict(inspect.signature(function).bind(*args, **options).arguments)
    except (TypeError, ValueError):  # written in C, or called in a way of its own
        return dict(options)


@lru_cache(None)
def _file(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")
