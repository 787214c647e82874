"""Build the documentation into docs/site: `python docs/build.py`, with the extra "docs" installed; no network is needed.

    python docs/build.py             the pages, the table of operations, the reference; a warning is an error
    python docs/build.py --refresh   only write the sources that pages quote as they stand now

A page quotes the package's source behind `<!-- source: MODULE NAME -->`; `tests/test_docs.py` holds what is quoted, and
runs every other block.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import json
import logging
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))  # the package of this clone, installed or not

import reference  # noqa: E402

QUOTED = re.compile(r"(<!-- source: (\S+) (\S+) -->\n```python\n).*?(```\n)", re.DOTALL)
NAVIGATION: list[dict[str, Any]] = [
    {"Start": ["index.md", "getting_started.md", "from_pytorch.md", "compatibility.md", "benchmarks.md"]},
    {"How it works": ["engine.md", "operations.md"]},
    {"How to": ["howto/*.md", "distributed.md"]},
    {"Lessons": "lessons.md"},
    {"Reference": ["reference/*.md"]},
]


def pages() -> list[Path]:
    """The pages that are written by hand, and the one that the conformance tests write."""
    return sorted([*HERE.glob("*.md"), *HERE.glob("howto/*.md")])


def quoted(module: str, name: str) -> str:
    """The source of a name in a module: a function, a class, a method, or an operation with its rules."""
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    text = inspect.getsource(found)
    if not hasattr(found, "op"):
        return text
    source = inspect.getsource(importlib.import_module(module))
    rules = [ast.get_source_segment(source, s) or "" for s in ast.parse(source).body if isinstance(s, ast.Expr)]
    return "\n\n".join([text, *[f"{rule}\n" for rule in rules if rule.startswith(f"{name}.grad(")]])


def refreshed(text: str) -> str:
    """A page with its quotations as the sources stand now."""
    return QUOTED.sub(lambda found: found[1] + quoted(found[2], found[3]) + found[4], text)


def lessons_page(folder: Path) -> str:
    """What each lesson is about: its title, and what one can do after it; the notebooks are copied beside the page."""
    notebooks = sorted((HERE.parent / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    out = [
        "# Lessons\n",
        "Notebooks from raw tensors to a GPT, with exercises that explain a wrong answer and pieces to play with.",
        "`tinygrad-edu lessons` copies them into a folder and says how to open them.\n",
    ]
    for path in notebooks:
        shutil.copy(path, folder / path.name)
        first = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
        title, _, rest = first.partition("\n")
        out += [f"## {title.lstrip('# ')}\n", rest.strip(), f"\n[{path.name}]({path.name})\n"]
    return "\n".join(out) + "\n"


def staged(folder: Path) -> list[dict[str, Any]]:
    """Everything that becomes a page, in one folder; the navigation."""
    for path in pages():
        target = folder / path.relative_to(HERE)
        target.parent.mkdir(exist_ok=True)
        target.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    shutil.copytree(HERE / "pictures", folder / "pictures")
    shutil.copy(HERE / "style.css", folder / "style.css")
    (folder / "reference").mkdir()
    generated: dict[str, Callable[[], str]] = {"operations.md": reference.operations}
    generated |= {f"reference/{name}.md": page for name, page in reference.PAGES.items()}
    for name, page in generated.items():
        (folder / name).write_text(page(), encoding="utf-8")
    (folder / "lessons.md").write_text(lessons_page(folder), encoding="utf-8")

    def found(entry: str) -> list[str]:
        order = list(generated) if entry.startswith("reference/") else []
        names = [path.relative_to(folder).as_posix() for path in folder.glob(entry)]
        return sorted(names, key=lambda name: (order.index(name) if name in order else 0, name))

    return [
        {name: [page for entry in entries for page in found(entry)] if isinstance(entries, list) else entries}
        for chapter in NAVIGATION
        for name, entries in chapter.items()
    ]


def build(target: Path = HERE / "site") -> None:
    """Build all pages; a warning is an error."""
    try:
        from mkdocs.commands.build import build as build_pages
        from mkdocs.config import load_config
    except ImportError as error:
        sys.exit(f"the pages are built by mkdocs ({error}); write: pip install -e '.[docs]'")

    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        navigation = staged(Path(folder))
        config = load_config(
            str(HERE / "mkdocs.yml"), docs_dir=folder, site_dir=str(target), nav=navigation, strict=True
        )
        build_pages(config)
    print(f"wrote {target}/index.html")


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the documentation.")
    parser.add_argument("--refresh", action="store_true", help="only write what the pages quote, as it stands now")
    if not parser.parse_args().refresh:
        return build()
    for path in pages():
        text = path.read_text(encoding="utf-8")
        if refreshed(text) != text:
            path.write_text(refreshed(text), encoding="utf-8")
            print(f"wrote {path}")
    return None


if __name__ == "__main__":
    main()
