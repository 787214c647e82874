"""What every self-contained page has in common: it saves itself, shows itself in a notebook, and its data cannot end it."""

from __future__ import annotations

import html
from pathlib import Path

from ..errors import message
from ..serialization.replacing import replaced
from .labels import cut


class Page:
    """A page of its own: subclasses say its title and the whole of it; nothing is fetched, so that it opens anywhere."""

    title: str
    height = 680  # of the frame in a notebook

    @property
    def page(self) -> str:
        """The whole page."""
        raise NotImplementedError

    def save(self, path: str | Path) -> Path:
        """Write the page into a file; its name ends in .html."""
        path = Path(path)
        if path.suffix not in (".html", ".htm"):
            wrong = f"a page is saved as .html, and {cut(path.name)!r} ends in {path.suffix or 'nothing'!r}"
            raise ValueError(message("save", wrong, instead=f"save({str(path.with_suffix('.html'))!r})"))
        with replaced(path) as file:
            file.write(self.page.encode())
        return path

    def _repr_html_(self) -> str:
        style = f"width:100%;height:{self.height}px;border:1px solid #8886;border-radius:8px"
        return f'<iframe title="{html.escape(self.title)}" srcdoc="{html.escape(self.page)}" style="{style}"></iframe>'


def in_script(json: str) -> str:
    """JSON as it stands in a page: nothing in it can end the element that holds it."""
    for character in "<>&\u2028\u2029":
        json = json.replace(character, f"\\u{ord(character):04x}")
    return json
