"""What is probably wrong with a gradient: known mistakes leave known patterns in the Jacobian."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import describe

if TYPE_CHECKING:
    from .gradcheck import Point, Problem

LARGEST = 500  # a Jacobian with more rows or columns is not looked at: the gradient alone must do
CLOSE = 1e-3  # two Jacobians are the same if they differ by less than this part of the largest entry


class GradcheckError(RuntimeError):
    """The gradient is wrong; `cause` says why, as far as that can be seen."""

    cause = ""


def projected(slopes: Sequence[np.ndarray], cotangents: Sequence[np.ndarray | None]) -> float:
    """How fast the sum of the results, weighted by the cotangents, changes."""
    pairs = zip(slopes, cotangents, strict=True)
    return float(sum(np.sum((np.conj(c) * s).real) for s, c in pairs if c is not None))


@dataclass
class Finding:
    """A gradient that is wrong somewhere."""

    analytic: np.ndarray
    numeric: np.ndarray
    wrong: np.ndarray
    method: str
    output: int | None  # which result it belongs to, None where it is that of all together
    cotangents: list
    atol: float
    rtol: float

    def worst(self, count: int = 1) -> list[tuple[int, ...]]:
        """The indices of the largest errors."""
        error = np.where(self.wrong, np.nan_to_num(np.abs(self.analytic - self.numeric), nan=np.inf), -1)
        order = np.argsort(-error, axis=None, kind="stable")[: min(count, int(self.wrong.sum()))]
        return [tuple(int(i) for i in np.unravel_index(k, error.shape)) for k in order]


def explain(problem: Problem, point: Point, k: int, found: Finding) -> GradcheckError:
    """The error for a wrong gradient of the k-th point."""
    cause = (
        _not_finite(found)
        or _no_graph(problem)
        or _precision(problem, point, found)
        or _kink(problem, point, found)
        or _pattern(problem, point, k, found)
    )
    index = found.worst()[0]
    output = "all outputs together" if found.output is None else f"output {found.output}"
    error = GradcheckError(
        f"Jacobian mismatch for {output} with respect to {point.label}: {found.wrong.sum()} of {found.wrong.size} "
        f"elements of the gradient of {describe(point.tensor)} are wrong\n"
        f"  worst at {list(index)}: analytic {found.analytic[index]:.6g}, numeric {found.numeric[index]:.6g} "
        f"by {found.method} (allowed: {found.atol:g} + {found.rtol:g} * |numeric|)\n"
        f"  likely cause: {cause}\n"
        f"  where (. right, - opposite sign, 0 no gradient, # other): \n{error_map(found)}"
    )
    error.cause = cause
    return error


def error_map(found: Finding, rows: int = 12, columns: int = 48) -> str:
    """A character for each element of the gradient, the last dimension along the line."""
    a, n = found.analytic, found.numeric
    opposite = np.abs(a + n) <= found.atol + found.rtol * np.abs(n)
    nothing = np.abs(a) <= found.atol
    signs = np.where(~found.wrong, ".", np.where(nothing, "0", np.where(opposite, "-", "#")))
    table = signs.reshape(-1, signs.shape[-1] if signs.ndim else 1)
    lines = ["    " + " ".join(line[:columns]) + (" ..." if len(line) > columns else "") for line in table[:rows]]
    return "\n".join([*lines, *(["    ..."] if len(table) > rows else [])])


# --- causes that are not in the rule -----------------------------------------------------------------------------------


def _not_finite(found: Finding) -> str:
    index = found.worst()[0]
    for what, value in (("analytic", found.analytic[index]), ("numeric", found.numeric[index])):
        if not np.isfinite(value):
            return f"the {what} gradient is {value}: a pole, an overflow, or a value outside of the function's domain"
    return ""


def _no_graph(problem: Problem) -> str:
    if any(t.requires_grad for t in problem.results()):
        return ""
    return (
        "Numerical gradient for function expected to be zero, as no result requires a gradient, but it is not: "
        "the graph is cut by detach(), .data, .numpy(), no_grad() or a new tensor made of numbers"
    )


def _precision(problem: Problem, point: Point, found: Finding) -> str:
    """Whether rounding explains the errors: that of the dtype, or a coarser one met inside."""
    dtype = problem.precision(point)
    noise = _noise(problem, point, found)
    for index in found.worst(5):
        step = point.step(index, problem.eps, dtype)
        if abs(found.analytic[index] - found.numeric[index]) > 8 * noise / step:
            return ""
    low = "float32 noise" if dtype.itemsize < 8 else "a step in lower precision somewhere inside"
    return (
        f"{low}: results are exact to about {noise:.1g}, numerical gradients to {noise / step:.1g}; "
        "check in double precision: x.double(), module.double()"
    )


def _noise(problem: Problem, point: Point, found: Finding) -> float:
    """How far rounding moves the projected result: by the dtype, and by how it trembles over tiny steps."""
    values = problem.values()
    dtype = problem.precision(point)
    size = sum(float(np.abs(v * c).sum()) for v, c in zip(values, found.cotangents, strict=True) if c is not None)
    rounding = float(np.finfo(dtype).eps) * size
    if dtype.itemsize < 8:
        return rounding
    index = found.worst()[0]
    one = np.zeros(found.wrong.shape)
    one[index] = point.step(index, None, dtype) / 2
    seen = []
    for i in range(12):
        with point.at(point.moved(one, float(i))):
            outs = problem.values()
        pairs = zip(outs, values, found.cotangents, strict=True)
        seen.append(sum(float(np.sum((np.conj(c) * (o - v)).real)) for o, v, c in pairs if c is not None))
    # at this scale the fourth differences of a smooth function are nothing but rounding; a kink shows in few of them
    tremble = float(np.median(np.abs(np.diff(seen, 4)))) / 4
    return tremble if tremble > 64 * rounding else rounding


def _kink(problem: Problem, point: Point, found: Finding) -> str:
    """Whether the function bends sharply at, or within a step of, each of the worst elements."""
    dtype = problem.precision(point)
    for index in found.worst(5):
        one = np.zeros(found.wrong.shape)
        one[index] = 1
        step = point.step(index, problem.eps, dtype)
        here = problem.values()

        def side(h: float, one: np.ndarray = one, here: list = here) -> float:
            with point.at(point.moved(one, h)):
                there = problem.values()
            return projected([(t - v) / h for t, v in zip(there, here, strict=True)], found.cotangents)

        right, left = side(step), side(-step)
        jump = abs(right - left)
        if not jump > 0.01 * max(abs(right), abs(left), found.atol):
            return ""
        closer = abs(side(step / 10) - side(-step / 10))
        between = min(right, left) - jump / 100 <= found.analytic[index].real <= max(right, left) + jump / 100
        if not between or (closer < 0.5 * jump and abs(side(step / 1e3) - found.analytic[index]) > 0.02 * jump):
            return ""
    return (
        f"a kink nearby: within {step:.1g} of the worst element the slope changes from {left:.4g} to {right:.4g}; "
        "move the sample away from it"
    )


# --- causes in the rule ------------------------------------------------------------------------------------------------


def _pattern(problem: Problem, point: Point, k: int, found: Finding) -> str:
    """The mistake whose pattern the Jacobian shows."""
    output, analytic, numeric = _jacobians(problem, point, k, found)
    if output is not None and _same(analytic, numeric, numeric):
        return (
            "missing accumulation: each result's gradient is right when it comes alone, but not their sum; "
            "backward must add what comes from its results"
        )
    lead = analytic.ndim - point.tensor.array.ndim
    return (
        _zero(analytic, numeric)
        or _factor(analytic, numeric, lead)
        or _transposed(analytic, numeric, lead)
        or _incomplete(analytic, numeric, lead)
        or _too_much(analytic, numeric)
        or "no simple pattern; print the rule's terms at the worst element and compare them with the formula"
    )


def _jacobians(problem: Problem, point: Point, k: int, found: Finding) -> tuple[int | None, np.ndarray, np.ndarray]:
    """Both Jacobians of the result that is most wrong, or the gradients where these would be too large."""
    shape, values = point.tensor.array.shape, problem.values()
    rows = max((v.size for v in values), default=0)
    if max(rows, point.tensor.array.size) > LARGEST or any(a.dtype.kind == "c" for a in (*values, point.tensor.array)):
        return None, found.analytic, found.numeric
    dtype = problem.precision(point)
    columns = [problem.central(point, one, point.step(i, problem.eps, dtype)) for i, one in point.directions()]
    best: tuple[float, int, np.ndarray, np.ndarray] | None = None
    for o in range(len(values)) if found.output is None else [found.output]:
        numeric = np.stack([c[o] for c in columns], -1).reshape(*values[o].shape, *shape)
        analytic = np.stack([g[k] for g in _rows(problem, values, o)]).reshape(numeric.shape)
        error = float(np.abs(analytic - numeric).max(initial=0))
        if best is None or error > best[0]:
            best = error, o, analytic, numeric
    assert best is not None
    return best[1:]


def _rows(problem: Problem, values: list[np.ndarray], o: int) -> Any:
    """The engine's gradients of each element of one result."""
    for i in np.ndindex(values[o].shape):
        one = np.zeros_like(values[o])
        one[i] = 1
        yield problem.gradients([one if p == o else None for p in range(len(values))])


def _same(a: Any, b: Any, size: np.ndarray) -> bool:
    return bool((np.abs(a - b) <= CLOSE * np.abs(size).max(initial=0)).all())


def _zero(a: np.ndarray, n: np.ndarray) -> str:
    if not _same(a, 0 * a, n):
        return ""
    return (
        "no gradient arrives: the rule returns None or zeros, or the way is cut by detach(), .data or an integer step"
    )


def _factor(a: np.ndarray, n: np.ndarray, lead: int) -> str:
    square = np.vdot(n, n).real
    if not square or not _same(a, np.vdot(n, a) / square * n, n):
        return ""
    factor = float(np.vdot(n, a).real / square)
    if abs(factor + 1) < CLOSE:
        return "the sign: analytic = -1 * numeric everywhere"
    text = f"a constant factor: analytic = {factor:.4g} * numeric everywhere"
    ratio = max(abs(factor), 1 / abs(factor))
    out, shape = a.shape[:lead], a.shape[lead:]
    lengths = {out[d] for d in _broadcast(out, shape)} | {shape[d] for d in _broadcast(shape, out)}
    if any(abs(ratio - n) < CLOSE * n for n in lengths):
        verb = "a mean where a sum belongs" if abs(factor) < 1 else "a sum where a mean belongs"
        return f"{text}; {round(ratio)} is the length of a dimension that only one of input and result has: {verb}?"
    if abs(factor - 0.5) < CLOSE:
        return f"{text}; a forgotten 2, or one of two equal uses of the input is not added?"
    return text


def _transposed(a: np.ndarray, n: np.ndarray, lead: int) -> str:
    if a.ndim > 6:
        return ""
    names = [f"output {d}" for d in range(lead)] + [f"input {d}" for d in range(a.ndim - lead)]
    for order in itertools.permutations(range(a.ndim)):
        swapped = n.transpose(order)
        if swapped.shape == a.shape and list(order) != sorted(order) and _same(a, swapped, n) and not _same(a, n, n):
            moved = [names[d] for d in range(a.ndim) if order[d] != d]
            return f"a transpose: the entries are right but for the order of dimensions ({', '.join(moved)}); .T or mT?"
    return ""


def _incomplete(a: np.ndarray, n: np.ndarray, lead: int) -> str:
    """Whether some of the ways from the input to the result are right and the others were left out."""
    limit = CLOSE * np.abs(n).max(initial=0)
    right = np.abs(a - n) <= limit
    missing = ~right & (np.abs(a) <= limit)
    if not (right | missing).all() or not missing.any():
        return ""
    arrived, ways = int((right & (np.abs(n) > limit)).sum()), int((np.abs(n) > limit).sum())
    for d in _broadcast(a.shape[:lead], a.shape[lead:]):
        others = tuple(i for i in range(a.ndim) if i != d)
        complete = ~missing.any(others)
        empty = (missing | (np.abs(n) <= limit)).all(others)
        if (complete | empty).all() and complete.any():
            kept = ", ".join(map(str, np.flatnonzero(complete)))
            return (
                f"a missing sum over the broadcast axis {d}: the input is used at all {a.shape[d]} places along it, "
                f"but only the gradient from place {kept} arrives; .sum({d})?"
            )
    outputs = tuple(range(lead))
    lost, got = missing.any(outputs), (right & (np.abs(n) > limit)).any(outputs)
    if not (lost & got).any():
        return (
            f"no gradient where there is one: of {int(lost.sum())} of the {lost.size} elements nothing arrives, the others "
            "are right; a mask or a condition that the function has not?"
        )
    return (
        f"missing accumulation: only {arrived} of the {ways} contributions arrive; where an element is used several "
        "times (a repeated index, two uses of the input) its gradients must be added, not written over"
    )


def _broadcast(out: tuple[int, ...], shape: tuple[int, ...]) -> list[int]:
    """The axes of the result along which the input was broadcast, if it can have been."""
    lead = len(out) - len(shape)
    if lead < 0 or any(n not in (1, m) for n, m in zip(shape, out[lead:], strict=True)):
        return []
    return [d for d, m in enumerate(out) if m > 1 and (d < lead or shape[d - lead] == 1)]


def _too_much(a: np.ndarray, n: np.ndarray) -> str:
    limit = CLOSE * np.abs(n).max(initial=0)
    right = np.abs(a - n) <= limit
    if not (right | (np.abs(n) <= limit)).all():
        return ""
    return (
        f"a gradient where there is none: at {int((~right).sum())} places the result does not depend on the input; "
        "a mask or an index that the rule forgets?"
    )
