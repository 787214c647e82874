"""`run` with flags that look inside: an unmodified program's output and exit code stay, reports go to standard error."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tinygrad_edu import cli

HERE = str(Path(cli.__file__).parent.parent)
ENVIRONMENT = {**os.environ, "PYTHONPATH": HERE, "OMP_NUM_THREADS": "1"}

PROGRAM = """
import sys
import torch
from torch import nn

class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return g * x * x * FACTOR

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(4, 8), nn.Tanh())
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.drop(Cube.apply(self.encoder(x))))

torch.manual_seed(0)
x, y = torch.randn(30, 4), torch.randint(0, 3, (30,))
net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(5):
    for i in range(0, 30, 10):
        out = net(x[i:i + 10])
        loss = nn.functional.cross_entropy(out, y[i:i + 10])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item(), torch.rand(1).item())
print(sys.argv[1:])
sys.exit(3)
"""


def run(folder: Path, *args: str, code: int = 3) -> tuple[str, str]:
    """`python -m tinygrad_edu run ARGS`: its output, and what it said beside that."""
    command = [sys.executable, "-m", "tinygrad_edu", "run", *args]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=100)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(PROGRAM.replace("FACTOR", "3"))
    return tmp_path


def test_everything_at_once_changes_nothing(folder: Path) -> None:
    plain, silence = run(folder, "train.py", "--epochs", "3")
    assert silence == "" and plain.endswith("['--epochs', '3']\n")
    looks = ("--graph=graph.dot --play step.html --profile --summary --gradcheck --lint --anomaly --step 4").split()
    out, said = run(folder, "train.py", *looks, "--epochs", "3")
    assert out == plain
    assert "wrote graph.dot" in said and "wrote step.html" in said
    assert (
        re.search(r"gradcheck of step 4: \d+ operations were checked, all are right \(.*CubeBackward", said)
        and "WRONG" not in said
    )
    assert "encoder" in said and "Parameters" in said and "67, each counted once" in said
    assert re.search(r"lint:\n  train.py:\d+: the same 3 batches come in the same order", said)
    assert re.search(r"^Adam\.step +15 ", said, re.M) and re.search(r"^encoder\.0: Linear +15 ", said, re.M)
    assert "cross_entropy" in (folder / "graph.dot").read_text()
    page = (folder / "step.html").read_text()
    assert "Cube" in page and "<script" in page


def test_which_step(folder: Path) -> None:
    """The weight's gradient in the picture is that of the step that was asked for."""
    watching = PROGRAM.replace("FACTOR", "3").replace(
        "        optimizer.step()\n",
        "        print('G', net.head.bias.grad.abs().mean().item())\n        optimizer.step()\n",
    )
    (folder / "train.py").write_text(watching)
    program, _ = run(folder, "train.py")
    pictures = {}
    for step in ("2", "7"):
        run(folder, "train.py", "--graph", "g.dot", "--step", step)
        pictures[step] = (folder / "g.dot").read_text()
    assert pictures["2"] != pictures["7"] and program.count("G ") == 15
    for text, code in ((watching, 3), (watching.replace("sys.exit(3)", ""), 1)):  # the program's own code, or for 0 a 1
        (folder / "train.py").write_text(text)
        _, said = run(folder, "train.py", "--graph", "g.dot", "--step", "99", code=code)
        assert said == "tinygrad-edu: there is no step 99 to look at: the program has made 15 steps\n"


def test_whose_flag_it_is(folder: Path) -> None:
    out, said = run(folder, "train.py", "--", "--lint")
    assert out.endswith("['--lint']\n") and said == ""
    out, said = run(folder, "train.py", "--lint", "--", "--lint")
    assert out.endswith("['--lint']\n") and "lint:" in said
    out, said = run(folder, "train.py", "--epochs", "3", "--lint")
    assert out.endswith("['--epochs', '3', '--lint']\n")
    assert said == (
        "tinygrad-edu: --lint stands among the arguments of train.py and is given to it; for run write it before train.py\n"
    )
    out, said = run(folder, "train.py", "--grpah=g.svg", "--much", "-x", "--", "--lint")
    assert out.endswith("['--grpah=g.svg', '--much', '-x', '--', '--lint']\n")
    assert said == "tinygrad-edu: --grpah is given to train.py, which does not mention it (did you mean --graph?)\n"
    text = PROGRAM.replace("FACTOR", "3") + "\n# parser.add_argument('--profile', action='store_true')\n"
    (folder / "train.py").write_text(text)
    out, said = run(folder, "train.py", "--profile")
    assert out.endswith("['--profile']\n") and said == ""
    out, said = run(folder, "--profile", "train.py", "--profile")
    assert out.endswith("['--profile']\n") and "profile:" in said


@pytest.mark.parametrize(
    ("args", "wrong"),
    [
        (["--graph", "x.jpg"], "--graph x.jpg: the file's name is to end in .svg"),
        (["--play", "x.svg"], "--play x.svg: the file's name is to end in .html"),
        (["--graph", "nowhere/x.svg"], "there is no folder 'nowhere'"),
        (["--step", "0"], "--step 0: steps are counted from 1"),
    ],
)
def test_mistakes_are_told_before_the_program_runs(args: list[str], wrong: str, folder: Path) -> None:
    for order in (["train.py", *args], [*args, "train.py"]):
        out, said = run(folder, *order, code=2)
        assert out == "" and wrong in said and said.count("\n") == 1


def test_a_wrong_gradient_is_found(folder: Path) -> None:
    (folder / "train.py").write_text(PROGRAM.replace("FACTOR", "2"))
    _, said = run(folder, "train.py", "--gradcheck")
    assert "WRONG: CubeBackward, from: " in said and "likely cause: a constant factor" in said
    text = (folder / "train.py").read_text().replace("sys.exit(3)", "")
    (folder / "train.py").write_text(text)
    run(folder, "train.py", "--gradcheck", code=1)
    run(folder, "train.py", code=0)


MASKS = """
import torch
from torch import nn
from torch.nn import functional as F

class Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.softmax(-1)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        y, = ctx.saved_tensors
        return y * (g - MEAN.sum(-1, keepdim=True))

torch.manual_seed(0)
words = nn.Embedding(10, 8, padding_idx=0)
rare = nn.Embedding(4, 8, scale_grad_by_freq=True)
attention = nn.MultiheadAttention(8, 2, batch_first=True)
mask = torch.triu(torch.ones(4, 4, dtype=torch.bool), 1)
x = words(torch.tensor([[0, 1, 2, 3], [4, 5, 0, 6]])) + torch.randn(2, 4, 8)
seen, _ = attention(x, x, x, attn_mask=mask)
scores = (x @ x.mT).masked_fill(mask, -torch.inf)
padded = F.pad(x, (1, 1), value=torch.inf)
nothing = torch.full((3,), -torch.inf, requires_grad=True)
poles = torch.tensor([0.0, 1.0, 2.0], requires_grad=True).log()[1:]
losses = [
    seen.square(), scores.softmax(-1).square(), scores.logsumexp(-1), padded.amin(-1), poles, nothing.exp(),
    rare(torch.tensor([1, 1, 3])),
    Softmax.apply(scores).square(),
]
sum(each.sum() for each in losses).backward()
"""


def test_what_is_infinite_or_padding_is_no_wrong_gradient(folder: Path) -> None:
    (folder / "masks.py").write_text(MASKS.replace("MEAN", "(g * y)"))
    _, said = run(folder, "masks.py", "--gradcheck", code=0)
    assert "WRONG" not in said
    names = re.findall(r"gradcheck of step 1: (\d+) operations were checked, all are right \((.*)\)", said)
    checked = names[0][1].split(", ")
    assert len(checked) == int(names[0][0])
    compared = {"embedding", "add", "softmax", "masked_fill", "logsumexp", "pad", "amin", "log", "SoftmaxBackward"}
    assert compared <= {*checked}
    assert "not checked: exp (infinite inputs), embedding (scaled by frequency)\n" in said


def test_a_wrong_rule_is_found_beside_infinity(folder: Path) -> None:
    (folder / "masks.py").write_text(MASKS.replace("MEAN", "g"))
    _, said = run(folder, "masks.py", "--gradcheck", code=1)
    assert "operations were checked, 1 WRONG (" in said
    assert said.count("WRONG: ") == 1 and "WRONG: SoftmaxBackward, from: " in said


def test_anomaly(folder: Path) -> None:
    bad = PROGRAM.replace("FACTOR", "3").replace("loss = nn", "out = (out - 100).log()\n        loss = nn")
    (folder / "train.py").write_text(bad)
    out, said = run(folder, "--anomaly", "train.py", code=1)
    assert (
        out == ""
        and "nan in the forward pass: log(" in said
        and re.search(r"train.py:\d+ `out = \(out - 100\).log\(\)`", said)
    )
    (folder / "train.py").write_text(bad.replace("loss.backward()", "assert loss == loss"))
    _, said = run(folder, "--anomaly", "train.py", code=1)
    assert "before this error, log(float32[10, 3]) had returned nan, from: " in said and "AssertionError" in said


def test_programs_that_step_by_themselves_or_by_a_closure(folder: Path) -> None:
    own = """
import torch
w = torch.ones(3, requires_grad=True)
for i in range(40):
    loss = ((w - 2) ** 2).sum()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
        w.grad = None
"""
    (folder / "own.py").write_text(own)
    _, said = run(folder, "own.py", "--graph", "own.dot", "--step", "3", code=0)
    assert said == "tinygrad-edu: wrote own.dot\n"
    closure = """
import torch
w = torch.ones(3, requires_grad=True)
optimizer = torch.optim.LBFGS([w], max_iter=3)
def again():
    optimizer.zero_grad()
    loss = ((w - 2) ** 2).sum()
    loss.backward()
    return loss
optimizer.step(again)
"""
    (folder / "closure.py").write_text(closure)
    _, said = run(folder, "closure.py", "--graph", "closure.dot", code=0)
    assert said == "tinygrad-edu: wrote closure.dot\n"
    (folder / "nothing.py").write_text("import torch\nprint(torch.ones(2).sum().item())\n")
    out, said = run(folder, "nothing.py", "--summary", code=1)
    assert out == "2.0\n" and "no optimizer has stepped" in said


def test_help_says_the_rule(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["run", "--help"])
    said = capsys.readouterr().out
    assert "--anomaly" in said and "what follows --" in said
