"""What comes with the package: the lessons, which travel with it, and the benchmarks, which stand in a clone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .errors import Mistake
from .serialization.replacing import replaced

PACKAGE = Path(__file__).parent
CLONE = PACKAGE.parent
HOW_TO_OPEN = """open them with Jupyter, which is not part of this package, or in an editor that shows notebooks:
  pip install jupyterlab "tinygrad_edu[notebooks]"
  jupyter lab {folder}"""


def lessons() -> list[Path]:
    """The notebooks, in order: of the installed package, or of the clone that it is used from."""
    folder = PACKAGE / "lessons"
    return sorted((folder if folder.is_dir() else CLONE / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def title(notebook: Path) -> str:
    """A lesson's name as it is told: `05_build_the_engine` is "build the engine"."""
    return notebook.stem[3:].replace("_", " ")


def copied(folder: Path, numbers: Sequence[str] = (), force: bool = False) -> tuple[list[Path], list[Path]]:
    """Copy the lessons of these numbers; those that were written, and those that were kept since they differ."""
    there = lessons()
    numbers = [number.zfill(2) for number in numbers]
    chosen = [path for path in there if not numbers or path.name[:2] in numbers]
    known = [path.name[:2] for path in there]
    if unknown := [number for number in numbers if number not in known]:
        raise Mistake(f"there is no lesson {', '.join(unknown)}; there are {', '.join(known)}")
    written, kept = [], []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in chosen:
            target = folder / source.name
            if target.exists() and not force and target.read_bytes() != source.read_bytes():
                kept.append(target)
            else:
                with replaced(target) as file:
                    file.write(source.read_bytes())
                written.append(target)
    except OSError as error:
        raise Mistake(f"the lessons cannot be written to {folder}: {error.strerror}") from error
    return written, kept


def benchmarked(args: Sequence[str]) -> int:
    """Run the benchmarks of the clone; their exit code."""
    if not (CLONE / "benchmarks" / "__main__.py").exists():
        raise Mistake(
            "the benchmarks stand in a clone of the repository, not in the installed package; in the clone write: "
            "pip install -e . && tinygrad-edu bench"
        )
    return subprocess.run([sys.executable, "-m", "benchmarks", *args], cwd=CLONE, check=False).returncode
