"""`python -m tinygrad_edu train`: results, going on after an interruption, mistakes, and the page in a real browser."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trained import NETWORKS, small_texts, trained

import tinygrad_edu as tg
from tinygrad_edu import cli, nn
from tinygrad_edu.datasets.files import File
from tinygrad_edu.train import Options, Training, models, results, train
from tinygrad_edu.train.tasks import TASKS, loss_of, right
from tinygrad_edu.utils.data import default_collate

HERE = str(Path(cli.__file__).parent.parent)


@pytest.fixture(scope="module", autouse=True)
def _texts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with small_texts(tmp_path_factory.mktemp("data")):
        yield


def run(*args: str, cwd: Path, **options: Any) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "tinygrad_edu", "train", *args]
    environment = {**os.environ, "PYTHONPATH": HERE, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=100, **options)


def of_model(folder: Path) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in tg.load(folder / "model.pt").items()}


# --- the folder ------------------------------------------------------------------------------------------------------------------


def test_digits_are_learned_and_everything_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training = train(Options("digits"), tmp_path / "out")
    said = capsys.readouterr()
    assert training.history["test_accuracy"][-1] >= 0.95
    assert "1,438 drawings to learn from, 359 to test" in said.out and "mlp, 4,810 parameters" in said.out
    table = said.out[said.out.index("epoch ") :].split("\n\n")[0].splitlines()
    assert len(table) == 21 and table[-1].split()[0] == "20"
    assert not said.err  # no bar where there is no terminal
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written >= {"checkpoint.pt", "model.pt", "history.json", "gradcheck.txt", "try.html"}
    listed = [line.split()[0] for line in said.out.split("\n\n")[-1].splitlines() if "is not written" not in line]
    assert sorted(listed) == sorted(str(path) for path in (tmp_path / "out").iterdir())
    model = models.for_pictures(8, 10, 64)["mlp"]()
    model.load_state_dict(tg.load(tmp_path / "out" / "model.pt"))
    task = TASKS["digits"]()
    x, y = default_collate([task.test[i] for i in range(len(task.test))])
    assert right(model(x), y).float().mean().item() == pytest.approx(training.history["test_accuracy"][-1])
    assert "the gradients are right" in (tmp_path / "out" / "gradcheck.txt").read_text()
    assert json.loads((tmp_path / "out" / "history.json").read_text())["numbers"]["loss"][19][0] == 20
    if importlib.util.find_spec("safetensors"):
        loaded = tg.serialization.load_file(tmp_path / "out" / "model.safetensors")
        assert all(tg.equal(value, model.state_dict()[name]) for name, value in loaded.items())
    if importlib.util.find_spec("matplotlib"):
        assert written >= {"curves.svg", "norms.svg", "confusion.svg"}


@pytest.mark.parametrize(("task", "model"), NETWORKS)
def test_every_network_has_right_gradients(task: str, model: str, tmp_path: Path) -> None:
    training = trained(task, model, tmp_path)
    x, y = default_collate([training.task.test[i] for i in range(4)])
    assert "the gradients are right" in results.gradient_report(training.model, x, y)
    assert 0 < training.history["loss"][0] < 5


def test_a_wrong_gradient_is_told() -> None:
    class Wrong(tg.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: tg.Tensor) -> tg.Tensor:
            return 2 * x

        @staticmethod
        def backward(ctx: Any, g: tg.Tensor) -> tg.Tensor:
            return 2.1 * g

    class Net(nn.Linear):
        def forward(self, x: tg.Tensor) -> tg.Tensor:
            return Wrong.apply(super().forward(x))

    report = results.gradient_report(Net(3, 2), tg.randn(4, 3), tg.tensor([0, 1, 1, 0]))
    assert "NOT RIGHT" in report and report.count("4.8e-02") == 2  # 0.1 of 2.1


def test_a_gradient_that_is_no_number_is_not_right() -> None:
    model = nn.Linear(3, 2)
    nn.init.constant_(model.weight, float("nan"))
    assert "NOT RIGHT" in results.gradient_report(model, tg.randn(4, 3), tg.tensor([0, 1, 1, 0]))


def test_the_loss_of_a_text_counts_every_place_or_the_last() -> None:
    scores, targets = tg.randn(2, 3, 5), tg.tensor([[0, 1, 2], [3, 4, 0]])
    by_hand = [-scores.log_softmax(-1)[b, t, targets[b, t]] for b in range(2) for t in range(3)]
    assert loss_of(scores, targets).item() == pytest.approx(sum(v.item() for v in by_hand) / 6, rel=1e-5)
    assert loss_of(scores[:, -1], targets).item() == pytest.approx((by_hand[2] + by_hand[5]).item() / 2, rel=1e-5)
    assert right((targets[:, -1, None] == tg.arange(5)).long(), targets).all()


# --- interrupted, and going on -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "optimizer"), [("pixels", "adam"), ("moons", "momentum"), ("names", "adamw")])
def test_going_on_gives_identical_numbers(task: str, optimizer: str, tmp_path: Path) -> None:
    chosen = Options(task, optimizer=optimizer, seed=3)
    train(replace(chosen, epochs=3), tmp_path / "whole")
    train(replace(chosen, epochs=1), tmp_path / "parts")
    tg.manual_seed(99)  # whatever else draws meanwhile
    train(Options(epochs=3), tmp_path / "parts", resume=True)
    assert (tmp_path / "whole" / "history.json").read_text() == (tmp_path / "parts" / "history.json").read_text()
    whole, parts = of_model(tmp_path / "whole"), of_model(tmp_path / "parts")
    for name, value in whole.items():
        np.testing.assert_array_equal(value, parts[name])


def test_a_seed_is_another_run(tmp_path: Path) -> None:
    task = TASKS["moons"]()
    runs = [Training(task, replace(task.proposed, epochs=1, seed=seed)) for seed in (0, 0, 1)]
    losses = [[numbers["loss"] for numbers in each.run(tmp_path / "checkpoint.pt")] for each in runs]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent in another way there")
def test_an_interruption_keeps_the_last_epoch(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tinygrad_edu", "train", "pixels", "--epochs", "100000"]
    environment = {**os.environ, "PYTHONPATH": HERE, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        while not process.stdout.readline().startswith("    3 "):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        rest, said = process.stdout.read(), process.stderr.read()
    assert process.returncode == 130 and "Traceback" not in said
    done = 3 + len(rest.split("\n")) - 1
    assert f"the state after epoch {done} is kept in runs/pixels/checkpoint.pt" in said
    assert "python -m tinygrad_edu train pixels --out runs/pixels --resume" in said
    again = run("pixels", "--resume", "--epochs", str(done + 2), cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    whole = train(Options("pixels", epochs=done + 2), tmp_path / "whole")
    kept = json.loads((tmp_path / "runs" / "pixels" / "history.json").read_text())
    assert [value for _, value in kept["numbers"]["loss"]] == whole.history["loss"]


# --- mistakes ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nope"], "there is no task 'nope'; there are digits, mnist, pixels, moons, names, shakespeare"),
        (["digits", "--model", "gpt"], "digits has no model 'gpt'; it has linear, mlp, cnn"),
        (["moons", "--optimizer", "magic"], "moons has no optimizer 'magic'; it has sgd, momentum"),
        (["digits", "--epochs", "0"], "--epochs must be greater than 0, not 0"),
        (["digits", "--lr", "-1"], "--lr must be greater than 0, not -1.0"),
        (["moons", "--lr", "nan"], "--lr must be greater than 0, not nan"),
        (["digts"], "there is no task 'digts' (did you mean digits?); there are digits, "),
        (["digits", "--optimizer", "adm"], "digits has no optimizer 'adm' (did you mean adam?)"),
        (["digits", "--resume"], "there is nothing to go on with"),
        (["digits", "--model", "MLP"], "digits has no model 'MLP' (did you mean mlp?)"),
        (["digits", "--device", "gpu"], "there is no device 'gpu'; there are cpu and cuda"),
        (["digits", "--seed", str(2**64)], "--seed must lie between -2**63 and 2**64 - 1, not 18446744073709551616"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", *arguments, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.startswith("tinygrad-edu: ") and "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_steps_that_are_too_large_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "digits", "--lr", "1e10", "--epochs", "1", "--out", str(tmp_path / "large")]) == 0
    assert re.search(r"\n    1   \d\.\de\+\d\d  ", capsys.readouterr().out)  # the columns stay where they are
    assert cli.main(["train", "digits", "--lr", "1e30", "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "in epoch 1 the loss became nan" in said and "a smaller --lr than 1e+30" in said
    assert [path.name for path in tmp_path.iterdir()] == ["large"]


def test_a_run_that_is_done_writes_its_results_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(Options("moons", epochs=2), tmp_path)
    (tmp_path / "model.pt").unlink()  # as if it had been interrupted there
    capsys.readouterr()
    assert cli.main(["train", "moons", "--resume", "--out", str(tmp_path)]) == 0
    assert "2 epochs are done already; to go on name more, as in --epochs 4" in capsys.readouterr().out
    assert (tmp_path / "model.pt").exists()


def test_a_run_goes_on_only_as_it_began(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(Options("moons", epochs=1), tmp_path)
    capsys.readouterr()
    for arguments, sentence in (
        (["pixels"], "began with task moons and goes on with it; for pixels"),
        (["--lr", "0.5"], "began with lr 0.01 and goes on with it; for 0.5"),
        (["--batch-size", "7"], "began with batch-size 32"),
    ):
        assert cli.main(["train", *arguments, "--resume", "--out", str(tmp_path)]) == 2
        assert sentence in capsys.readouterr().err
    assert cli.main(["train", "--resume", "--epochs", "2", "--out", str(tmp_path)]) == 0


@pytest.mark.parametrize("content", [b"", b"no checkpoint", {"epoch": 3}, {"options": {"speed": 3}}, [1, 2]])
def test_a_damaged_state_is_told(content: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content) if isinstance(content, bytes) else tg.save(content, path)
    assert cli.main(["train", "moons", "--resume", "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"tinygrad-edu: {path} does not hold the state of a training, or is damaged: ")


def test_missing_data_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path))
    monkeypatch.setattr(
        "tinygrad_edu.datasets.text.NAMES", File("names.txt", "md5:0", ("http://127.0.0.1:9/names.txt",))
    )
    assert cli.main(["train", "names", "--out", str(tmp_path / "out")]) == 2
    assert "names.txt could not be downloaded" in capsys.readouterr().err


def test_what_is_not_installed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in ("matplotlib", "safetensors", "safetensors.numpy"):
        monkeypatch.setitem(sys.modules, package, None)
    train(Options("moons", epochs=1), tmp_path)
    said = capsys.readouterr().out
    lines = {Path(line.split()[0]).name: line for line in said.split("\n\n")[-1].splitlines()}
    assert re.search(r'  is not written: .*pip install "tinygrad_edu\[viz\]"', lines["curves.svg"])
    assert re.search(r"  is not written: .*tinygrad_edu\[safetensors\]", lines["model.safetensors"])
    assert (tmp_path / "model.pt").exists() and (tmp_path / "try.html").exists()
