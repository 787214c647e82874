"""A training step of each workload, in every program that has it: they take turns in one process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from . import by_hand, peers
from .timing import OURS, interleaved
from .workloads import WORKLOADS, Workload

BY_HAND = "NumPy by hand"


def rows(engines: dict[str, Any], quick: bool, only: str = "", without: Iterable[str] = ()) -> Iterator[dict[str, Any]]:
    """The workloads with `only` in their names; `quick` are the small ones, with few rounds."""
    for work in WORKLOADS:
        if only not in work.name or (quick and not work.quick):
            continue
        makes = contestants(work, engines, quick)
        steps, failed = ready({n: make for n, make in makes.items() if n not in without}, work.peer is not None)
        if not steps["recorded"].programs:
            del steps["recorded"]
        values = interleaved(steps, rounds=3, seconds=0.01) if quick else interleaved(steps, rounds=15, seconds=0.05)
        yield {"name": work.name, "unit": "µs", "target": work.target, "values": values, "failed": failed}


def contestants(work: Workload, engines: dict[str, Any], quick: bool = False) -> dict[str, Callable[[], Any]]:
    """What prepares the step of a workload, in each program that has it."""
    ours, theirs = engines["tinygrad_edu"], engines.get("PyTorch")
    makes = {"eager": lambda: work.make(ours), "recorded": lambda: ours.compile(work.make(ours))}
    if theirs is not None:
        makes["PyTorch"] = lambda: work.make(theirs)
        if not quick:  # it takes minutes to build
            makes["torch.compile"] = lambda: theirs.compile(work.make(theirs))
    if (peer := work.peer) is not None:
        others = {BY_HAND: by_hand.mlp, **peers.installed()}
        makes |= {name: lambda other=other: peer(other) for name, other in others.items()}
    return makes


def ready(makes: dict[str, Callable[[], Any]], alike: bool) -> tuple[dict[str, Any], dict[str, str]]:
    """The steps that run, after three runs each, and why the others do not; `alike` ones must come to the same loss."""
    steps, failed, losses = {}, {}, {}
    for name, make in makes.items():
        try:
            step = make()
            loss = [step() for _ in range(3)][-1]  # lazy things are there, and what is recorded is recorded
            losses[name] = loss.item() if alike else 0.0
            if abs(losses[name] - losses["eager"]) > 1e-3:
                raise ValueError(f"its third loss is {losses[name]:.5f}, where eager has {losses['eager']:.5f}")
            steps[name] = step
        except Exception as error:
            if name in (*OURS, BY_HAND):
                raise
            failed[name] = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
    return steps, failed
