"""The command line: help, mistakes, `info`, `check`, and `run` of a whole program in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tinygrad_edu import cli

HERE = str(Path(cli.__file__).parent.parent)
ENVIRONMENT = {**os.environ, "PYTHONPATH": HERE, "OMP_NUM_THREADS": "1"}


def run(*args: str, cwd: Path | str = HERE, code: int = 0) -> subprocess.CompletedProcess:
    """`python -m tinygrad_edu ARGS`; the exit code must be the expected one."""
    command = [sys.executable, "-m", "tinygrad_edu", *args]
    done = subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=100)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def program(folder: Path, text: str, name: str = "program.py") -> str:
    """A program as a file."""
    path = folder / name
    path.write_text(text)
    return str(path)


# --- mistakes and help -------------------------------------------------------------------------------------------------------


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])
    assert end.value.code == 0
    assert "run train.py" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_missing_file_is_one_sentence(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, "no_such_file.py"]) == 2
    said = capsys.readouterr()
    assert said.err == "tinygrad-edu: there is no file 'no_such_file.py'\n"
    assert not said.out


def test_a_folder_cannot_be_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err
    assert cli.main(["check", str(tmp_path)]) == 2
    assert "no .py file" in capsys.readouterr().err


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["python"] == sys.version.split()[0]
    assert ("cuda" in facts["devices"]) == (facts["no gpu because"] == "-")
    assert cli.main(["info"]) == 0
    assert "numpy" in capsys.readouterr().out


def test_a_missing_module_is_one_sentence(tmp_path: Path) -> None:
    done = run("run", "-m", "no_such_module", cwd=tmp_path, code=2)
    assert done.stderr.startswith("tinygrad-edu: there is no module 'no_such_module'") and done.stderr.count("\n") == 1


# --- check -----------------------------------------------------------------------------------------------------------------------


PROGRAM = """
import torch, torch.nn as nn
import torch.nn.functional as F
from torch import Tensor, nothing_like_this
from torch.autograd import Function as Base
try:
    from torch.fx import symbolic_trace
except ImportError:
    symbolic_trace = None
if hasattr(torch, "not_yet"):
    torch.not_yet()
def f(F, x: torch.Tensor) -> Tensor:
    return F.no_name_of_torch(x).any_method() + torch.exp(x).sum()
y = F.sofmax(torch.zeros(3), 0)
torch.float32.is_floating_point
"""


def test_check_lists_names_without_running(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = program(tmp_path, PROGRAM + "raise SystemExit('it ran')\n")
    assert cli.main(["check", path, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    uses = {use["name"]: use for use in report["uses"]}
    assert uses["torch.exp"]["here"] and uses["torch.Tensor"]["here"] and uses["torch.autograd.Function"]["here"]
    missing = {name for name, use in uses.items() if not use["here"]}
    assert missing == {
        "torch.nothing_like_this",
        "torch.fx.symbolic_trace",
        "torch.not_yet",
        "torch.nn.functional.sofmax",
    }
    assert {name for name in missing if uses[name]["optional"]} == {"torch.fx.symbolic_trace", "torch.not_yet"}
    assert uses["torch.nn.functional.sofmax"]["missing"].endswith("the nearest is torch.nn.functional.softmax")
    assert uses["torch.nn.functional.sofmax"]["places"][0].endswith("program.py:14")
    assert not any("no_name_of_torch" in name for name in uses)


def test_check_of_a_folder_and_of_a_notebook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program(tmp_path, "import torch\ntorch.exp\n", "one.py")
    cells = [
        {"cell_type": "markdown", "source": ["torch.not_code"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "import torch as th\n", "th.log"]},
        {"cell_type": "code", "source": "!pip install torch\nth.zeros(3)"},
        {"cell_type": "code", "source": "%%bash\ncd somewhere && python torch.no"},
    ]
    program(tmp_path, json.dumps({"cells": cells}), "two.ipynb")
    assert cli.main(["check", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "torch.exp" in said and "torch.log" in said and "torch.zeros" in said and "not_code" not in said
    assert said.endswith("2 files, 4 names of torch, 0 missing\n")


def test_check_says_which_file_is_no_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", program(tmp_path, "print 'hello'\n")]) == 1
    assert "cannot be read" in capsys.readouterr().out


def test_check_names_packages_that_need_the_real_torch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", program(tmp_path, "from torchaudio import datasets\n")]) == 0
    assert "torchaudio stands on the real torch" in capsys.readouterr().out


# --- run -----------------------------------------------------------------------------------------------------------------------


def test_run_is_like_python(tmp_path: Path) -> None:
    program(tmp_path, "import torch\ndef double(x: torch.Tensor): return 2 * x\n", "beside.py")
    path = program(
        tmp_path,
        "import sys, pickle, torch\nfrom torch.nn import functional as F\nfrom beside import double\n"
        "class Mine:\n    pass\n"
        "if __name__ == '__main__':\n"
        "    assert sys.argv == [__file__, '--lr', '0.1', '-m', 'x'], sys.argv\n"
        "    assert type(pickle.loads(pickle.dumps(Mine()))) is Mine\n"
        "    x = torch.tensor([1.0, -2.0], requires_grad=True)\n"
        "    double(F.relu(x)).sum().backward()\n"
        "    print(x.grad, torch.__version__ >= (2, 0), torch.nn.functional is F)\n"
        "    sys.exit(7)\n",
    )
    done = run("run", path, "--lr", "0.1", "-m", "x", code=7, cwd=tmp_path)
    assert done.stdout == "tensor([2., 0.]) True True\n" and not done.stderr


def test_traceback_begins_in_the_program(tmp_path: Path) -> None:
    path = program(tmp_path, "import torch\ndef f():\n    return torch.ones(2) @ torch.ones(3)\nf()\n")
    lines = run("run", path, code=1).stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert "program.py" in lines[1] and "line 4" in lines[1]
    assert lines[-1].startswith("RuntimeError") or "RuntimeError" in "\n".join(lines)


def test_a_missing_name_says_file_line_and_nearest(tmp_path: Path) -> None:
    path = program(tmp_path, "import torch\n\ntorch.nn.functional.sofmax\n")
    last = run("run", path, code=1, cwd=tmp_path).stderr.splitlines()[-1]
    assert last.endswith(
        "tinygrad_edu has no torch.nn.functional.sofmax (asked for in program.py, line 3); "
        "the nearest is torch.nn.functional.softmax"
    )


def test_a_syntax_error_is_shown_as_python_does(tmp_path: Path) -> None:
    done = run("run", program(tmp_path, "x = (1\n"), code=1)
    assert "SyntaxError" in done.stderr and "cli.py" not in done.stderr


def test_exit_with_a_sentence(tmp_path: Path) -> None:
    assert run("run", program(tmp_path, "raise SystemExit('no data')\n"), code=1).stderr == "no data\n"


def test_run_a_module(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    program(tmp_path / "package", "import sys, torch\nprint(sys.argv[1:], torch.ones(1))\n", "train.py")
    assert run("run", "-m", "package.train", "--fast", cwd=tmp_path).stdout == "['--fast'] tensor([1.])\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_a_program_see_the_same_torch(tmp_path: Path, method: str) -> None:
    path = program(
        tmp_path,
        "import torch, torch.multiprocessing as mp\n"
        "class Point:\n    def __init__(self, x): self.x = x\n"
        "def work(q, p): q.put((torch.__version__, Point(p.x + 1)))\n"
        "if __name__ == '__main__':\n"
        f"    c = mp.get_context({method!r})\n"
        "    q = c.Queue()\n"
        "    p = c.Process(target=work, args=(q, Point(torch.ones(2))))\n"
        "    p.start(); version, point = q.get(timeout=60); p.join()\n"
        "    print(version == torch.__version__, point.x, p.exitcode)\n",
    )
    command = [sys.executable, "-W", "ignore", "-m", "tinygrad_edu", "run", path]
    done = subprocess.run(command, cwd=HERE, env=ENVIRONMENT, capture_output=True, text=True, timeout=100)
    assert done.stdout == "True tensor([2., 2.]) 0\n", done.stderr


def test_interruption_is_quiet(tmp_path: Path) -> None:
    path = program(tmp_path, "import time, torch\nprint('ready', flush=True)\ntime.sleep(60)\n")
    command = [sys.executable, "-m", "tinygrad_edu", "run", path]
    with subprocess.Popen(
        command, cwd=HERE, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as p:
        assert p.stdout.readline() == "ready\n"
        p.send_signal(signal.SIGINT)
        _, said = p.communicate(timeout=30)
    assert p.returncode == 130 and said == "interrupted\n"


@pytest.mark.parametrize("how", ["-p tinygrad_edu.pytest_plugin", "-p tinygrad_edu.pytest_flag --tinygrad"])
def test_the_pytest_plugin(tmp_path: Path, how: str) -> None:
    program(tmp_path, "import torch\nVERSION = torch.__version__\n", "conftest.py")
    program(
        tmp_path,
        "import torch\nfrom conftest import VERSION\n"
        "def test_torch():\n    assert VERSION == torch.__version__ and 'tinygrad' in VERSION\n",
        "test_it.py",
    )
    command = [sys.executable, "-m", "pytest", *how.split(), "-p", "no:cacheprovider", "."]
    done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0 and "torch: tinygrad_edu" in done.stdout, done.stdout + done.stderr


def test_the_pytest_flag_does_nothing_unless_it_is_given(tmp_path: Path) -> None:
    program(tmp_path, "import sys\ndef test_none():\n    assert 'torch' not in sys.modules\n", "test_it.py")
    command = [sys.executable, "-m", "pytest", "-p", "tinygrad_edu.pytest_flag", "-p", "no:cacheprovider", "."]
    done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0 and "torch: tinygrad_edu" not in done.stdout, done.stdout + done.stderr
