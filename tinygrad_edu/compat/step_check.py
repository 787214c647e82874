"""`--gradcheck`: each kind of operation of a training step, with the values it had there, against numerical gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd.anomaly import short_name
from ..autograd.function import FunctionNode
from ..autograd.gradcheck import GradcheckError, gradcheck
from ..autograd.graph import Node
from ..call import general
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
        if function is None or count > LARGE:
            self.left.append(f"{name} ({'too large' if function is not None else 'no function'})")
            return
        try:
            with np.errstate(all="ignore"):
                gradcheck(function, doubles, fast_mode=count > SMALL)
            self.right.append(name)
        except GradcheckError as error:
            if "kink" in error.cause:  # the value lies on the edge of a relu, say: there is no one slope
                self.left.append(f"{name} (on a kink)")
            else:
                self.wrong.append(
                    f"{name}, from: {node.trace}\n    {str(error).splitlines()[0]}\n    likely cause: {error.cause}"
                )
        except Exception as error:  # a program's own Function may take no double precision
            self.left.append(f"{name} ({str(error).splitlines()[0]})")

    def report(self) -> str:
        """What was found, in some lines."""
        right = dict.fromkeys(self.right)
        out = [f"{len(right)} operations are right ({', '.join(right)})" if right else "no operation was checked"]
        out += [f"  WRONG: {text}" for text in self.wrong]
        out += [f"  not checked: {', '.join(dict.fromkeys(self.left))}"] if self.left else []
        return "\n".join(out)


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


def _double(t: Tensor) -> Tensor:
    """A tensor of its own in double precision, a leaf where a gradient is wanted."""
    kind = np.complex128 if t.array.dtype.kind == "c" else np.float64
    return wrap(np.array(t.array, kind)).requires_grad_(t.requires_grad)
