"""A picture as DOT text, the language of Graphviz."""

from __future__ import annotations

import graphviz

from .labels import escaped
from .palette import ARROW, BAD, BAD_FILL, CODE, FRAME, FRAME_FILLS, INK, KINDS, PAPER, QUIET
from .picture import Box, Edge, Frame, Line, Picture

RANKDIR = {"down": "TB", "up": "BT", "right": "LR", "left": "RL"}
SIDES = {"down": "n", "up": "s", "right": "w", "left": "e"}  # of a box, where arrows come in
FACE, CODE_FACE = "Arial", "Courier New"  # with widths that other faces share: boxes fit where these are missing
TONES = {
    "quiet": (QUIET[0], FACE, 10),
    "value": (INK[0], FACE, 10),
    "code": (CODE[0], CODE_FACE, 10),
    "bad": (BAD[0], FACE, 11),
}
TABLE = 'CELLBORDER="0" CELLSPACING="0"'


def dot_of(picture: Picture) -> str:
    """The DOT text: the same picture gives the same text."""
    paper = graphviz.Digraph("graph")
    paper.attr(
        "graph",
        label=_header(picture),
        labelloc="t",
        labeljust="l",
        rankdir=RANKDIR[picture.direction],
        bgcolor=PAPER[0],
        fontname=FACE,
        nodesep="0.28",
        ranksep="0.34",
        pad="0.2",
    )
    paper.attr("node", shape="plain", fontname=FACE, fontsize="12", fontcolor=INK[0])
    paper.attr("edge", color=ARROW[0], arrowsize="0.6", fontname=FACE, fontsize="9", fontcolor=QUIET[0])
    inside: dict[str, graphviz.Digraph] = {"": paper}
    for depth_of, frame in _with_depths(picture.frames):
        inside[frame.id] = _frame(frame, depth_of)
    for box in picture.boxes:
        hostess = inside[box.frame]
        hostess.node(box.id, label=f"<{_label(box, picture.direction)}>", id=box.id, **{"class": box.kind})
    for frame in reversed(picture.frames):
        inside[frame.outer].subgraph(inside[frame.id])
    places = {(box.id, port): f"p{i}" for box in picture.boxes for i, port in enumerate(box.ports)}
    for edge in picture.edges:
        if edge.again:
            continue
        _draw_edge(paper, edge, places, SIDES[picture.direction])
    return paper.source


def _with_depths(frames: list[Frame]) -> list[tuple[int, Frame]]:
    depths: dict[str, int] = {"": -1}
    for frame in frames:
        depths[frame.id] = depths[frame.outer] + 1
    return [(depths[frame.id], frame) for frame in frames]


def _frame(frame: Frame, depth: int) -> graphviz.Digraph:
    made = graphviz.Digraph(f"cluster_{frame.id}")
    made.attr(
        id=frame.id,
        label=f"<<B>{escaped(frame.title) or '&#160;'}</B>>",
        labeljust="l",
        labelloc="t",
        fontname=FACE,
        fontsize="11",
        fontcolor=QUIET[0],
        style="rounded,filled",
        fillcolor=FRAME_FILLS[depth % 2][0],
        color=FRAME[0],
        penwidth="2" if frame.count > 1 else "1",
        margin="10",
    )
    return made


def _draw_edge(paper: graphviz.Digraph, edge: Edge, places: dict[tuple[str, str], str], side: str) -> None:
    head = edge.head
    if (edge.head, edge.port) in places:
        head = f"{head}:{places[edge.head, edge.port]}:{side}"
    options = {"id": edge.id}
    if edge.label:
        options["label"] = escaped(edge.label)
    if edge.count > 1:
        options["penwidth"] = "1.6"
    paper.edge(edge.tail, head, **options)


def _header(picture: Picture) -> str:
    """The title, what is to be said about the picture, and what its borders and colours mean."""
    rows = [
        f'<TR><TD ALIGN="LEFT"><FONT POINT-SIZE="15" COLOR="{INK[0]}"><B>{escaped(picture.title)}</B></FONT>'
        f'<FONT POINT-SIZE="12" COLOR="{QUIET[0]}">   {escaped(picture.state)}</FONT></TD></TR>'
    ]
    rows += [f'<TR><TD ALIGN="LEFT">{_text(Line(note))}</TD></TR>' for note in picture.notes]
    kinds = [kind for kind in KINDS if any(box.kind == kind for box in picture.boxes)]
    cells = []
    for kind in kinds:
        word = f'<FONT POINT-SIZE="9" COLOR="{INK[0]}">{KINDS[kind].meaning}</FONT>'
        cells.append(f"<TD>{_bordered(kind, f'<TR><TD>{word}</TD></TR>', padding=2)}</TD>")
    legend = f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="4" CELLPADDING="0"><TR>{"".join(cells)}</TR></TABLE>'
    rows.append(f'<TR><TD ALIGN="LEFT">{legend}</TD></TR>')
    return f'<<TABLE BORDER="0" {TABLE} CELLPADDING="3">{"".join(rows)}</TABLE>>'


def _label(box: Box, direction: str) -> str:
    """The box itself: a table of its lines, with a place for each input where there are several."""
    rows = _title(box)
    for line in box.lines:
        align = ' ALIGN="LEFT" BALIGN="LEFT"' if line.tone == "code" else ""
        rows.append(f"<TR><TD{align}>{_text(line)}</TD></TR>")
    if box.ports:
        names = [
            f'<TD PORT="p{i}"><FONT POINT-SIZE="9" COLOR="{QUIET[0]}">{escaped(port)}</FONT></TD>'
            for i, port in enumerate(box.ports)
        ]
        if direction in ("down", "up"):
            ports = f'<TR><TD><TABLE BORDER="0" {TABLE} CELLPADDING="0"><TR>{"".join(names)}</TR></TABLE></TD></TR>'
            rows = [ports, *rows] if direction == "down" else [*rows, ports]
        else:
            column = "".join(f"<TR>{name}</TR>" for name in names)
            ports = f'<TD><TABLE BORDER="0" {TABLE} CELLPADDING="1">{column}</TABLE></TD>'
            content = f'<TD><TABLE BORDER="0" {TABLE} CELLPADDING="1">{"".join(rows)}</TABLE></TD>'
            rows = [f"<TR>{ports + content if direction == 'right' else content + ports}</TR>"]
    return _bordered(box.kind, "".join(rows), padding=2, bad=box.bad)


def _title(box: Box) -> list[str]:
    """The rows of the title: each name of a shared parameter, or the last part of a long dotted name and all of it."""
    texts = [_strong(box.title)]
    if box.kind == "parameter" and " = " in box.title:
        first, *more = box.title.split(" = ")
        texts = [_strong(first), *(_strong(f"= {name}") for name in more)]
    elif box.kind == "parameter" and box.title.count(".") > 1:
        texts = [_strong(box.title.rpartition(".")[2]), _text(Line(box.title))]
    return [f"<TR><TD>{text}</TD></TR>" for text in texts]


def _bordered(kind: str, rows: str, padding: int, bad: bool = False) -> str:
    """A table with the border and the colour of its kind."""
    look = KINDS[kind]
    fill, line = (BAD_FILL[0], BAD[0]) if bad else (look.fill, look.line)
    style = f' STYLE="{look.style}"' if look.style else ""
    border = f'BORDER="{look.border + bad}"{style} BGCOLOR="{fill}" COLOR="{line}"'
    if look.double:
        rows = (
            f'<TR><TD><TABLE BORDER="1"{style} COLOR="{line}" {TABLE} CELLPADDING="{padding}">{rows}</TABLE></TD></TR>'
        )
        return f'<TABLE {border} {TABLE} CELLPADDING="3">{rows}</TABLE>'
    return f'<TABLE {border} {TABLE} CELLPADDING="{padding}">{rows}</TABLE>'


def _strong(text: str) -> str:
    return f'<FONT COLOR="{INK[0]}"><B>&#160;{escaped(text)}&#160;</B></FONT>'


def _text(line: Line) -> str:
    color, face, size = TONES[line.tone]
    text = "&#160;&#160;" * line.text.startswith("  ") + escaped(line.text)
    bold = f"<B>{text}</B>" if line.tone == "bad" else text
    return f'<FONT FACE="{face}" POINT-SIZE="{size}" COLOR="{color}">&#160;{bold}&#160;</FONT>'
