"""`import torch` answered by this package: inside a program, and the modules that programs import without needing them."""

from __future__ import annotations

import importlib
import importlib.util
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import tinygrad_edu as tg
from tinygrad_edu import compat, tensor_types, threads
from tinygrad_edu.compat.missing import MissingAttribute, MissingImport, MissingModule
from tinygrad_edu.version import TorchVersion


@pytest.fixture
def torch() -> Iterator[ModuleType]:
    """The package under the name torch for the time of a test."""
    with compat.install_as_torch() as module:
        yield module


def names() -> dict[str, ModuleType]:
    """What is loaded under PyTorch's name."""
    return {name: module for name, module in sys.modules.items() if name == "torch" or name.startswith("torch.")}


# --- under PyTorch's name ----------------------------------------------------------------------------------------------------


def test_modules_are_the_very_same(torch: ModuleType) -> None:
    import torch as found
    import torch.backends.cudnn as cudnn
    import torch.nn.functional as F
    from torch import Tensor, nn

    assert found is torch is tg
    assert nn is tg.nn and F is tg.nn.functional and Tensor is tg.Tensor
    assert cudnn is importlib.import_module("tinygrad_edu.backends.cudnn")
    assert F.__spec__.name == "tinygrad_edu.nn.functional"
    assert torch.__spec__.name == "tinygrad_edu"


def test_the_name_is_given_back() -> None:
    before, own = names(), tg.__version__
    answers = [vars(module).get("__getattr__") for module in (tg, tg.nn, tg.autograd)]
    with tg.install_as_torch() as torch:
        assert torch.__version__.startswith("2.") and compat.installed()
        importlib.import_module("torch.nn")
        assert importlib.util.find_spec("torch.nn") is not None
    assert names() == before and tg.__version__ == own and not compat.installed()
    assert answers == [vars(module).get("__getattr__") for module in (tg, tg.nn, tg.autograd)]
    with pytest.raises(AttributeError, match="module 'tinygrad_edu' has no attribute 'nope'"):
        _ = tg.nope


def test_a_torch_that_is_loaded_is_put_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    real, part = ModuleType("torch"), ModuleType("torch.part")
    for name in names():
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", real)
    monkeypatch.setitem(sys.modules, "torch.part", part)
    with tg.install_as_torch():
        assert sys.modules["torch"] is tg and "torch.part" not in sys.modules
    assert names() == {"torch": real, "torch.part": part}


def test_installing_twice_is_installing_once(torch: ModuleType) -> None:
    with tg.install_as_torch() as again:
        assert again is torch
    assert compat.installed()  # the first block has not ended
    tg.uninstall_as_torch()
    tg.uninstall_as_torch()
    assert not compat.installed()


def test_pickles_of_a_program_can_be_read_without_the_name(torch: ModuleType) -> None:
    sent = pickle.dumps([torch.ones(2), torch.float32, torch.device("cpu"), torch.nn.Module()])
    tg.uninstall_as_torch()
    ones, kind, place, module = pickle.loads(sent)
    assert ones.tolist() == [1, 1] and kind is tg.float32 and place == tg.device("cpu")
    assert type(module) is tg.nn.Module


def test_the_real_torch_is_not_touched() -> None:
    pytest.importorskip("torch", reason="the real PyTorch is to be seen again afterwards")
    code = (
        "import tinygrad_edu, sys, torch as real\n"
        "with tinygrad_edu.install_as_torch():\n"
        "    import torch, torch.nn\n"
        "    assert torch is tinygrad_edu\n"
        "import torch, torch.nn\n"
        "assert torch is real and torch.nn.Linear(2, 3)(torch.ones(1, 2)).shape == (1, 3)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


# --- what is missing ---------------------------------------------------------------------------------------------------------


def here() -> str:
    """This file as messages show it."""
    return Path(__file__).name


def test_a_missing_attribute(torch: ModuleType) -> None:
    with pytest.raises(MissingAttribute) as error:
        _ = torch.nn.functional.sofmax
    line = error.traceback[0].lineno + 1
    said = str(error.value)
    assert said.startswith("tinygrad_edu has no torch.nn.functional.sofmax (asked for in ")
    assert said.endswith(f"{here()}, line {line}); the nearest is torch.nn.functional.softmax")
    assert not hasattr(torch, "sofmax") and getattr(torch.nn, "sofmax", 3) == 3


def test_the_nearest_may_live_elsewhere(torch: ModuleType) -> None:
    with pytest.raises(AttributeError, match=r"nearest is torch\.nn\.functional\.softplus"):
        _ = torch.softplus
    with pytest.raises(AttributeError, match=r"no torch\.autograd\.relu .* nearest is torch\.relu"):
        _ = torch.autograd.relu
    with pytest.raises(AttributeError) as error:
        _ = torch.qqqqqqqq
    assert "nearest" not in str(error.value)


def test_a_missing_import(torch: ModuleType) -> None:
    with pytest.raises(MissingImport, match=rf"torch\.nn\.Nothing \(asked for in .*{here()}, line \d+\)"):
        from torch.nn import Nothing  # noqa: F401
    with pytest.raises(MissingModule, match=rf"torch\.nothing\.at_all|torch\.nothing .*{here()}"):
        import torch.nothing.at_all  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match="tensorboardX"):
        from torch.utils.tensorboard import SummaryWriter  # noqa: F401
    with pytest.raises(ImportError, match="quantized tensors"):
        from torch import quantization  # noqa: F401


def test_asking_for_a_module_is_no_error(torch: ModuleType) -> None:
    assert importlib.util.find_spec("torch.nothing") is None
    assert importlib.util.find_spec("torch.nn.functional") is not None


# --- versions ------------------------------------------------------------------------------------------------------------------


def test_versions_compare_by_number() -> None:
    v = TorchVersion("2.13.0+tinygrad")
    assert v > "1.9" and v >= "2.2.0" and v < "2.13.1" and v >= (2, 13) and v < (3,) and v != "2.13"
    assert v.split(".")[:2] == ["2", "13"] and v == "2.13.0+tinygrad" and hash(v) == hash(str(v))


# --- names that are answered ---------------------------------------------------------------------------------------------------


def test_modules_that_are_imported_and_not_needed() -> None:
    for name in (
        "accelerator amp amp.autocast_mode amp.grad_scaler backends backends.cuda backends.cudnn backends.mkl "
        "backends.mkldnn backends.mps backends.openmp compiler cuda cuda.amp cuda.amp.autocast_mode "
        "cuda.amp.grad_scaler cuda.nvtx distributed fx hub jit jit.annotations multiprocessing nn.parallel "
        "nn.parallel.distributed onnx profiler types version"
    ).split():
        assert importlib.import_module(f"tinygrad_edu.{name}").__doc__


@pytest.mark.skipif(tg.cuda.is_available(), reason="there is a GPU")
def test_cuda_answers_honestly_without_a_gpu() -> None:
    assert tg.cuda.device_count() == 0 and not tg.cuda.is_initialized() and not tg.accelerator.is_available()
    assert tg.cuda.memory_allocated() == tg.cuda.max_memory_reserved() == 0
    tg.cuda.manual_seed(1), tg.cuda.manual_seed_all(1), tg.cuda.empty_cache(), tg.cuda.reset_peak_memory_stats()
    assert tg.cuda.get_rng_state_all() == [] and tg.accelerator.current_accelerator() is None
    with tg.cuda.device(None):
        pass
    for ask in (tg.cuda.synchronize, tg.cuda.current_device, tg.cuda.get_device_name, tg.cuda.Stream, tg.cuda.Event):
        with pytest.raises(RuntimeError, match="asked for device 'cuda'"):
            ask()
    assert not isinstance(tg.ones(1), tg.cuda.FloatTensor)


def test_tensor_classes() -> None:
    x = tg.FloatTensor([[1, 2]])
    assert x.dtype is tg.float32 and x.shape == (1, 2) and tg.LongTensor(2, 3).shape == (2, 3)
    assert isinstance(x, tg.FloatTensor) and isinstance(x, tg.Tensor) and not isinstance(x, tg.DoubleTensor)
    assert x.type(tg.LongTensor).dtype is tg.int64 and x.type("torch.DoubleTensor").dtype is tg.float64
    assert tg.typename(x) == "torch.FloatTensor" and tg.typename(3) == "int"
    assert tg.is_tensor(x) and not tg.is_tensor([1])
    assert repr(tg.ByteTensor) == "<class 'torch.ByteTensor'>"


def test_the_default_tensor_type() -> None:
    try:
        tg.set_default_tensor_type("torch.DoubleTensor")
        assert tg.ones(1).dtype is tg.float64
        tg.set_default_tensor_type(tg.FloatTensor)
        assert tg.ones(1).dtype is tg.float32
        for wrong in ("torch.NoTensor", int, tg.LongTensor):
            with pytest.raises(TypeError):
                tg.set_default_tensor_type(wrong)
    finally:
        tensor_types.set_default_tensor_type(tg.Tensor)


def test_threads() -> None:
    before = threads.get_num_threads()
    try:
        tg.set_num_threads(1)
        assert tg.get_num_threads() == 1
        with pytest.raises(RuntimeError):
            tg.set_num_threads(0)
        with pytest.raises(TypeError):
            tg.set_num_threads(1.5)
    finally:
        tg.set_num_threads(before)


def test_compilers_change_no_result() -> None:
    def f(x: tg.Tensor) -> tg.Tensor:
        return x

    assert tg.compile(f)(tg.ones(2)).tolist() == tg.compile(mode="max-autotune")(f)(tg.ones(2)).tolist() == [1, 1]
    model = tg.nn.Linear(2, 2)
    assert tg.compile(model) is model
    assert tg.jit.script(f) is f and tg.jit.trace(f, tg.ones(1)) is f and tg.jit.ignore(f) is f
    assert tg.jit.ignore(drop=True)(f) is f and tg.jit.wait(tg.jit.fork(f, 3)) == 3
    assert not tg.jit.is_scripting() and not tg.compiler.is_compiling()
    for refused in (tg.jit.load, tg.onnx.export):
        with pytest.raises(NotImplementedError):
            refused("file")


def test_switches_are_remembered() -> None:
    tg.use_deterministic_algorithms(True, warn_only=True)
    assert tg.are_deterministic_algorithms_enabled() and tg.get_deterministic_debug_mode() == 1
    tg.set_deterministic_debug_mode("default")
    assert not tg.are_deterministic_algorithms_enabled()
    tg.set_float32_matmul_precision("high")
    assert tg.get_float32_matmul_precision() == "high"
    tg.set_float32_matmul_precision("highest")
    with pytest.raises(RuntimeError):
        tg.set_float32_matmul_precision("low")
    with tg.backends.cudnn.flags(benchmark=True):
        assert tg.backends.cudnn.benchmark
    assert not tg.backends.cudnn.benchmark and not tg.backends.mps.is_available()


# --- mixed precision -----------------------------------------------------------------------------------------------------------


def test_autocast_keeps_the_dtype_and_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("tinygrad_edu.amp.autocast_mode"), "_said", False)
    with tg.autocast("cpu", dtype=tg.float32), tg.autocast("cuda", enabled=False):
        pass
    with pytest.warns(UserWarning, match="nothing is computed in torch.bfloat16"), tg.autocast("cpu"):
        assert tg.get_autocast_dtype("cpu") is tg.bfloat16
    with tg.autocast("cpu", dtype=tg.float16):
        assert tg.is_autocast_enabled("cpu") and not tg.is_autocast_enabled("cuda")
        assert (tg.ones(2, 2) @ tg.ones(2, 2)).dtype is tg.float32
        with tg.autocast("cpu", enabled=False):
            assert not tg.is_autocast_enabled("cpu")
    assert not tg.is_autocast_enabled("cpu")
    assert tg.cuda.amp.autocast()(lambda: tg.is_autocast_enabled())()
    with pytest.raises(ValueError):
        tg.autocast(0)


class Steps:
    """An optimizer of one parameter that adds its gradient."""

    def __init__(self) -> None:
        self.w = tg.tensor([1.0], requires_grad=True)
        self.param_groups = [{"params": [self.w]}]

    def step(self) -> None:
        """`w += w.grad`."""
        with tg.no_grad():
            self.w += self.w.grad


def test_the_scaler_does_its_arithmetic() -> None:
    optimizer, scaler = Steps(), tg.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
    for expected in (8.0, 16.0):
        optimizer.w.grad = None
        scaler.scale(optimizer.w * 3).backward()
        scaler.unscale_(optimizer)
        assert optimizer.w.grad.item() == 3
        with pytest.raises(RuntimeError, match="already been called"):
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        assert scaler.get_scale() == expected
    assert optimizer.w.item() == 7
    optimizer.w.grad = tg.tensor([float("inf")])
    scaler.step(optimizer)
    scaler.update()
    assert optimizer.w.item() == 7 and scaler.get_scale() == 8  # the step was left out
    other = tg.amp.GradScaler("cpu")
    other.load_state_dict(scaler.state_dict())
    assert other.get_scale() == 8
    with pytest.raises(RuntimeError, match="No inf checks"):
        scaler.update()


@pytest.mark.skipif(tg.cuda.is_available(), reason="there is a GPU")
def test_a_scaler_for_a_gpu_rests_without_one() -> None:
    scaler, optimizer = tg.cuda.amp.GradScaler(), Steps()
    assert not scaler.is_enabled() and scaler.get_scale() == 1 and scaler.state_dict() == {}
    loss = optimizer.w * 2
    assert scaler.scale(loss) is loss
    loss.backward()
    scaler.step(optimizer)
    scaler.update()
    assert optimizer.w.item() == 3


# --- one process, one device ---------------------------------------------------------------------------------------------------


def test_a_group_of_one() -> None:
    d = tg.distributed
    assert d.is_available() and not d.is_initialized()
    with pytest.raises(ValueError, match="not been initialized"):
        d.get_rank()
    with pytest.raises(NotImplementedError, match="4 processes"):
        d.init_process_group("gloo", world_size=4, rank=0)
    d.init_process_group("gloo", world_size=1, rank=0)
    try:
        x, got = tg.tensor([1.0, 2.0]), [tg.zeros(2)]
        assert d.get_rank() == 0 and d.get_world_size() == 1 and d.get_backend() == "gloo"
        d.all_reduce(x, op=d.ReduceOp.SUM)
        d.broadcast(x, src=0)
        d.all_gather(got, x)
        d.barrier()
        assert x.tolist() == got[0].tolist() == [1, 2] and d.all_reduce(x, async_op=True).wait()
        with pytest.raises(ValueError, match="twice"):
            d.init_process_group("gloo")
    finally:
        d.destroy_process_group()
    assert not d.is_initialized()


class Doubled(tg.nn.Module):
    """`2 w x`."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = tg.nn.Parameter(tg.ones(1))

    def forward(self, x: tg.Tensor, times: int = 2) -> tg.Tensor:
        return x * self.weight * times


@pytest.mark.parametrize("wrapper", [tg.nn.DataParallel, tg.nn.parallel.DistributedDataParallel])
def test_wrappers_hand_on(wrapper: type) -> None:
    wrapped = wrapper(Doubled())
    assert wrapped(tg.ones(2)).tolist() == [2, 2] and wrapped(tg.ones(2), times=3).tolist() == [3, 3]
    assert list(wrapped.state_dict()) == ["module.weight"]
    assert tg.nn.parallel.data_parallel(wrapped.module, tg.ones(1)).item() == 2


def test_the_profiler_times_blocks(tmp_path: Path) -> None:
    p = tg.profiler
    with p.profile(activities=[p.ProfilerActivity.CPU]) as seen:
        for _ in range(3):
            with p.record_function("block"):
                pass
            seen.step()
    (block,) = seen.key_averages()
    assert block.key == "block" and block.count == 3 and "block" in seen.key_averages().table(sort_by="cpu_time_total")
    seen.export_chrome_trace(str(tmp_path / "trace.json"))
    assert (tmp_path / "trace.json").exists()
    actions = [p.schedule(wait=1, warmup=1, active=2, repeat=1)(step).name for step in range(5)]
    assert actions == ["NONE", "WARMUP", "RECORD", "RECORD_AND_SAVE", "NONE"]


def test_a_hub_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "hubconf.py").write_text("def net(n=1):\n    'A net.'\n    return n\n_hidden = len\n")
    folder = str(tmp_path)
    assert tg.hub.load(folder, "net", source="local", n=4) == 4
    assert tg.hub.list(folder, source="local") == ["net"] and tg.hub.help(folder, "net", source="local") == "A net."
    with pytest.raises(RuntimeError, match="Cannot find callable"):
        tg.hub.load(folder, "nothing", source="local")
    with pytest.raises(NotImplementedError, match="clone"):
        tg.hub.load("somebody/something", "net")


def test_hub_downloads_whole_files(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"weights")
    tg.hub.download_url_to_file(source.as_uri(), str(target))
    assert target.read_bytes() == b"weights"
    with pytest.raises(RuntimeError, match="invalid hash"):
        tg.hub.download_url_to_file(source.as_uri(), str(tmp_path / "other"), hash_prefix="00000000")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["source", "target"]


def test_hub_checks_the_hash_that_a_name_gives(tmp_path: Path) -> None:
    for name in ("net-0badc0de.pt", "net-final.pt"):
        tg.save({"x": tg.ones(2)}, tmp_path / name)
    (tmp_path / "kept").mkdir()

    def load(name: str) -> dict:
        folder = str(tmp_path / "kept")
        return tg.hub.load_state_dict_from_url((tmp_path / name).as_uri(), model_dir=folder, check_hash=True)

    assert load("net-final.pt")["x"].tolist() == [1, 1]  # no hash
    with pytest.raises(RuntimeError, match=r'invalid hash value .expected "0badc0de"'):
        load("net-0badc0de.pt")


def test_comparing_tensors() -> None:
    close = tg.testing.assert_close
    x = tg.tensor([1.0, 2.0, float("nan")])
    close(x, x.clone(), equal_nan=True)
    close({"a": [1.0, tg.ones(2)]}, {"a": [1.0 + 1e-9, tg.ones(2)]})
    close(tg.tensor([1, 2]), tg.tensor([1, 2]))
    close(tg.ones(0), tg.ones(0))
    for wrong, text in (
        ((x, x), "Mismatched elements: 1 / 3"),
        ((tg.ones(2), tg.ones(3)), "shape"),
        ((tg.ones(2), tg.ones(2).double()), "dtype"),
        ((tg.ones(2), tg.tensor([1, 1.1])), r"at index \(1,\)"),
        (([tg.ones(2), tg.zeros(2)], [tg.ones(2), tg.ones(2)]), r"item \[1\]"),
        ((tg.tensor([1, 2**60]), tg.tensor([1, 2**60 + 1])), "1 / 2"),
        ((True, False), "Mismatched"),
        (({"a": 1}, {"b": 1}), "keys"),
        ((3, tg.ones(1)), "compared"),
    ):
        with pytest.raises(AssertionError, match=text):
            close(*wrong)
    with pytest.raises(ValueError):
        close(1.0, 1.0, rtol=1.0)
    close(1.0, 1.5, rtol=0, atol=0.5)
    made = tg.testing.make_tensor((3, 4), dtype=tg.float64, low=-1, high=1, requires_grad=True)
    assert made.shape == (3, 4) and made.requires_grad and made.abs().max().item() <= 1
    assert tg.testing.make_tensor(5, dtype=tg.int32).dtype is tg.int32
    assert tg.testing.make_tensor(5, dtype=tg.complex64).dtype is tg.complex64


def test_functions_beside_methods() -> None:
    x = tg.tensor([[1.0, 2.0]], requires_grad=True)
    assert tg.numel(x) == 2 and tg.is_signed(x) and not tg.is_inference(x) and not tg.is_storage(x)
    assert not tg.detach(x).requires_grad and tg.get_device(x) == -1
    assert tg.result_type(tg.ones(1, dtype=tg.int32), 1.5) is tg.float32
    assert tg.result_type(tg.ones(1, dtype=tg.int32), tg.ones(1, dtype=tg.int64)) is tg.int64
    with pytest.warns(UserWarning, match="arange"):
        assert tg.range(1, 2, 0.5).tolist() == [1.0, 1.5, 2.0]
    assert tg.inf > 1 and tg.nan != tg.nan and tg.newaxis is None


def test_places_of_other_names(torch: ModuleType) -> None:
    from torch.autograd.profiler import profile, record_function
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.dlpack import from_dlpack, to_dlpack
    from torch.utils.model_zoo import load_url

    with profile(use_cuda=False) as seen, record_function("block"), sdpa_kernel([SDPBackend.MATH]):
        pass
    assert [block.key for block in seen.key_averages()] == ["block"] and callable(load_url)
    assert from_dlpack(to_dlpack(torch.ones(2))).tolist() == [1, 1]
    assert torch.cpu.is_available() and not torch.mps.is_available() and not torch.xpu.is_available()
