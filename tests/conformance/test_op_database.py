"""Every entry of PyTorch's operator database, check by check; what is known to differ is listed with its reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="PyTorch, the oracle of these tests, is not installed")

from . import catalogue
from .harness import CHECKS, Conformance
from .translation import ENTRIES

HERE = Path(__file__).parent
GAPS = json.loads((HERE / "known_gaps.json").read_text())
TABLE = HERE.parents[1] / "docs" / "compatibility.md"
CLASSES = catalogue.assign((full, op.name) for full, op in ENTRIES.items())


def cases() -> list[Any]:
    """Each entry that makes sense here with each check that applies; a known gap is expected to fail, and must."""
    found = []
    for name, (kind, _) in CLASSES.items():
        gap = GAPS.get(name, {"checks": [], "reason": ""})
        checks = [] if kind == "left out" else ["value"] if "missing" in gap["checks"] else CHECKS
        for check in checks:
            marks = (
                [pytest.mark.xfail(strict=True, reason=gap["reason"])] if {check, "missing"} & {*gap["checks"]} else []
            )
            if Conformance(name).applies(check):
                found.append(pytest.param(name, check, marks=marks, id=f"{name}-{check}"))
    return found


@pytest.mark.parametrize(("name", "check"), cases())
def test_as_in_pytorch(name: str, check: str) -> None:
    report = Conformance(name, everything=True).run((check,))
    assert not report.missing, f"{report.missing} is missing"
    assert not report.results[check].failures, report.results[check].failures[0]


def test_known_gaps_name_entries_and_give_reasons() -> None:
    for name, gap in GAPS.items():
        assert CLASSES[name][0] != "left out", f"{name} is left out on purpose"
        assert gap["checks"], f"{name}: no check is listed"
        assert set(gap["checks"]) <= {*CHECKS, "missing"}
        assert gap["reason"], f"{name}: the reason is not given"


def test_the_table_in_the_documentation_is_current() -> None:
    rows = {line.split(" | ")[0].strip("| "): line for line in TABLE.read_text().splitlines() if line.startswith("| ")}
    for name, (kind, group) in CLASSES.items():
        if kind != "left out":
            assert f"| {group} |" in rows[name], f"{name}: write the table again"
            words = rows[name].split(" | ")[2:7]
            failing = [check for check, word in zip(CHECKS, words, strict=True) if word == "fail"]
            assert failing == GAPS.get(name, {"checks": []})["checks"], f"{name}: write the table again"
