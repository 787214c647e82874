"""`torch.cuda`'s names on the strict stand-in for a GPU, states that follow to a device, and what goes wrong there."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import cupy_manifest
import numpy as np
import pytest
import standin

import tinygrad_edu as tg
from tinygrad_edu import cuda, nn, optim, viz
from tinygrad_edu import random as tg_random
from tinygrad_edu.utils.data import DataLoader, TensorDataset


@pytest.fixture(autouse=True)
def _on_standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tg_random, "_on_gpu", {})
    with standin.device():
        yield


# --- the names ---------------------------------------------------------------------------------------------------------------


def test_devices() -> None:
    assert cuda.is_available() and cuda.why_unavailable() == "" and cuda.is_initialized()
    assert cuda.device_count() == 1 and cuda.current_device() == 0
    assert cuda.get_device_name() == "Stand-in" and cuda.get_device_capability("cuda:0") == (8, 0)
    assert cuda.get_device_properties(0).total_memory == 2**30
    assert cuda.is_tf32_supported() and not cuda.is_bf16_supported()
    with cuda.device(0), cuda.device(-1), cuda.device_of(tg.ones(2, device="cuda")):
        cuda.set_device("cuda:0")
    with pytest.raises(ValueError, match="Expected a cuda device, but got: cpu"):
        cuda.synchronize("cpu")


def test_streams_and_events() -> None:
    side, start, end = cuda.Stream(), cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
    start.record()
    with cuda.stream(side):
        assert cuda.current_stream().stream is side.stream
        side.wait_stream(cuda.default_stream())
        end.record()
    assert cuda.current_stream().stream is cuda.default_stream().stream
    assert end.query() and side.query() and start.elapsed_time(end) == 2.0  # the wait recorded one between
    standin.waits.clear()
    for waited in (cuda, side, end):
        waited.synchronize()
    assert standin.waits == ["synchronize"] * 3


def test_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda.reset_peak_memory_stats()
    for used, held in ((100, 300), (50, 400)):
        monkeypatch.setattr(standin._Pool, "used", used)
        monkeypatch.setattr(standin._Pool, "held", held)
        assert (cuda.memory_allocated(), cuda.memory_reserved()) == (used, held)
    assert cuda.max_memory_allocated() == 100
    cuda.empty_cache()
    assert cuda.memory_reserved() == 50 and cuda.max_memory_reserved() == 400
    cuda.reset_peak_memory_stats()
    assert cuda.max_memory_allocated() == 50 and "allocated_bytes.all.peak" in cuda.memory_summary()
    assert cuda.mem_get_info() == (2**29, 2**30)
    monkeypatch.undo()
    cuda.reset_peak_memory_stats()


def test_seeds_and_states() -> None:
    cuda.manual_seed(3)
    assert cuda.initial_seed() == 3
    state = cuda.get_rng_state()
    first = tg.randn(4, device="cuda").cpu().numpy()
    cuda.set_rng_state(state)
    np.testing.assert_array_equal(tg.randn(4, device="cuda").cpu().numpy(), first)


def test_cupy_has_what_the_stand_in_has() -> None:
    """Names and parameters of `cupy.cuda`, which no dispatch of NumPy's reaches."""
    told = standin.CUPY["cuda"]
    for name, known in told.items():
        found: Any = standin._Module()
        for part in name.split("."):
            found = getattr(found, part)
        if callable(found) and not name.startswith("cuda.runtime"):
            unknown = {p.strip("*") for p in cupy_manifest.parameters(found)} - {p.strip("*") for p in known} - {"self"}
            assert "*args" in known or not unknown, f"{name} takes no {unknown}"


# --- what follows to a device --------------------------------------------------------------------------------------------------


def test_modules_optimizers_and_files_follow() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    model(tg.randn(5, 3)).sum().backward()
    optimizer.step()
    file = io.BytesIO()
    tg.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)

    there = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).cuda()
    assert {t.device.type for t in there.state_dict().values()} == {"cuda"}
    file.seek(0)
    saved = tg.load(file, map_location="cuda")
    assert saved["model"]["0.weight"].is_cuda
    again = optim.Adam(there.parameters(), lr=0.1)
    there.load_state_dict(saved["model"])
    again.load_state_dict(saved["optimizer"])
    assert {own["exp_avg"].device.type for own in again.state.values()} == {"cuda"}
    there(tg.randn(5, 3, device="cuda")).sum().backward()
    again.step()

    file = io.BytesIO()
    tg.save(there.state_dict(), file)
    file.seek(0)
    home = tg.load(file, map_location=lambda storage, place: storage)
    assert {t.device.type for t in home.values()} == {"cpu"}
    np.testing.assert_array_equal(home["0.weight"].numpy(), there[0].weight.detach().cpu().numpy())
    there.cpu()
    assert {t.device.type for t in there.state_dict().values()} == {"cpu"}


def test_tensors_go_and_come_back() -> None:
    x = tg.randn(2, 3)
    there = x.pin_memory().cuda(non_blocking=True)
    assert there.is_cuda and str(there.device) == "cuda:0" and there.to("cuda") is there and x.cpu() is x
    np.testing.assert_array_equal(there.to("cpu").numpy(), x.numpy())
    assert there.new_zeros(2).is_cuda and tg.ones_like(there).is_cuda and there.clone().is_cuda
    assert x.type(cuda.DoubleTensor).is_cuda and x.type("torch.cuda.LongTensor").is_cuda
    assert not there.type(tg.FloatTensor).is_cuda and there.type(tg.float64).is_cuda
    with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
        there.numpy()


def test_batches_of_a_loader_go_to_the_device_without_waiting() -> None:
    loader = DataLoader(TensorDataset(tg.randn(10, 3), tg.arange(10)), batch_size=4, pin_memory=True)
    standin.waits.clear()
    sizes = [len(x.to("cuda", non_blocking=True)) for x, _ in loader]
    assert sizes == [4, 4, 2] and standin.waits == []


# --- what looks at tensors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [tg.float64, tg.complex128])
@pytest.mark.parametrize("fast", [False, True])
def test_gradients_are_checked(dtype: Any, fast: bool) -> None:
    x = tg.randn(3, 4, dtype=dtype).cuda().requires_grad_()
    assert tg.autograd.gradcheck(lambda x: (x * x).sum(1), x, fast_mode=fast)
    assert tg.autograd.gradgradcheck(lambda x: x * x * x, x, fast_mode=fast)
    with pytest.raises(RuntimeError, match="input 0"):
        tg.autograd.gradcheck(lambda x: x * x.detach(), x, fast_mode=fast)


def test_pictures_and_reasons() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).cuda()
    x = tg.randn(5, 3, device="cuda")
    loss = model(x).square().mean()
    assert "linear" in viz.graph(loss, values=True).dot and "Linear" in str(viz.summary(model, x))
    assert viz.memory() and viz.shapes(model, x).dot
    loss = model(x).square().mean()
    loss.backward()
    assert "is what this loss gives" in str(viz.explain_grad(model[0].weight, model(x).square().mean()))


# --- what goes wrong -----------------------------------------------------------------------------------------------------------

MIXED: dict[str, Callable[[Any, Any], Any]] = {
    "x + y": lambda here, there: there + here,
    "x @ y": lambda here, there: here @ there,
    "a layer": lambda here, there: nn.Linear(2, 2).cuda()(here),
    "a loss": lambda here, there: nn.functional.mse_loss(there, here),
    "cat": lambda here, there: tg.cat([here, there]),
    "x[i]": lambda here, there: here[tg.tensor([0]).cuda()],
    "embedding": lambda here, there: nn.functional.embedding(tg.tensor([0]), there),
    "a layer without bias": lambda here, there: nn.Conv1d(2, 2, 1, bias=False).cuda()(here),
    "nll_loss": lambda here, there: nn.functional.nll_loss(there.log_softmax(1), tg.tensor([0, 1])),
    "gather": lambda here, there: there.gather(0, tg.tensor([[0, 1]])),
    "scatter_add": lambda here, there: there.scatter_add(0, tg.tensor([[0, 1]]).cuda(), here),
    "index_select": lambda here, there: there.index_select(0, tg.tensor([0])),
    "index_add": lambda here, there: there.index_add(0, tg.tensor([0]), there[:1]),
    "take": lambda here, there: there.take(tg.tensor([0])),
}


@pytest.mark.parametrize("name", MIXED)
def test_a_tensor_on_the_wrong_device(name: str) -> None:
    here, there = tg.ones(2, 2), tg.ones(2, 2, device="cuda")
    with pytest.raises(RuntimeError, match=r"same device.*(cuda:0|\(cpu\))"):
        MIXED[name](here, there)
    np.testing.assert_array_equal((there + there).cpu().numpy(), 2 * np.ones((2, 2)))


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], None]:
    return lambda limit: monkeypatch.setitem(standin.memory, "limit", limit)


def test_out_of_memory_and_the_process_goes_on(little_room: Callable) -> None:
    """Wherever it happens: forward, backward, the update, a copy to the device."""
    model = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 2)).cuda()
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    x = tg.randn(512, 4, device="cuda")

    def step(room: dict[str, int]) -> None:
        optimizer.zero_grad()
        little_room(room.get("forward"))
        loss = model(x).square().mean()
        little_room(room.get("backward"))
        loss.backward()
        little_room(room.get("update"))
        optimizer.step()

    for part, limit in {"forward": 100_000, "backward": 100_000, "update": 800}.items():
        with pytest.raises(tg.OutOfMemoryError, match="out of memory: Out of memory allocating") as found:
            step({part: limit})
        assert isinstance(found.value, RuntimeError) and "a smaller batch" in str(found.value)
    little_room(1000)
    with pytest.raises(tg.cuda.OutOfMemoryError, match="out of memory"):
        tg.ones(1000).to("cuda")
    with pytest.raises(tg.OutOfMemoryError):
        tg.zeros(1000, device="cuda")
    cuda.empty_cache()
    little_room(None)
    step({})
    assert all(np.isfinite(p.detach().cpu().numpy()).all() for p in model.parameters())


def test_a_limit_set_by_the_program(little_room: Callable) -> None:
    little_room(None)
    cuda.set_per_process_memory_fraction(2**-20)
    with pytest.raises(tg.OutOfMemoryError):
        tg.zeros(2000, device="cuda")
    with pytest.raises(ValueError, match="Invalid fraction"):
        cuda.set_per_process_memory_fraction(1.5)
