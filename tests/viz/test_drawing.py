"""How pictures are drawn: against golden files, with hostile names, with another renderer and with none."""

from __future__ import annotations

import builtins
import itertools
import os
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from sample_graphs import GRAPHS, hostile, neuron, random_graph

from tinygrad_edu import viz
from tinygrad_edu.viz.palette import KINDS
from tinygrad_edu.viz.picture import Picture
from tinygrad_edu.viz.rendering import NoRenderer, rendered

GOLDEN = Path(__file__).parent / "golden"


def can_draw() -> bool:
    try:
        return bool(rendered("digraph { a }", "svg"))
    except NoRenderer:
        return False


draws = pytest.mark.skipif(not can_draw(), reason='needs Graphviz: pip install "tinygrad_edu[viz]"')


def probe() -> bytes:
    """A drawing that differs wherever another renderer, or other fonts, would draw the golden pictures differently."""
    words = " ".join(kind.meaning for kind in KINDS.values())
    return rendered(
        f'digraph {{ a [label="{words} 0123456789 ∂×→" fontname=Arial]; a -> b [fontname="Courier New"] }}', "svg"
    )


# --- how it is drawn ------------------------------------------------------------------------------------------------


def plain_boxes(picture: Picture) -> dict[str, tuple[float, float, float, float]]:
    """Where Graphviz puts the boxes: left, bottom, right, top."""
    found = {}
    for line in rendered(viz.Graph(picture).dot, "plain").decode().splitlines():
        if line.startswith("node "):
            name, x, y, w, h = line.split()[1:6]
            found[name] = (
                float(x) - float(w) / 2,
                float(y) - float(h) / 2,
                float(x) + float(w) / 2,
                float(y) + float(h) / 2,
            )
    return found


@draws
@pytest.mark.parametrize("name", GRAPHS)
def test_boxes_do_not_overlap(name: str) -> None:
    picture = GRAPHS[name]().picture
    boxes = plain_boxes(picture)
    assert set(boxes) == {box.id for box in picture.boxes}
    for (a, p), (b, q) in itertools.combinations(boxes.items(), 2):
        assert p[2] <= q[0] or q[2] <= p[0] or p[3] <= q[1] or q[3] <= p[1], f"{a} lies over {b}"


@draws
@pytest.mark.parametrize("name", GRAPHS)
def test_svg_has_each_box_arrow_and_frame_once(name: str) -> None:
    graph = GRAPHS[name]()
    root = ET.fromstring(graph.svg())
    ids = [g.get("id") for g in root.iter("{http://www.w3.org/2000/svg}g") if g.get("class") != "graph"]
    picture = graph.picture
    drawn = [edge.id for edge in picture.edges if not edge.again]
    assert sorted(ids) == sorted([b.id for b in picture.boxes] + drawn + [f.id for f in picture.frames])
    assert root[0].tag.endswith("title") and root[1].tag.endswith("desc")


@draws
@pytest.mark.parametrize("name", GRAPHS)
def test_svg_is_the_golden_one(name: str) -> None:
    if probe() != (GOLDEN / "probe.svg").read_bytes():
        pytest.skip("another renderer, or other fonts, than the golden pictures were made with")
    assert GRAPHS[name]().svg() == (GOLDEN / f"{name}.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", GRAPHS)
def test_dot_is_the_same_each_time(name: str) -> None:
    first, second = GRAPHS[name]().dot, GRAPHS[name]().dot
    assert first == second and "0x" not in first


@draws
def test_hostile_names_stay_text() -> None:
    svg = hostile().svg()
    root = ET.fromstring(svg)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "g", "title", "desc", "style", "polygon", "polyline", "path", "text", "ellipse"}
    assert len(svg) < 40_000  # the name of 10,000 letters is cut
    shown = "".join(root.itertext())
    assert "<script>" in shown and "{a|b} -->" in shown


@draws
def test_a_thousand_boxes_are_drawn() -> None:
    picture = viz.picture_of(random_graph(1, 1000, 6), limit=10**9, roll=False)
    assert viz.Graph(picture).svg().count('class="node') == len(picture.boxes) > 900


@draws
@pytest.mark.parametrize("form", ["svg", "png", "pdf", "dot", "html"])
def test_saving_writes_one_file(form: str, tmp_path: Path) -> None:
    path = neuron().save(tmp_path / f"graph.{form}")
    assert [p.name for p in tmp_path.iterdir()] == [f"graph.{form}"]
    starts = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF", "dot": b"digraph", "html": b"<!doctype html>"}
    assert path.read_bytes().startswith(starts[form])


def test_a_failed_save_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "graph.dot"
    path.write_text("old")
    monkeypatch.setattr("os.replace", lambda *paths: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        neuron().save(path)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


# --- no renderer, and mistakes --------------------------------------------------------------------------------------


@pytest.fixture
def no_renderer(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: object, **kwargs: object) -> object:
        if name == "pygraphviz":
            raise ImportError(name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr(shutil, "which", lambda program: None)


@pytest.mark.usefixtures("no_renderer")
def test_without_a_renderer_a_notebook_shows_the_dot_text(tmp_path: Path) -> None:
    graph = hostile()
    assert graph._repr_svg_() is None
    page = graph._repr_html_()
    assert 'pip install "tinygrad_edu[viz]"' in page.replace("&quot;", '"') and "digraph" in page
    assert "<script>" not in page
    assert graph.save(tmp_path / "graph.dot").read_text().startswith("digraph")
    assert "digraph" in graph.save(tmp_path / "graph.html").read_text()
    with pytest.raises(ImportError, match="pip install"):
        graph.save(tmp_path / "graph.png")
    assert not (tmp_path / "graph.png").exists()


def fake_dot(folder: Path, text: str) -> None:
    program = folder / "dot"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for dot is a shell script")
def test_dot_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    fake_dot(tmp_path, 'echo "asked for $1: $(cat)"')
    assert rendered("digraph { a }", "svg") == b"asked for -Tsvg: digraph { a }\n"
    fake_dot(tmp_path, "echo no such font >&2; exit 3")
    with pytest.raises(NoRenderer, match="could not draw the picture: no such font"):
        rendered("digraph { a }", "svg")
    assert "no such font" in (neuron()._repr_html_() or "")


@draws
def test_a_notebook_is_given_the_svg_alone() -> None:
    assert neuron()._repr_svg_().startswith("<svg") and neuron()._repr_html_() is None


def write_golden() -> None:
    """Draw the golden pictures again: `python tests/viz/test_drawing.py`, then look at them."""
    GOLDEN.mkdir(exist_ok=True)
    (GOLDEN / "probe.svg").write_bytes(probe())
    for name, make in GRAPHS.items():
        make().save(GOLDEN / f"{name}.svg")


if __name__ == "__main__":
    write_golden()
