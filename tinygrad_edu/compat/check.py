"""Which names of torch a program uses, and which of them are missing: read from its text, nothing is run."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import ModuleType

from .methods import Methods
from .missing import explain, resolve, shown

SKIPPED = {"__pycache__", "node_modules", "site-packages", "venv"}
ANSWERED = {"torch", "torchvision"}
NEEDS_REAL_TORCH = {"torchaudio", "torchtext", "torchdata", "pytorch_lightning", "lightning"}
FOREIGN_CELLS = ("%%bash", "%%sh", "%%html", "%%javascript", "%%writefile", "%%latex", "%%svg", "%%script")
FORGIVING = {"ImportError", "ModuleNotFoundError", "AttributeError", "Exception", "BaseException"}


@dataclass
class Use:
    """A name of torch's and where a program uses it."""

    name: str
    places: list[str] = field(default_factory=list)
    optional: bool = True  # every use is inside `try ... except ImportError` or the like
    missing: str = ""  # why it is not there, and what is nearest

    @property
    def here(self) -> bool:
        """Whether this package has it."""
        return not self.missing


@dataclass
class Report:
    """All names that a program uses."""

    files: list[str]
    uses: list[Use]
    unreadable: dict[str, str]  # files that are not Python, with the reason
    beside: dict[str, str]  # packages that stand on the real torch, with a place

    @property
    def missing(self) -> list[Use]:
        """The names without which the program stops."""
        return [use for use in self.uses if not use.here and not use.optional]

    @property
    def fine(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing and not self.unreadable

    def __str__(self) -> str:
        return self.text()

    def text(self, only_missing: bool = False) -> str:
        """The report to read."""
        lines = []
        for use in self.missing if only_missing else self.uses:
            mark = "       " if use.here else "maybe  " if use.optional else "MISSING"
            more = f" and {len(use.places) - 1} more" if len(use.places) > 1 else ""
            lines.append(f"{mark} {use.name:<48} {use.places[0]}{more}")
            if not use.here:
                lines.append(f"          {use.missing}")
        lines += [f"{name} stands on the real torch ({place})" for name, place in self.beside.items()]
        lines += [f"{file} cannot be read: {why}" for file, why in self.unreadable.items()]
        files = f"{len(self.files)} file{'s' * (len(self.files) != 1)}"
        lines.append(f"{files}, {len(self.uses)} names of torch, {len(self.missing)} missing")
        return "\n".join(lines)

    def json(self) -> str:
        """The same for other programs."""
        uses = [
            {"name": u.name, "here": u.here, "optional": u.optional, "places": u.places, "missing": u.missing}
            for u in self.uses
        ]
        return json.dumps(
            {"files": self.files, "uses": uses, "unreadable": self.unreadable, "beside": self.beside}, indent=2
        )


def check(path: str) -> Report:
    """Read a file, a notebook, or all of a folder."""
    files = list(_files(path))
    uses: dict[str, Use] = {}
    unreadable: dict[str, str] = {}
    beside: dict[str, str] = {}
    for file in files:
        try:
            tree = ast.parse(_source(file), file)
        except (SyntaxError, ValueError) as error:
            unreadable[shown(file)] = str(error)
            continue
        reader = Reader(shown(file))
        reader.visit(tree)
        for name, place, optional in reader.found:
            use = uses.setdefault(name, Use(name))
            use.places += [place] if place not in use.places else []
            use.optional &= optional
        beside |= {name: place for name, place in reader.beside.items() if name not in beside}
        for method, line, sure in Methods(tree, reader.known[0]).missing():
            use = uses.setdefault(f"torch.Tensor.{method}", Use(f"torch.Tensor.{method}"))
            use.places.append(f"{reader.file}:{line}")
            use.optional &= not sure
    for use in uses.values():
        use.missing = _missing(use.name)
    return Report([shown(f) for f in files], sorted(uses.values(), key=lambda u: u.name), unreadable, beside)


def _missing(name: str) -> str:
    try:
        resolve(name)
    except (AttributeError, ImportError):
        return explain(name)
    return ""


def _files(path: str) -> Iterator[str]:
    if not os.path.isdir(path):
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(f for f in folders if f not in SKIPPED and not f.startswith("."))
        yield from (os.path.join(folder, n) for n in sorted(names) if n.endswith((".py", ".ipynb")))


def _source(file: str) -> str | bytes:
    """The program's text; of a notebook the cells with code, without the lines that speak to the notebook itself."""
    with open(file, "rb") as opened:
        text = opened.read()
    if not file.endswith(".ipynb"):
        return text
    try:
        cells = [c["source"] for c in json.loads(text)["cells"] if c.get("cell_type") == "code"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"it is no notebook ({error!r} is missing)") from None
    texts = ["".join(cell) for cell in cells]
    lines = [line for text in texts if not text.startswith(FOREIGN_CELLS) for line in text.splitlines()]
    return "\n".join("pass" if line.startswith(("%", "!", "?")) else line for line in lines)


class Reader(ast.NodeVisitor):
    """Finds the names of torch's in a program: imports, other names for them, and what is asked of these."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.known: list[dict[str, str]] = [{}]  # per scope: a name of the program's, and the one of torch's
        self.found: list[tuple[str, str, bool]] = []
        self.beside: dict[str, str] = {}
        self.forgiven = 0

    def use(self, name: str, node: ast.AST) -> None:
        """Note a use."""
        self.found.append((name, f"{self.file}:{node.lineno}", self.forgiven > 0))  # type: ignore[attr-defined]

    def stands_for(self, name: str) -> str:
        """The name of torch's that a name of the program's stands for, in the scope that is being read."""
        return next((scope[name] for scope in reversed(self.known) if name in scope), "")

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            root = alias.name.partition(".")[0]
            self._notice(root, node)
            if root in ANSWERED:
                self.use(alias.name, node)
                self.known[-1][alias.asname or root] = alias.name if alias.asname else root

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level or not node.module:
            return
        self._notice(node.module.partition(".")[0], node)
        if node.module.partition(".")[0] not in ANSWERED:
            return
        for alias in node.names:
            name = node.module if alias.name == "*" else f"{node.module}.{alias.name}"
            self.use(name, node)
            self.known[-1][alias.asname or alias.name] = name

    def _notice(self, root: str, node: ast.AST) -> None:
        if root in NEEDS_REAL_TORCH:
            self.beside.setdefault(root, f"{self.file}:{node.lineno}")  # type: ignore[attr-defined]

    def visit_Attribute(self, node: ast.Attribute) -> None:
        chain, inner = [node.attr], node.value
        while isinstance(inner, ast.Attribute):
            chain.append(inner.attr)
            inner = inner.value
        root = self.stands_for(inner.id) if isinstance(inner, ast.Name) else ""
        if not root:
            self.generic_visit(node)
        elif isinstance(node.ctx, ast.Load):
            self.use(_as_far_as_known(root, chain[::-1]), node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self.visit(target)
            for name in ast.walk(target):
                if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                    self.known[-1][name.id] = ""

    def visit_Try(self, node: ast.Try) -> None:
        forgiving = any(_forgives(handler.type) for handler in node.handlers)
        self.forgiven += forgiving
        for statement in node.body:
            self.visit(statement)
        self.forgiven -= forgiving
        for rest in (*node.handlers, *node.orelse, *node.finalbody):
            self.visit(rest)

    def visit_If(self, node: ast.If) -> None:
        """`if hasattr(torch, "compile"):` asks before it uses."""
        asks = any(isinstance(n, ast.Name) and n.id == "hasattr" for n in ast.walk(node.test))
        self.visit(node.test)
        self.forgiven += asks
        for statement in node.body:
            self.visit(statement)
        self.forgiven -= asks
        for statement in node.orelse:
            self.visit(statement)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        """A parameter hides what had its name outside."""
        a = node.args
        for outside in (
            *getattr(node, "decorator_list", ()), *a.defaults, *filter(None, a.kw_defaults),
            *(p.annotation for p in (*a.posonlyargs, *a.args, *a.kwonlyargs) if p.annotation),
        ):  # fmt: skip
            self.visit(outside)
        if getattr(node, "returns", None) is not None:
            self.visit(node.returns)  # type: ignore[union-attr, arg-type]
        every = (*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg)))
        self.known.append({parameter.arg: "" for parameter in every})
        for statement in node.body if isinstance(node.body, list) else [node.body]:
            self.visit(statement)
        self.known.pop()

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]
    visit_Lambda = visit_FunctionDef  # type: ignore[assignment]


def _forgives(caught: ast.expr | None) -> bool:
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(name is None or ast.unparse(name).rpartition(".")[2] in FORGIVING for name in names)


def _as_far_as_known(name: str, chain: Sequence[str]) -> str:
    """`torch.nn.Linear.weight` of `torch.nn.Linear.weight.data`: through modules, and one step into what they hold."""
    for part in chain:
        try:
            found = resolve(name)
        except (AttributeError, ImportError):
            return name
        if not isinstance(found, ModuleType):
            return f"{name}.{part}" if isinstance(found, type) else name
        name = f"{name}.{part}"
    return name
