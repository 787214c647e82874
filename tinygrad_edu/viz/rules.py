"""The rules of an operation as they are written in the source."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

from ..autograd.function import FunctionNode
from ..autograd.graph import Node
from ..plan import OpNode


def rules_of(node: Node | None) -> list[tuple[str, str]]:
    """For each input that gets a gradient its name and its rule: `("x", "g * y")`."""
    if isinstance(node, OpNode):
        plan = node.plan
        names = node.op.names
        found = [(", ".join(names[p] for p in positions), rule) for positions, rule, *_ in plan.rules]
        return [(name, rule_text(rule)) for name, rule in found]
    if isinstance(node, FunctionNode):
        return [("", f"{node.function.__name__}.backward")]
    return []


@lru_cache(None)
def rule_text(rule: Callable) -> str:
    """What a rule computes: the expression that it returns, or its call where it has several statements."""
    try:
        expression = _expression(rule)
    except (OSError, SyntaxError, TypeError, ValueError):  # written in a console, or its file is gone
        expression = None
    if expression is not None:
        return expression
    arguments = ", ".join(rule.__code__.co_varnames[: rule.__code__.co_argcount])
    name = "rule" if rule.__name__ == "<lambda>" else rule.__name__
    return f"{name}({arguments})"


@lru_cache(None)
def rule_source(rule: Callable) -> str:
    """All of a rule's source, for whoever wants to see the statements."""
    try:
        if rule.__name__ == "<lambda>":
            return rule_text(rule)
        return textwrap.dedent(inspect.getsource(rule)).rstrip()
    except (OSError, TypeError):
        return rule_text(rule)


def _expression(rule: Callable) -> str | None:
    code = rule.__code__
    source, functions = _parsed(inspect.getsourcefile(rule) or "")
    arguments = list(code.co_varnames[: code.co_argcount])
    here = [f for f in functions.get(code.co_firstlineno, ()) if [a.arg for a in f.args.args] == arguments]
    if len(here) > 1:  # several lambdas in one line
        here = [f for f in here if _compiled(f).co_code == code.co_code and _compiled(f).co_names == code.co_names]
    if not here:
        return None
    body: Any = here[0].body
    if not isinstance(here[0], ast.Lambda):
        statements = [s for s in body if not _is_docstring(s)]
        if len(statements) != 1 or not isinstance(statements[0], ast.Return) or statements[0].value is None:
            return None
        body = statements[0].value
    text = " ".join((ast.get_source_segment(source, body) or ast.unparse(body)).split())
    return text.replace("( ", "(").replace(" )", ")")


def _compiled(function: ast.Lambda) -> CodeType:
    return compile(ast.Expression(function), "", "eval").co_consts[0]


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


@lru_cache(None)
def _parsed(file: str) -> tuple[str, dict[int, list[Any]]]:
    """A file's text, and its functions by the line where they begin."""
    source = Path(file).read_text(encoding="utf-8")
    lines: dict[int, list[Any]] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Lambda, ast.FunctionDef)):
            first = min([node.lineno, *[d.lineno for d in getattr(node, "decorator_list", ())]])
            lines.setdefault(first, []).append(node)
    return source, lines
