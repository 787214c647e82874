"""`--gradcheck`: each kind of operation of a training step, with the values it had there, against numerical gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd.anomaly import short_name
from ..autograd.function import FunctionNode
from ..autograd.gradcheck import GradcheckError, Problem, compare
from ..autograd.graph import Node
from ..call import general
from ..ops.pointwise import _where
from ..plan import OpNode
from ..tensor import Tensor, wrap

SMALL, LARGE = 300, 50_000  # numbers in the inputs: all are checked up to the first, none beyond the second
ROUNDS = 3  # of one operation with different shapes


class StepCheck:
    """Checks operations as they run."""

    def __init__(self) -> None:
        self.seen: dict[str, set] = {}
        self.right: list[str] = []
        self.wrong: list[str] = []
        self.errors: list[str] = []  # of what is wrong
        self.left: list[str] = []  # what could not be checked, and why

    def look(self, node: Node, inputs: Sequence[Any]) -> None:
        """Check an operation, unless its like was checked before."""
        name = short_name(node)
        form = tuple(v.shape for v in inputs if isinstance(v, Tensor))
        forms = self.seen.setdefault(name, set())
        if form in forms or len(forms) >= ROUNDS:
            return
        forms.add(form)
        function = _function(node, inputs)
        doubles = [_double(v) if isinstance(v, Tensor) and v.array.dtype.kind in "fc" else v for v in inputs]
        count = sum(v.array.size for v in doubles if isinstance(v, Tensor) and v.requires_grad)
        why = "too large" if count > LARGE else _not_a_slope(node, inputs)
        if function is None or why:
            self.left.append(f"{name} ({why or 'no function'})")
            return
        try:
            with np.errstate(all="ignore"):
                problem = FiniteProblem(function, doubles, _not_learnt(node, inputs))
                if not problem.nothing:
                    compare(problem, 1e-5, 1e-3, 0.0, True, False, count > SMALL, problem.whole)
            if problem.nothing:
                self.left.append(f"{name} ({problem.nothing})")
            else:
                self.right.append(name)
        except GradcheckError as error:
            if "kink" in error.cause:  # the value lies on the edge of a relu, say: there is no one slope
                self.left.append(f"{name} (on a kink)")
            else:
                self.wrong.append(name)
                self.errors.append(
                    f"{name}, from: {node.trace}\n    {str(error).splitlines()[0]}\n    likely cause: {error.cause}"
                )
        except Exception as error:  # a program's own Function may take no double precision
            self.left.append(f"{name} ({str(error).splitlines()[0]})")

    def report(self) -> str:
        """What was found, in some lines."""
        checked, wrong = dict.fromkeys([*self.right, *self.wrong]), len(set(self.wrong))
        out = [f"{len(checked)} operations were checked, {f'{wrong} WRONG' if wrong else 'all are right'}"]
        out[0] += f" ({', '.join(checked)})" if checked else ""
        out = out if checked else ["no operation was checked"]
        out += [f"  WRONG: {text}" for text in self.errors]
        out += [f"  not checked: {', '.join(dict.fromkeys(self.left))}"] if self.left else []
        return "\n".join(out)


class FiniteProblem(Problem):
    """A function of its finite inputs, and only its finite results: nothing can be stepped from or to infinity."""

    def __init__(self, function: Callable, values: Sequence[Any], held: np.ndarray | None) -> None:
        leaves = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.requires_grad]
        self.free = [np.isfinite(values[i].array) for i in leaves]
        if held is not None:
            self.free[0] &= ~held
        fixed = {i: free for i, free in zip(leaves, self.free, strict=True) if not free.all()}
        kept = {i: wrap(values[i].array) for i in fixed}
        starts = [
            wrap(np.where(fixed[i], v.array, 0)).requires_grad_() if i in fixed else v for i, v in enumerate(values)
        ]

        def finite(*args: Any) -> Any:
            return function(*[_where(wrap(fixed[i]), a, kept[i]) if i in fixed else a for i, a in enumerate(args)])

        super().__init__(finite if fixed else function, starts, [], None)
        self.finite: list[np.ndarray] | None = None
        self.finite = [np.isfinite(a) for a in self.values()]
        self.whole = not fixed and all(f.all() for f in self.finite)
        self.asked = self.answered = 0  # elements

    @property
    def nothing(self) -> str:
        """Why nothing is left to compare, if so."""
        if any(f.size for f in self.free) and not any(f.any() for f in self.free):
            return "infinite inputs"
        if any(f.size for f in self.finite or ()) and not any(f.any() for f in self.finite or ()):
            return "infinite results"
        return "infinite results nearby" if self.asked and not self.answered else ""

    def results(self) -> list[Tensor]:
        """The results, 0 where they were infinite before the first step."""
        found = super().results()
        if self.finite is None:
            return found
        return [t if f.all() else _where(wrap(f), t, 0.0) for t, f in zip(found, self.finite, strict=True)]

    def comparable(self, k: int, analytic: np.ndarray, numeric: np.ndarray) -> np.ndarray:
        """Where there is a slope: not where a step led to infinity, nor where a result that is left out makes 0 * inf."""
        there = self.free[k] & np.isfinite(numeric)
        if not all(f.all() for f in self.finite or ()):
            there &= np.isfinite(analytic)
        self.asked, self.answered = self.asked + there.size, self.answered + int(there.sum())
        return there


def _function(node: Any, inputs: Sequence[Any]) -> Callable | None:
    """The operation as a function of its inputs."""
    if isinstance(node, FunctionNode):
        return node.function.apply
    if not isinstance(node, OpNode):
        return None
    op = node.op
    if not op.sequence:
        return lambda *values: general(op, values)
    first = len(inputs) - len(op.names) + 1
    return lambda *values: general(op, [list(values[:first]), *values[first:]])


def _not_learnt(node: Any, inputs: Sequence[Any]) -> np.ndarray | None:
    """Which elements of the first input have no gradient by definition: a padding row."""
    if not isinstance(node, OpNode) or node.op.name != "embedding" or inputs[2] is None:
        return None
    held = np.zeros(inputs[0].shape, bool)
    held[inputs[2]] = True
    return held


def _not_a_slope(node: Any, inputs: Sequence[Any]) -> str:
    """Why a gradient is no slope by definition, nothing if it is one."""
    return "scaled by frequency" if isinstance(node, OpNode) and node.op.name == "embedding" and inputs[3] else ""


def _double(t: Tensor) -> Tensor:
    """A tensor of its own in double precision, a leaf where a gradient is wanted."""
    kind = np.complex128 if t.array.dtype.kind == "c" else np.float64
    return wrap(np.array(t.array, kind)).requires_grad_(t.requires_grad)
