"""`python -m benchmarks`: what it says, that all contestants do the same, that a failing one ends nothing, what it keeps."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tinygrad_edu as tg

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import __main__ as command  # noqa: E402
from benchmarks import by_hand, contest, engine, growth, measure, memory, peers, report, timing, workloads  # noqa: E402

SMALL = [work for work in workloads.WORKLOADS if work.quick and work.peer is not None]


def started(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": ""}
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, env=environment)


# --- options ---------------------------------------------------------------------------------------------------------------


def test_help_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        command.main(["--help"])
    said = capsys.readouterr().out
    assert "python -m benchmarks --quick" in said and command.INSTALL in said and "clang for tinygrad" in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--only", "gtp"], "no workload has 'gtp' in its name; there are 36-16-3, batch 1, SGD; 64-128"),
        (["--only", "GPT", "--quick"], "no workload has 'GPT'"),
        (["--write", "--only", "GPT"], "--write keeps a whole run; leave out --quick, --only"),
        (["--write", "--quick"], "--write keeps a whole run"),
        (["--threads", "3"], "choose from"),
        (["--without", "theano"], "choose from"),
        (["--device", "cuda", "--threads", "1"], "--threads and --without are for the CPU"),
    ],
)
def test_a_wrong_option_is_told_before_anything_runs(
    words: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measure, "in_process", lambda *_, **__: pytest.fail("it has begun"))
    with pytest.raises(SystemExit, match="2"):
        command.main(words)
    assert told in capsys.readouterr().err


def test_write_needs_what_the_pages_show(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="2"):
        command.main(["--write"])
    assert (
        f"needs matplotlib and torch, and keeps what the others give; write {command.INSTALL}"
        in capsys.readouterr().err
    )


def test_the_line_that_installs_names_an_extra_with_the_peers() -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    extra = re.search(r"^bench = (\[.*?\])", project, re.MULTILINE)
    assert extra is not None and all(name in extra[1] for name in peers.PEERS) and "[bench]" in command.INSTALL


# --- contestants -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("work", SMALL, ids=lambda work: work.name)
def test_by_hand_and_here_the_losses_are_the_same(work: Any) -> None:
    mine, other = work.make(tg), work.peer(by_hand.mlp)
    for _ in range(4):
        assert mine().item() == pytest.approx(other().item(), rel=1e-4)


@pytest.mark.parametrize("name", peers.PEERS)
@pytest.mark.parametrize("work", SMALL, ids=lambda work: work.name)
def test_a_peer_comes_to_the_same_losses(work: Any, name: str) -> None:
    pytest.importorskip(name, reason=f"{name} is not installed: pip install {name}")
    mine, other = work.peer(by_hand.mlp), work.peer(peers.PEERS[name])
    for _ in range(4):
        assert other().item() == pytest.approx(mine().item(), rel=1e-4)


def test_who_fails_or_does_something_else_is_left_out_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: Any, **__: Any) -> Any:
        raise OSError("no compiler\nand much more")

    def another(sizes: Any, x: Any, y: Any, optimizer: str, lr: float) -> Any:
        return by_hand.mlp(sizes, x, y, optimizer, lr=lr / 2)

    monkeypatch.setattr(peers, "installed", lambda: {"absent": absent, "another": another, "same": by_hand.mlp})
    (row,) = contest.rows({"tinygrad_edu": tg}, quick=True, only="36-16-3")
    assert list(row["values"]) == ["eager", "recorded", "NumPy by hand", "same"] and min(row["values"].values()) > 0
    assert row["failed"]["absent"] == "OSError: no compiler"
    assert re.fullmatch(r"ValueError: its third loss is \d\.\d+, where eager has \d\.\d+", row["failed"]["another"])
    (row,) = contest.rows({"tinygrad_edu": tg}, quick=True, only="36-16-3", without=["absent", "another", "same"])
    assert list(row["values"]) == ["eager", "recorded", "NumPy by hand"] and not row["failed"]


def test_a_failure_of_this_engine_is_not_hidden() -> None:
    def broken() -> Any:
        raise ZeroDivisionError("here")

    with pytest.raises(ZeroDivisionError):
        contest.ready({"eager": broken}, alike=False)
    with pytest.raises(RuntimeError, match=r"-c import sys.*failed:\nfor a reason"):
        timing.alternating({"tinygrad_edu": ["-c", "import sys; sys.exit('for a reason')"]}, rounds=1)


def test_processes_alternate_and_know_when_they_began() -> None:
    late = "import os, time; print(0 < time.monotonic() - float(os.environ['BEGAN']) < 100, 'then', 7)"
    values, failed = timing.alternating(
        {"good": ["-c", late], "bad": ["-c", "import sys; sys.exit('no such thing')"], "gone": ["-c", "exit(3)"]},
        rounds=2,
    )
    assert values == {"good": 7.0} and failed == {"bad": "no such thing", "gone": "exit code 3"}


def test_a_process_measures_with_its_threads() -> None:
    options = {"part": "contest", "threads": 1, "quick": True, "only": "36-16-3", "without": list(peers.PEERS)}
    done = started("-m", "benchmarks.measure", json.dumps(options))
    (row,) = json.loads(done.stdout)
    assert row["threads"] == 1 and row["values"]["eager"] > 0 and "1 thread, 36-16-3" in done.stderr
    if hasattr(os, "sched_getaffinity"):
        pinned = "from benchmarks.timing import pin_cores; import os; pin_cores(1); print(len(os.sched_getaffinity(0)))"
        assert started("-c", pinned).stdout == "1\n"


def test_the_first_model_is_the_same_in_an_engine_and_by_hand() -> None:
    mine, other = (started("-m", "benchmarks.first_model", name) for name in ("tinygrad_edu", "numpy"))
    assert re.fullmatch(r"\d+ epochs, \d+\.\d\n", mine.stdout), mine.stderr
    assert mine.stdout.split(",")[0] == other.stdout.split(",")[0]


@pytest.mark.skipif(not memory.PEAK_IS_FORGOTTEN.exists(), reason="only Linux tells the peak of a stretch of a program")
def test_more_rows_need_more_memory() -> None:
    few, many = (
        float(started("-m", "benchmarks.memory", "tinygrad_edu", "small CNN", n).stdout) for n in ("32", "128")
    )
    assert 0 < few < many


def test_every_part_has_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "interleaved", lambda contestants, *_, **__: dict.fromkeys(contestants, 1.0))
    monkeypatch.setattr(engine, "alternating", lambda commands, rounds: (dict.fromkeys(commands, 2.0), {}))
    monkeypatch.setattr(growth, "interleaved", lambda contestants, *_, **__: dict.fromkeys(contestants, 3.0))
    rows = list(engine.rows({"tinygrad_edu": tg, "PyTorch": tg}, quick=False))
    units = [row["unit"] for row in rows]
    assert units.count("µs") == 6 and units.count("ms") == 2 and units.count("MB") in (0, len(memory.CASES))
    assert {"import", "to the first trained model"} <= {row["name"] for row in rows}
    points = list(growth.rows({"tinygrad_edu": tg}, quick=False))
    assert [row["at"] for row in points if row["curve"] == "nodes"] == [10**k for k in range(2, 7)]


# --- what is kept -------------------------------------------------------------------------------------------------------------


def results() -> dict[str, Any]:
    """A small run, with something that failed."""

    def step(threads: int, **values: float) -> dict[str, Any]:
        named = {name.replace("_", " "): value for name, value in values.items()}
        return {"name": "net", "unit": "µs", "target": 0.5, "threads": threads, "values": named, "failed": {}}

    one = step(1, eager=120, recorded=60, PyTorch=100, NumPy_by_hand=50) | {"failed": {"jax": "OSError: no"}}
    both = {"tinygrad_edu": 1.0, "PyTorch": 4.0}
    return {
        "machine": report.machine(),
        "workloads": [one, step(2, eager=90, PyTorch=120)],
        "engine": [
            {"name": "add", "unit": "µs", "threads": 1, "values": both},
            {"name": "import", "unit": "ms", "threads": 1, "values": {**both, "NumPy by hand": 0.5}, "failed": {}},
        ],
        "operations": [{"name": "conv", "unit": "µs", "threads": 1, "values": both}],
        "growth": [
            {"name": f"{curve} 10", "curve": curve, "at": 10, "unit": "µs", "threads": 1, "values": both}
            for curve in ("nodes", "batch", "width")
        ],
    }


def test_the_tables() -> None:
    found = results()
    told = report.summary(found)
    assert "| net | 120 | 60 | 100 | 50 | fails | **0.60** | 0.50 | 1.20 | 0.75 |" in told
    assert "| import, ms | 1.0 | 4.0 | 0.5 | 0.25 |" in told
    assert f"{os.cpu_count()} cores" in told and "BLAS: NumPy's is " in told
    more = report.whole(found)
    assert "## Training steps with two threads" in more and "| net | 90 | 120 | 0.75 |" in more
    assert "| conv | 1.0 | 4.0 | 0.25 |" in more and "| nodes 10 | 1.0 | 4.0 | 0.25 | 0.10 |" in more
    assert more.endswith("- jax, net: OSError: no")


def test_without_pytorch_there_are_no_ratios() -> None:
    found = results()
    for rows in found.values():
        for row in rows if isinstance(rows, list) else ():
            row["values"].pop("PyTorch", None)
    assert "ratio" not in report.summary(found).splitlines()[0] and "| conv | 1.0 |" in report.whole(found)


def test_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter", "utf-8")
    monkeypatch.setattr(report, "PAGES", {page: report.whole})
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results" / "cpu.json")
    monkeypatch.setattr(report, "PICTURE", tmp_path / "picture.svg")
    found = results()
    report.save(found)
    assert page.read_text("utf-8") == f"before\n{report.BEGIN}\n{report.whole(found)}\n{report.END}\nafter"
    assert json.loads(report.RESULTS.read_text("utf-8")) == found
    drawn = report.PICTURE.read_bytes()
    report.save(found)
    assert report.PICTURE.read_bytes() == drawn and b"<svg" in drawn


def test_the_pages_are_those_of_the_results() -> None:
    """The tables in the README and in the documentation are written from the results that are kept, by no hand."""
    kept = json.loads(report.RESULTS.read_text("utf-8"))
    for page, text in report.PAGES.items():
        inside = page.read_text("utf-8").partition(report.BEGIN)[2].partition(report.END)[0]
        assert inside.strip() == text(kept).strip(), page.name
