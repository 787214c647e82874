"""Looking at a program that runs and knows nothing of it: pictures, times, mistakes, as the command line asks.

What is said goes to standard error, after the program has ended; its own output and its exit code stay as they are,
but for a 0 that a wrong gradient, or what could not be made, turns into 1.
A step ends where an optimizer steps; the loss of a step is where its last walk back began.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from ..autograd.anomaly import AnomalyError, current, set_detect_anomaly
from ..autograd.graph import Handle, Node
from ..autograd.modes import is_grad_enabled, observer, recording
from ..nn.modules.module import Module
from ..optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from ..random import get_rng_state, set_rng_state
from ..tensor import Tensor
from ..viz.graph import graph
from ..viz.lint import Linter
from ..viz.play import play_of
from ..viz.profile import Profile
from ..viz.steps import Walk, Witness
from ..viz.summary import summary
from .step_check import StepCheck

WALKS = 16  # after so many walks back without an optimizer's step, the program is taken to step by itself
NODES = 100_000  # more are not kept for a step that has not come to its end


@dataclass
class Looks:
    """What is to be looked at; a context around the program."""

    graph: str | None = None
    play: str | None = None
    profile: bool = False
    summary: bool = False
    gradcheck: bool = False
    lint: bool = False
    anomaly: bool = False
    step: int = 1
    only: bool = False  # the program ends when the step has been looked at

    def __enter__(self) -> Looks:
        self.stack = ExitStack()
        if self.anomaly:  # below the others, so that a program's set_detect_anomaly(False) does not end it
            self.stack.enter_context(set_detect_anomaly(True))
        self.mode = current() if self.anomaly else None
        self.one = self.stack.enter_context(OneStep(self)) if self._of_a_step() else None
        self.linter = self.stack.enter_context(Linter()) if self.lint else None
        self.times = self.stack.enter_context(Profile()) if self.profile else None
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.stack.close()
        if self.one is not None:
            for text in self.one.report():
                say(text)
        if self.linter is not None:
            found = self.linter.findings
            say("\n".join(["lint:", *[f"  {finding}" for finding in found]]) if found else "lint: nothing found")
        if self.times is not None:
            say(f"profile:\n{self.times}")
        if self.mode is not None and self.mode.births and error is not None and not isinstance(error, AnomalyError):
            birth = self.mode.births[0]
            say(f"anomaly: before this error, {birth.call} had returned nan, from: {birth.line}")

    @property
    def failed(self) -> bool:
        """Whether something of a step was asked for and could not be made."""
        return self.one is not None and (self.one.failed or not self.one.looked)

    @property
    def wrong(self) -> bool:
        """Whether a gradient was found to be wrong."""
        return self.one is not None and self.one.check is not None and bool(self.one.check.wrong)

    def _of_a_step(self) -> bool:
        return bool(self.graph or self.play or self.summary or self.gradcheck)


def say(text: str) -> None:
    """Tell the user, beside the program's own output."""
    sys.stdout.flush()
    print(f"tinygrad-edu: {text}", file=sys.stderr)


class OneStep(Witness):
    """Watches one training step, and makes of it what was asked for; before and after it, it sleeps."""

    def __init__(self, looks: Looks) -> None:
        super().__init__()
        self.looks = looks
        self.done = 0  # steps
        self.awake = True  # until the first step: only then is it known who steps
        self.looked = self.failed = False
        self.leaving = False
        self.begun = 0  # walks back, where no optimizer steps
        self.called: tuple[Module, tuple] | None = None  # the first model of the step, with its arguments
        self.check = StepCheck() if looks.gradcheck else None
        self.said: list[str] = []
        self._steps: list[Handle] = []

    def __enter__(self) -> OneStep:
        super().__enter__()
        self._steps = [
            register_optimizer_step_pre_hook(lambda *args: self._look()),
            register_optimizer_step_post_hook(lambda *args: self._stepped()),
        ]
        return self

    def __exit__(self, *error: object) -> None:
        self.leaving = True
        for handle in self._steps:
            handle.remove()
        self._look_by_walks()
        super().__exit__(*error)

    def report(self) -> Iterator[str]:
        """What there is to say at the end."""
        yield from self.said
        if not self.looked:
            made = f"the program has made {self.done} step{'s' * (self.done != 1)}"
            if not self.done:
                made = "no optimizer has stepped" + (f", and of the walks back {WALKS} are kept" if self.begun else "")
            yield f"there is no step {self.looks.step} to look at: {made}"

    # --- what is told while awake ---------------------------------------------------------------------------------

    def recorded(self, node: Node, inputs: Sequence[Any], outputs: Sequence[Tensor]) -> None:
        """A node was made."""
        if not self.awake:
            if self.outer is not None:
                self.outer.recorded(node, inputs, outputs)
            return
        super().recorded(node, inputs, outputs)
        if len(self.alive) > NODES:
            self._forget()
        if self.check is not None:
            with unwatched():
                self.check.look(node, inputs)

    def written(self, tensor: Tensor, what: str) -> None:
        """Memory was written."""
        if self.awake:
            super().written(tensor, what)
        elif self.outer is not None:
            self.outer.written(tensor, what)

    def walked(self, node: Node, g: Any, results: list[tuple[Node, Any]]) -> None:
        """A node has passed its gradient on."""
        if self.awake:
            super().walked(node, g, results)
            if len(self.walks) > WALKS and not self.done:
                self._look_by_walks()
                self._forget()
                self.awake = False
        elif self.outer is not None:
            self.outer.walked(node, g, results)

    def _enter_module(self, module: Module, args: Any) -> None:
        first = self.scope is None and self.called is None and self.awake and is_grad_enabled()
        if first and next(module.parameters(), None) is not None:
            self.called = module, args
        super()._enter_module(module, args)

    def _stepped(self) -> None:
        self._look()  # an optimizer that was given a closure has walked back only now
        self.done += 1
        if not self.looked:
            self._forget()
            self.awake = self.done + 1 == self.looks.step

    def _look_by_walks(self) -> None:
        """Of a program that steps without an optimizer: each walk back is a step."""
        self.begun = max(self.begun, len(self.walks))
        if not self.done and len(self.walks) >= self.looks.step:
            self._look(self.walks[self.looks.step - 1])

    def _forget(self) -> None:
        self.alive.clear()
        self.nodes.clear()
        self.walks.clear()
        self.called = None

    # --- what is made of it -----------------------------------------------------------------------------------------

    def _look(self, walk: Walk | None = None) -> None:
        if not self.awake or not self.walks or (walk is None and self.done + 1 != self.looks.step):
            return
        self.awake, self.looked = False, True
        seen, looks = walk or self.walks[-1], self.looks
        roots = seen.roots()
        with unwatched():
            if looks.graph:
                self._make("graph", lambda: f"wrote {graph(roots, times=looks.profile).save(looks.graph)}")
            if looks.play:
                self._make("play", lambda: f"wrote {play_of(roots, seen).save(looks.play)}")
            if looks.summary:
                self._make("summary", self._summary)
        if self.check is not None:
            self.said.append(f"gradcheck of step {looks.step}: {self.check.report()}")
        self._forget()
        if looks.only and not self.leaving:
            raise SystemExit

    def _summary(self) -> str:
        if self.called is None:
            return "summary: no module was called in this step"
        module, args = self.called
        return f"summary:\n{summary(module, args if len(args) > 1 else args[0])}"

    def _make(self, what: str, make: Any) -> None:
        """Do something, and tell what came of it: a program does not end because it cannot be drawn."""
        try:
            self.said.append(make())
        except Exception as error:
            self.failed = True
            why = f"{getattr(self.looks, what)}: {error.strerror}" if isinstance(error, OSError) else error
            self.said.append(f"{what}: {why}")


@contextmanager
def unwatched() -> Iterator[None]:
    """A block that nobody observes or times, and that draws no random numbers of the program's."""
    state, profiler = get_rng_state(), sys.getprofile()
    sys.setprofile(None)
    seen, mode = observer.set(None), recording.set(True)
    try:
        yield
    finally:
        recording.reset(mode)
        observer.reset(seen)
        sys.setprofile(profiler)
        set_rng_state(state)
