"""The command line: help, mistakes, `info`, `check`, and `run` of a whole program in a process of its own."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tinygrad_edu import cli, companions
from tinygrad_edu.errors import alike

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


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import no_such_thing", "No module named 'no_such_thing'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import torch.no_such_part", "tinygrad_edu has no torch.no_such_part"),
    ],
)
def test_a_module_that_cannot_be_imported_is_one_sentence(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    program(tmp_path / "package", text, "__init__.py")
    program(tmp_path / "package", "", "train.py")
    said = run("run", "-m", "package.train", cwd=tmp_path, code=2).stderr
    assert said.startswith("tinygrad-edu: the module 'package.train' cannot be imported: ")
    assert why in said and said.count("\n") == 1


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
    path = program(
        tmp_path, "import time, torch\nprint('ready', flush=True)\nfor _ in range(600):\n    time.sleep(0.1)\n"
    )
    command = [sys.executable, "-m", "tinygrad_edu", "run", path]
    with subprocess.Popen(
        command, cwd=HERE, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as p:
        assert p.stdout.readline() == "ready\n"
        p.send_signal(signal.SIGINT)
        _, said = p.communicate(timeout=30)
    assert p.returncode == 130 and said == "interrupted\n"


@pytest.mark.skipif(os.name != "posix", reason="a broken pipe is another error there")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_nobody_reads_ends_quietly(tmp_path: Path, unbuffered: str) -> None:
    path = program(tmp_path, "import torch\nfor i in range(50_000):\n    print(i)\n")
    for arguments in (["run", path], ["info"]):
        reading, writing = os.pipe()
        os.close(reading)
        command = [sys.executable, "-m", "tinygrad_edu", *arguments]
        surroundings = ENVIRONMENT | {"PYTHONUNBUFFERED": unbuffered}
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=surroundings, cwd=HERE, timeout=100)
        os.close(writing)
        assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(os.name != "posix", reason="makes a pipe that nobody reads")
def test_a_broken_pipe_of_the_program_s_own_is_its_error(tmp_path: Path) -> None:
    path = program(tmp_path, "import os\nr, w = os.pipe()\nos.close(r)\nos.write(w, b'x')\n")
    assert "BrokenPipeError" in run("run", path, code=1).stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is full")
def test_output_to_a_full_disk(tmp_path: Path) -> None:
    path = program(tmp_path, "import torch\nprint(torch.ones(1))\n")
    for arguments in (["run", path], ["info"]):
        command = [sys.executable, "-m", "tinygrad_edu", *arguments]
        surroundings = ENVIRONMENT | {"PYTHONUNBUFFERED": ""}
        with open("/dev/full", "w") as output:
            done = subprocess.run(
                command, stdout=output, stderr=subprocess.PIPE, text=True, env=surroundings, cwd=HERE, timeout=100
            )
        assert done.returncode == 2
        assert done.stderr == "tinygrad-edu: the output cannot be written: No space left on device\n"


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


# --- what is not known, and what cannot be written -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trian"], "there is no command 'trian' (did you mean train?); there are run, graph, "),
        (["train", "digits", "--epoch", "3"], "there is no option '--epoch' (did you mean --epochs?)"),
        (["train", "digits", "moons"], "'moons' is one argument too many; see tinygrad-edu train --help"),
        (["train", "moons", "--epochs", "many"], "argument --epochs: invalid int value: 'many'"),
        (["run", "--sumary", "train.py"], "there is no option '--sumary' (did you mean --summary?)"),
        (["check", "--jsn", "."], "there is no option '--jsn' (did you mean --json?)"),
        (
            ["--vesion"],
            "there is no option '--vesion' (did you mean --version?) before a command; see tinygrad-edu --help",
        ),
        (["graph"], "the following arguments are required: TARGET; see tinygrad-edu graph --help"),
        ([], "the following arguments are required: COMMAND; see tinygrad-edu --help"),
    ],
)
def test_what_is_not_understood_is_one_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"tinygrad-edu: {said}") and told.err.count("\n") == 1 and not told.out


@pytest.mark.parametrize("command", ["run", "graph", "launch", "train", "check", "bench", "lessons", "info"])
def test_every_command_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([command, "--help"])
    assert end.value.code == 0 and f"  python -m tinygrad_edu {command} " in capsys.readouterr().out


def test_the_nearest_is_only_told_where_there_is_one() -> None:
    assert alike("digts", ["moons", "digits"]) == " (did you mean digits?)"
    assert alike("zebra", ["moons", "digits"]) == ""


def full(path: object, *args: object, **options: object) -> None:
    """What writing does where there is no room left."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_while_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tinygrad_edu.train.results.gradient_report", full)
    assert cli.main(["train", "moons", "--epochs", "1", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"tinygrad-edu: the folder {tmp_path} cannot be written to: No space left on device\n"
    )
    assert {path.name for path in tmp_path.iterdir()} >= {"checkpoint.pt", "model.pt"}
    assert not list(tmp_path.glob(".*")) and not (tmp_path / "gradcheck.txt").exists()


def test_a_file_where_a_folder_is_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "there").write_text("mine")
    for arguments in (["train", "moons", "--epochs", "1"], ["lessons", "05"]):
        assert cli.main([*arguments, "--out", str(tmp_path / "there")]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and str(tmp_path / "there") in said and "Traceback" not in said
    assert (tmp_path / "there").read_text() == "mine"


def test_training_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "moons", "--epochs", "2", "--json", "--out", str(tmp_path)]) == 0
    first, second, files = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["epoch"], second["epoch"]) == (1, 2) and 0 < second["loss"] < first["loss"]
    assert files[str(tmp_path / "model.pt")] == "written"
    assert all(Path(path).exists() == (what == "written") for path, what in files.items())


# --- graph ---------------------------------------------------------------------------------------------------------------------------


LONG = """
import sys, torch
torch.manual_seed(0)
net = torch.nn.Linear(3, 2)
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for step in range(int(sys.argv[1])):
    optimizer.zero_grad()
    net(torch.ones(4, 3)).square().mean().backward()
    optimizer.step()
    print(step + 1, flush=True)
"""


def test_graph_ends_the_program_when_the_step_is_drawn(tmp_path: Path) -> None:
    program(tmp_path, LONG, "train.py")
    done = run("graph", "train.py", "-o", "third.dot", "--step", "3", "1000000", cwd=tmp_path)
    assert done.stdout == "1\n2\n" and done.stderr == "tinygrad-edu: wrote third.dot\n"
    assert "Linear" in (tmp_path / "third.dot").read_text()
    done = run("graph", "--out=a.dot", "--play", "step.html", "train.py", "1000000", cwd=tmp_path)
    assert done.stderr == "tinygrad-edu: wrote a.dot\ntinygrad-edu: wrote step.html\n"
    assert "<script" in (tmp_path / "step.html").read_text()


def test_graph_of_a_step_that_never_comes(tmp_path: Path) -> None:
    program(tmp_path, LONG, "train.py")
    done = run("graph", "train.py", "-o", "g.dot", "--step", "9", "2", cwd=tmp_path, code=1)
    assert done.stderr == "tinygrad-edu: there is no step 9 to look at: the program has made 2 steps\n"
    assert not (tmp_path / "g.dot").exists()


def test_graph_of_a_module(tmp_path: Path) -> None:
    program(tmp_path, LONG, "training.py")
    done = run("graph", "-m", "-o", "g.dot", "training", "5", cwd=tmp_path)
    assert done.stdout == "" and done.stderr == "tinygrad-edu: wrote g.dot\n"


def test_a_picture_that_nothing_can_draw_is_told_before_the_program_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tinygrad_edu.viz.rendering.can_draw", lambda: False)
    path = program(tmp_path, "raise SystemExit('it ran')")
    assert cli.main(["graph", path, "-o", str(tmp_path / "g.png")]) == 2
    said = capsys.readouterr().err
    assert 'pip install "tinygrad_edu[viz]"' in said and "it ran" not in said and said.count("\n") == 1


def test_a_picture_on_a_full_disk(tmp_path: Path) -> None:
    filled = LONG.replace("import sys, torch\n", "import os, sys, torch\nos.replace = None\n")
    full = "def full(*a):\n    raise OSError(28, 'No space left on device')\nos.replace = full\n"
    program(tmp_path, filled.replace("os.replace = None\n", full), "train.py")
    done = run("graph", "train.py", "-o", "g.dot", "5", cwd=tmp_path, code=1)
    assert done.stderr == "tinygrad-edu: graph: g.dot: No space left on device\n"
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".pyc"] == ["train.py"]


# --- lessons and benchmarks ----------------------------------------------------------------------------------------------------------


def test_lessons_are_copied_and_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mine"
    assert cli.main(["lessons", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert f"jupyter lab {out}" in said and "pip install" in said
    names = sorted(path.name for path in out.iterdir())
    assert names == [path.name for path in companions.lessons()] and "05_build_the_engine.ipynb" in names
    mine = out / "05_build_the_engine.ipynb"
    mine.write_text("my answers")
    assert cli.main(["lessons", "05", "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"written": [], "kept": [str(mine)]}
    assert mine.read_text() == "my answers"
    assert cli.main(["lessons", "5", "--out", str(out)]) == 0
    assert "it is kept (--force replaces it)" in capsys.readouterr().err
    assert cli.main(["lessons", "05", "--out", str(out), "--force"]) == 0
    assert json.loads(mine.read_text())["nbformat"] == 4


def test_lessons_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lessons", "--list", "--json"]) == 0
    assert {"number": "05", "title": "build the engine"} in json.loads(capsys.readouterr().out)
    assert cli.main(["lessons", "77", "--out", str(tmp_path / "x")]) == 2
    assert "there is no lesson 77; there are 01, " in capsys.readouterr().err and not (tmp_path / "x").exists()


def test_lessons_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "replace", full)
    assert cli.main(["lessons", "--out", str(tmp_path)]) == 2
    assert "cannot be written to" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_bench_hands_its_options_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = []

    def instead(command: list[str], cwd: Path, check: bool) -> subprocess.CompletedProcess:
        asked.append((command[1:], cwd))
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(companions.subprocess, "run", instead)
    assert cli.main(["bench", "--quick", "--only", "gpt"]) == 3
    assert asked == [(["-m", "benchmarks", "--quick", "--only", "gpt"], Path(HERE))]
    monkeypatch.setattr(companions, "CLONE", Path("/nowhere"))
    assert cli.main(["bench"]) == 2
    assert "a clone of the repository" in capsys.readouterr().err and len(asked) == 1
