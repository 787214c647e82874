"""The layers of the house: a module imports only from rows below it, inside a row only from files before it."""

from __future__ import annotations

import ast
from pathlib import Path

import tinygrad_edu
from tinygrad_edu.ops import FAMILIES

PACKAGE = Path(tinygrad_edu.__file__).parent
ROWS: tuple[tuple[str, ...], ...] = (
    ("version", "threads", "allocation", "profiler", "errors", "sums", "dtypes", "devices", "storage", "return_types"),
    ("autograd.modes", "autograd.graph", "autograd.alongside"),
    ("holder", "tensor", "tensor_types", "printing"),
    ("backward_names", "plan", "promotion", "call", "kinds", "written", "op", "inplace"),
    (*(f.__name__.removeprefix("tinygrad_edu.") for f in FAMILIES), "ops"),
    # `distributed` stands below `nn` and `utils`: it needs tensors alone, and they have parts that span processes
    ("autograd", "serialization", "random", "linalg", "fft", "special", "signal", "lowrank", "distributed"),
    ("nn.functional", "nn.init", "nn.parameter", "nn.modules", "nn.parallel", "nn.attention", "nn.utils", "nn"),
    (
        *(
            "optim",
            "utils",
            "amp",
            "cuda",
            "accelerator",
            "distributions",
            "func",
            "sparse",
            "jit",
            "recorded",
            "compiler",
        ),
        *(
            "backends",
            "fx",
            "hub",
            "onnx",
            "multiprocessing",
            "settings",
            "types",
            "testing",
            "toplevel",
            "functional",
            "native",
            "overrides",
            "cpu",
            "mps",
            "xpu",
        ),
    ),
    ("viz", "datasets"),
    ("", "compat", "pytest_plugin", "pytest_flag", "train", "companions", "grammar", "learn", "cli", "__main__"),
)
PLACES = {name: (row, column) for row, names in enumerate(ROWS) for column, name in enumerate(names)}


def module_name(path: Path) -> str:
    """A file's name below the package: `ops.shape`, `ops` for its `__init__`, `` for the package's own."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in PACKAGE.rglob("*.py")}


def place(name: str) -> tuple[int, float]:
    """The row and column of a module: its own, or that of the package it belongs to.

    What families of operations share stands behind the last family that it needs itself.
    """
    if name.startswith("ops.") and name not in PLACES:
        needed = [place(other) for other in imports(name, MODULES[name])]
        row = PLACES["ops"][0]
        return row, max((column for r, column in needed if r == row), default=-1) + 0.01
    while name not in PLACES and "." in name:
        name = name.rpartition(".")[0]
    return PLACES[name]


def imports(name: str, path: Path) -> set[str]:
    """The package's modules that a file imports when it is imported; what is only for the type checker does not count."""
    tree = ast.parse(path.read_text())
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found: set[str] = set()
    skipped = {id(n) for node in ast.walk(tree) if _late(node) for n in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in skipped or not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = [part for part in package if part][: len([p for p in package if p]) - node.level + 1]
        source = ".".join([*base, *(node.module or "").split(".")]).strip(".")
        for alias in node.names:
            deeper = f"{source}.{alias.name}".strip(".")
            found.add(deeper if deeper in MODULES else source)
    return found - {name}


def _late(node: ast.AST) -> bool:
    """Whether a statement runs later than the import of its file, or never."""
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.unparse(node.test)
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))


def test_imports_go_down() -> None:
    wrong = []
    for name, path in MODULES.items():
        for other in imports(name, path):
            here, there = place(name), place(other)
            same_package = here == there and other.split(".")[0] == name.split(".")[0]
            if not (there < here or same_package):
                wrong.append(f"{name or 'tinygrad_edu'} imports {other or 'tinygrad_edu'}")
    assert not wrong, "\n".join(wrong)


def test_only_devices_imports_cupy() -> None:
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert name == "devices" or not any(n.split(".")[0] == "cupy" for n in names), f"{name} imports cupy"


def test_files_stay_short() -> None:
    """A file over 500 lines says why at its top; lessons are pages to read, as long as their story."""
    repository = PACKAGE.parent
    others = [path for folder in ("tests", "benchmarks", "docs") for path in (repository / folder).rglob("*.py")]
    for path in [*MODULES.values(), *others]:
        lines = path.read_text().splitlines()
        assert len(lines) <= 500 or any("long because" in line for line in lines[:20]), f"{path} has {len(lines)} lines"


def test_the_engine_can_be_read_in_one_sitting() -> None:
    """The aim was 700 lines; hooks of both kinds and error texts that say what to write instead take the rest."""
    lines = {n: len(MODULES[n].read_text().splitlines()) for n in ("autograd.graph", "tensor", "op")}
    assert sum(lines.values()) <= 940, lines
