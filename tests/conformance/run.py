"""Compare operations with PyTorch's: `python tests/conformance/run.py NAME ... | --family FILE | --all [--write]`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from conformance import catalogue  # noqa: E402
from conformance.harness import CHECKS, Conformance, Report, Tensor  # noqa: E402
from conformance.translation import ENTRIES, Missing, function_of, torch  # noqa: E402

TABLE = HERE.parents[1] / "docs" / "compatibility.md"
README = HERE.parents[1] / "README.md"
GAPS = json.loads((HERE / "known_gaps.json").read_text())
CLASSES = catalogue.assign((full, op.name) for full, op in ENTRIES.items())


def family_of(name: str) -> str:
    """The file that has the operation of an entry; empty where it is missing."""
    try:
        function = function_of(ENTRIES[name])
    except Missing:
        return ""
    module = getattr(function, "__module__", "") or ""
    if not module.startswith("tinygrad_edu"):  # one of the database's lambdas around a method
        module = getattr(getattr(Tensor, ENTRIES[name].name, None), "__module__", "") or ""
    return module.removeprefix("tinygrad_edu.")


def chosen(options: argparse.Namespace) -> list[str]:
    """The entries that the command line asks for: by name with all variants, by file, or all that make sense here."""
    if options.all:
        return [name for name in ENTRIES if CLASSES[name][0] != "left out"]
    if options.family:
        wanted = options.family.removesuffix(".py").replace("/", ".").removeprefix("tinygrad_edu.")
        families = {name: family_of(name) for name in ENTRIES}
        return [name for name, f in families.items() if wanted in (f, f.rpartition(".")[2])]
    names: list[str] = []
    for asked in options.names:
        found = [n for n, op in ENTRIES.items() if asked in (n, op.name)]
        found = found or [
            n for n, op in ENTRIES.items() if asked in (op.name.rpartition(".")[2], op.name.rpartition(".")[0])
        ]
        if not found:
            close = [n for n in ENTRIES if asked in n]
            print(f"no entry is called {asked}" + (f"; near: {', '.join(close)}" if close else ""))
        names += found
    return list(dict.fromkeys(names))


def show(report: Report, verbose: bool) -> None:
    """One line for an entry, and its failures."""
    if report.missing:
        print(f"{report.name}: missing ({report.missing})", flush=True)
        return
    print(f"{report.name}: " + "  ".join(f"{c} {r.word}({r.samples})" for c, r in report.results.items()), flush=True)
    for check in report.failed:
        failures = report.results[check].failures
        for failure in failures if verbose else failures[:1]:
            print(f"    {check:9} {failure}", flush=True)


def table(reports: list[Report]) -> str:
    """The reports as a page of the documentation."""
    lines = [
        "# Compatibility with PyTorch, operation by operation",
        "",
        f"PyTorch's own operator database (version {torch.__version__.partition('+')[0]}, {len(ENTRIES)} entries) asked "
        "of both libraries: the same sample inputs, the results held side by side. Written by "
        "`python tests/conformance/run.py --all --write`; `tests/conformance` holds it in the test run.",
        "",
        "*value*: structure, shapes, dtypes, numbers in float64, float32, int64, bool, complex128. *gradient*, *second*: "
        "against random cotangents, in float64 and complex128. *errors*: wrong inputs raise the same type of "
        "exception. *forms*: the method, aliases, in place with its gradient, `out=`. A dash: the database has nothing to say.",
        "",
        "| | entries | all checks pass | missing | " + " | ".join(CHECKS) + " |",
        "|---|---|---|---|" + "---|" * len(CHECKS),
    ]
    for kind, words in (("training", "ordinary training code"), ("rest", "the rest")):
        mine = [r for r in reports if CLASSES[r.name][0] == kind]
        counts = []
        for check in CHECKS:
            asked = [r for r in mine if not r.missing and r.results[check].word != "-"]
            counts.append(f"{sum(r.results[check].word == 'pass' for r in asked)} of {len(asked)}")
        passing, missing = sum(not r.failed for r in mine), sum(bool(r.missing) for r in mine)
        lines.append(f"| {words} | {len(mine)} | {passing} | {missing} | {' | '.join(counts)} |")
    left_out = [name for name in ENTRIES if CLASSES[name][0] == "left out"]
    lines.append(f"| left out on purpose | {len(left_out)} | | | " + " | ".join("" for _ in CHECKS) + " |")
    for kind, title in (("training", "What ordinary training code uses"), ("rest", "The rest")):
        lines += [
            "",
            f"## {title}",
            "",
            f"| entry | group | {' | '.join(CHECKS)} | note |",
            "|---|---|" + "---|" * (len(CHECKS) + 1),
        ]
        for report in sorted(
            (r for r in reports if CLASSES[r.name][0] == kind), key=lambda r: (CLASSES[r.name][1], r.name)
        ):
            words = (
                ["missing"] + ["-"] * (len(CHECKS) - 1) if report.missing else [r.word for r in report.results.values()]
            )
            note = GAPS.get(report.name, {}).get("reason", "") if report.failed else ""
            lines.append(f"| {report.name} | {CLASSES[report.name][1]} | {' | '.join(words)} | {note} |")
    lines += ["", "## Left out on purpose", "", "| reason | entries |", "|---|---|"]
    for reason in catalogue.LEFT_OUT:
        names = sorted(name for name in left_out if CLASSES[name][1] == reason)
        lines.append(f"| {reason} | {', '.join(names)} |")
    return "\n".join(lines) + "\n"


BEGIN, END = "<!-- compatibility: python tests/conformance/run.py --all --write -->", "<!-- end of compatibility -->"


def with_counts(readme: str, page: str) -> str:
    """The README with the counts at the head of the page."""
    before, _, rest = readme.partition(BEGIN)
    counts = "\n".join(line for line in page.partition("\n## ")[0].splitlines() if line.startswith("|"))
    return f"{before}{BEGIN}\n{counts}\n{END}{rest.partition(END)[2]}"


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="entries of PyTorch's operator database")
    parser.add_argument("--family", help="every entry whose operation lives in this file")
    parser.add_argument("--all", action="store_true", help="all entries that are not left out on purpose")
    parser.add_argument("--all-samples", action="store_true", help="every sample, not the first ones and a few more")
    parser.add_argument("--checks", default=",".join(CHECKS), help="which checks, joined by commas")
    parser.add_argument("--verbose", "-v", action="store_true", help="every failure, not the first of each check")
    parser.add_argument("--write", action="store_true", help=f"with --all: write {TABLE.parent.name}/{TABLE.name}")
    options = parser.parse_args()
    start = time.time()
    reports = []
    for name in chosen(options):
        report = Conformance(name, options.all_samples or options.write).run(tuple(options.checks.split(",")))
        show(report, options.verbose)
        reports.append(report)
    passed, missing = sum(not r.failed for r in reports), sum(bool(r.missing) for r in reports)
    failed = len(reports) - passed - missing
    print(f"{passed} pass, {failed} fail, {missing} missing, of {len(reports)} entries; {time.time() - start:.0f} s")
    if options.write and options.all:
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(table(reports))
        README.write_text(with_counts(README.read_text(), TABLE.read_text()))
    return int(passed < len(reports))


if __name__ == "__main__":
    sys.exit(main())
