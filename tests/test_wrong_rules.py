"""Would the gradient test of the table notice a wrong rule? Rules are spoiled one by one, and it has to.

A rule is spoiled from outside (its answer: zero, doubled, of the other sign, transposed, one element lost, not summed
over what was broadcast; a value it asks for: another one) and from inside (a term or a factor of its source dropped, a
plus exchanged with a minus). A fault that changes no gradient of the samples is none, and is not counted.
"""

from __future__ import annotations

import ast
import copy
import functools
import inspect
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import numpy as np
import pytest
import test_table
from table import ENTRIES

import tinygrad_edu as tg
from tinygrad_edu.op import OPS, Op

CALLS = 2  # sample calls of an operation that are tried
RULED = sorted(name for name, e in ENTRIES.items() if e.gradient and name in OPS and OPS[name].rules)


# --- from outside --------------------------------------------------------------------------------------------------------


def _one_lost(g: np.ndarray, shape: tuple) -> np.ndarray:
    g = g.copy()
    if g.size:
        g.reshape(-1)[np.abs(g).argmax()] = 0
    return g


def _transposed(g: np.ndarray, shape: tuple) -> np.ndarray:
    return g.swapaxes(-1, -2).copy() if g.ndim > 1 and g.shape[-1] == g.shape[-2] else g


def _not_summed(g: np.ndarray, shape: tuple) -> np.ndarray:
    """One place instead of the sum over all along each broadcast axis."""
    g = g[(0,) * (g.ndim - len(shape))] if g.ndim > len(shape) else g
    for d, n in enumerate(shape):
        g = g.take([0], d) if n == 1 and g.shape[d] > 1 else g
    return np.asarray(g)


ANSWERS: dict[str, Callable] = {
    "zero": lambda g, shape: g * 0,
    "doubled": lambda g, shape: g * 2,
    "other sign": lambda g, shape: -g,
    "one element lost": _one_lost,
    "transposed": _transposed,
    "not summed": _not_summed,
}


def another(value: Any) -> Any:
    """A value that was not the one to keep."""
    if isinstance(value, list):
        return [another(v) for v in value]
    if not isinstance(value, (np.ndarray, np.generic)) or not value.size:
        return value
    if value.dtype.kind in "fc":
        return np.asarray(value * 1.1 + 0.05, value.dtype)
    return ~value if value.dtype.kind == "b" else np.roll(value, 1)


def rebuilt(rule: Callable, op: Op, key: str, answer: Callable | None, saved: int | None) -> Callable:
    """The rule with its answer, or one of the values it asks for, spoiled."""
    asked = _asked(rule)
    shapes = [f"{name}_shape" for name in key.split(",")]
    extra = [name for name in shapes if name not in asked]

    def run(values: tuple) -> Any:
        by_name = dict(zip((*asked, *extra), values, strict=True))
        if saved is not None:
            by_name[asked[saved]] = another(by_name[asked[saved]])
        found = rule(*[by_name[name] for name in asked])
        if answer is None:
            return found
        if not isinstance(found, (tuple, list)):
            return answer(np.asarray(found), by_name[shapes[0]])
        wanted = by_name[shapes[0]] if op.sequence else [by_name[name] for name in shapes]
        return [g if g is None else answer(np.asarray(g), s) for g, s in zip(found, wanted, strict=True)]

    names = ", ".join([*asked, *extra])
    return eval(f"lambda {names}: run(({names},))", {"run": run})


def _asked(rule: Callable) -> tuple[str, ...]:
    return rule.__code__.co_varnames[: rule.__code__.co_argcount]


# --- from inside ---------------------------------------------------------------------------------------------------------


@functools.cache
def _tree(file: str) -> ast.Module:
    with open(file) as source:
        return ast.parse(source.read())


def _written(rule: FunctionType) -> ast.Lambda | ast.FunctionDef | None:
    """The rule's source, if it is a function of a module and its line holds no other like it."""
    if rule.__closure__ or not inspect.getsourcefile(rule):
        return None
    here = [
        node
        for node in ast.walk(_tree(rule.__code__.co_filename))
        if isinstance(node, (ast.Lambda, ast.FunctionDef))
        and node.lineno == rule.__code__.co_firstlineno
        and tuple(a.arg for a in node.args.args) == _asked(rule)
    ]
    return here[0] if len(here) == 1 else None


def _mutations(node: ast.BinOp) -> Iterator[tuple[str, ast.expr]]:
    """A product without one of its factors, a sum without one of its terms, a sum with the other sign."""
    if isinstance(node.op, (ast.Add, ast.Sub)):
        yield "without the second term", node.left
        yield "without the first term", node.right
        flipped = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        yield "with the other sign inside", ast.BinOp(node.left, flipped, node.right)
    elif isinstance(node.op, (ast.Mult, ast.Div)):
        yield "without a factor", node.left


class _Exchange(ast.NodeTransformer):
    """Puts another expression in the place of one, found by where it is written."""

    def __init__(self, old: ast.BinOp, new: ast.expr) -> None:
        self.place, self.new = (old.lineno, old.col_offset, old.end_col_offset), new

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        if (node.lineno, node.col_offset, node.end_col_offset) == self.place:
            return self.new
        return self.generic_visit(node)


def mutants(rule: Callable) -> Iterator[tuple[str, Callable]]:
    """The rule with its source changed in one place."""
    source = _written(rule) if isinstance(rule, FunctionType) else None
    for part in ast.walk(source) if source else ():
        for what, new in _mutations(part) if isinstance(part, ast.BinOp) else ():
            changed = _Exchange(part, new).visit(copy.deepcopy(source))
            names = dict(rule.__globals__)
            if isinstance(changed, ast.Lambda):
                code = ast.fix_missing_locations(ast.Expression(changed))
                yield what, eval(compile(code, "mutant", "eval"), names)
            else:
                exec(compile(ast.fix_missing_locations(ast.Module([changed], [])), "mutant", "exec"), names)
                yield what, names[changed.name]


# --- the proof -----------------------------------------------------------------------------------------------------------


def faults(op: Op, key: str) -> Iterator[tuple[str, Callable]]:
    """Each fault of a rule: what it is, and the wrong rule."""
    rule = op.rules[key]
    for what, answer in ANSWERS.items():
        yield f"its answer {what}", rebuilt(rule, op, key, answer, None)
    for i, name in enumerate(_asked(rule)):
        if not (name == "g" or name.startswith("g_") or name.endswith(("_shape", "_dtype"))):
            yield f"{name} not the value to keep", rebuilt(rule, op, key, None, i)
    yield from mutants(rule)


def calls_of(name: str) -> list[int]:
    """Some of an operation's sample calls that have elements."""
    sized = [
        k
        for k in range(len(ENTRIES[name].draws))
        if all(a.size for a in test_table.flat(test_table.draw(name, k).args) if test_table.is_float(a))
    ]
    return sized[:CALLS]


def gradients(name: str, k: int) -> list[np.ndarray]:
    sample = test_table.draw(name, k)
    with tg.no_grad():
        leaves = [test_table.leaves(a, False) for a in sample.args]
        cotangents = test_table.cotangents_for(test_table.run(name, leaves, sample.options), 1)
    return test_table.analytic(name, sample, cotangents)


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    pairs = zip(a, b, strict=True)
    return all(np.allclose(x, y, rtol=1e-5, atol=1e-5 * (1 + np.abs(y).max(initial=0))) for x, y in pairs)


def noticed(name: str, k: int, right: list[np.ndarray]) -> bool | None:
    """Whether the table's test fails; None if the fault changes nothing in this call."""
    try:
        if same(gradients(name, k), right):
            return None
        test_table.test_gradient(name, k)
    except Exception:
        return True
    return False


def test_wrong_rules_are_noticed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    numeric = test_table.directional
    known: dict[Any, Any] = {}
    now: tuple = ()

    def directional(function: Callable, args: tuple, seed: int) -> Any:
        """The numerical slopes do not depend on the rules: they are computed once for each call."""
        place = (*now, seed)
        if place not in known:
            known[place] = numeric(function, args, seed)
        return known[place]

    monkeypatch.setattr(test_table, "directional", directional)
    caught, missed, without_effect = 0, [], 0
    with np.errstate(all="ignore"):
        for name in RULED:
            op = OPS[name]
            calls = {k: gradients(name, k) for k in calls_of(name)}
            for key, right in list(op.rules.items()):
                for what, wrong in faults(op, key):
                    op.rules[key] = wrong
                    op.plans.clear()
                    answers = []
                    for k, expected in calls.items():
                        now = name, k
                        answers.append(noticed(name, k, expected))
                        if answers[-1]:
                            break
                    op.rules[key] = right
                    op.plans.clear()
                    if True in answers:
                        caught += 1
                    elif False in answers:
                        missed.append(f"{name}: rule of {key}, {what}")
                    else:
                        without_effect += 1
    with capsys.disabled():
        print(f"\nwrong rules: {caught} of {caught + len(missed)} noticed, {without_effect} others change no gradient")
    assert not missed
    assert caught > 5 * len(RULED)
