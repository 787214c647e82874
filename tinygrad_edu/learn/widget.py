"""`Widget`: a small page to play with, that a notebook shows, that a static export keeps, and that fetches nothing."""

from __future__ import annotations

import html as markup
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import message
from ..tensor import Tensor
from ..viz.pages import Page, in_script

FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{common_css}{css}
</style>
</head>
<body>
{html}
<noscript><p>This piece needs JavaScript.</p></noscript>
<script type="application/json" id="data">{data}</script>
<script>
{common_js}{js}
</script>
</body>
</html>
"""


class Widget(Page):
    """HTML, style sheet and script of a page, and the values it shows: the script finds them as `data`.

    data    anything that JSON can say; tensors become lists of numbers
    height  of the frame in a notebook until the page has told its own
    """

    def __init__(
        self, html: str, css: str = "", js: str = "", data: Any = None, *, title: str = "widget", height: int = 420
    ) -> None:
        self.html, self.css, self.js, self.title, self.height = html, css, js, title, height
        self.data = _as_json(data)

    @property
    def page(self) -> str:
        """The whole page, which opens anywhere."""
        return FRAME.format(
            title=markup.escape(self.title),
            common_css=_file("widget.css"),
            css=self.css,
            html=self.html,
            common_js=_file("widget.js"),
            js=self.js,
            data=self.data,
        )

    def __repr__(self) -> str:
        return f"<widget: {self.title}; .save('widget.html')>"


def _as_json(data: Any) -> str:
    """Values as JSON which nothing in them can end."""
    try:
        text = json.dumps(data, default=_plain, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        wrong = f"JSON has no word for what is in data: {error}"
        raise ValueError(message("Widget", wrong, instead="None for nan, and a large number for inf")) from None
    return in_script(text)


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().cpu().tolist()
    if hasattr(value, "tolist"):  # NumPy's arrays and numbers
        return value.tolist()
    raise TypeError(f"a widget's data are numbers, texts, lists, dictionaries and tensors, not {type(value).__name__}")


@lru_cache(None)
def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


__all__ = ["Widget"]
