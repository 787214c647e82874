"""From DOT text to SVG, PNG and PDF: by `dot` if it is there, else by the Graphviz inside the pygraphviz wheel."""

from __future__ import annotations

import contextlib
import html
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

from .dot import dot_of
from .labels import escaped
from .palette import style_sheet
from .picture import Picture

INSTALL = 'To draw this picture: pip install "tinygrad_edu[viz]", or install Graphviz so that `dot` is on the PATH.'
ELEMENT = re.compile(r'(<g id="([^"]+)" class="(?:node|edge|cluster)[^"]*">\s*)<title>.*?</title>', re.DOTALL)


class NoRenderer(ImportError):
    """There is neither `dot` nor pygraphviz, or `dot` fails; the message says what to do."""


def can_draw() -> bool:
    """Whether there is something that draws."""
    return shutil.which("dot") is not None or importlib.util.find_spec("pygraphviz") is not None


def rendered(dot: str, form: str) -> bytes:
    """DOT text as "svg", "png" or "pdf"."""
    if form == "png":
        dot = dot.replace("{", "{\n\tdpi=144", 1)
    program = shutil.which("dot")
    if program is not None:
        done = subprocess.run([program, f"-T{form}"], input=dot.encode(), capture_output=True, check=False)
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split())[:500].rstrip(".")
            raise NoRenderer(
                f"{program} could not draw the picture: {said}. The DOT text needs neither: .save('graph.dot')"
            )
        return done.stdout
    try:
        import pygraphviz
    except ImportError:
        raise NoRenderer(f"{INSTALL} The DOT text needs neither: .dot, .save('graph.dot')") from None
    made = pygraphviz.AGraph(string=dot)
    try:
        with _quiet():
            return made.draw(format=form, prog="dot")
    finally:
        made.close()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Nothing on stderr: the wheel's fontconfig complains about a system's settings that are newer than itself."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def svg_of(picture: Picture) -> str:
    """The picture as SVG: with a title and a description, light or dark as the reader's screen is."""
    text = rendered(dot_of(picture), "svg").decode()
    text = re.sub(r"<!--.*?-->\s*", "", text[text.index("<svg") :], flags=re.DOTALL)
    hints = _hints(picture)

    def titled(found: re.Match) -> str:
        id = html.unescape(found[2])
        return f"{found[1]}<title>{_lines(hints.get(id, id))}</title>"

    text = ELEMENT.sub(titled, text)
    head, _, rest = text.partition(">")
    title = f"{picture.title}, {picture.state}"
    about = f"<title>{escaped(title)}</title>\n<desc>{_lines(picture.describe()[:4000])}</desc>"
    return f'{head} class="tg" role="img">\n{about}\n<style>{style_sheet()}</style>{rest}'


def _hints(picture: Picture) -> dict[str, str]:
    """What each element tells to whoever points at it."""
    titles = {box.id: box.title for box in picture.boxes}
    hints = {box.id: box.hint for box in picture.boxes}
    hints.update((frame.id, frame.title) for frame in picture.frames)
    for edge in picture.edges:
        count = f", {edge.count} edges" if edge.count > 1 else ""
        hints[edge.id] = f"{titles[edge.tail]} → {titles[edge.head]}{' as ' + edge.port if edge.port else ''}{count}"
    return hints


def _lines(text: str) -> str:
    return "\n".join(escaped(line) for line in text.split("\n"))


def page_of(picture: Picture, whole: bool = True) -> str:
    """An HTML page with the picture; with its DOT text and what to do, where nothing can draw."""
    try:
        shown = svg_of(picture)
    except NoRenderer as error:
        shown = f"<p>{escaped(str(error))}</p>\n<pre>{_lines(dot_of(picture))}</pre>"
    if not whole:
        return shown
    title = escaped(f"{picture.title}, {picture.state}")
    style = "body{margin:1rem;font:14px system-ui,sans-serif;color-scheme:light dark}pre{overflow-x:auto}"
    described = f"<details><summary>As text</summary><pre>{_lines(picture.describe())}</pre></details>"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{style}</style></head>\n<body>\n{shown}\n{described}\n</body></html>\n"
    )
