"""Matrix products in smaller dtypes on a GPU: `autocast`, TF32, and the scaler of gradients, on the strict stand-in or a GPU."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import standin

import tinygrad_edu as tg
from tinygrad_edu import devices, nn, optim
from tinygrad_edu import random as tg_random
from tinygrad_edu.op import OPS
from tinygrad_edu.promotion import AUTOCAST, casting

F = nn.functional
matmul = tg.backends.cuda.matmul


@pytest.fixture(autouse=True)
def _nothing_stays_switched() -> Iterator[None]:
    yield
    assert devices.products == "DEFAULT" and casting == []


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tg_random, "_on_gpu", {})
    with standin.device():
        yield


def draw(*shape: int) -> Any:
    return tg.randn(*shape).to("cuda")


def host(t: Any) -> np.ndarray:
    return t.detach().cpu().numpy()


# --- autocast to float16 -----------------------------------------------------------------------------------------------------

PRODUCTS: dict[str, Callable] = {
    "matmul": lambda x: x @ x,
    "bmm": lambda x: tg.bmm(x[None], x[None]),
    "addmm": lambda x: tg.addmm(x[0], x, x),
    "einsum": lambda x: tg.einsum("ij,jk->ik", x, x),
    "linear": lambda x: F.linear(x, x, x[0]),
    "conv1d": lambda x: F.conv1d(x[None], x[:2, :, None], x[0, :2]),
    "conv_transpose1d": lambda x: F.conv_transpose1d(x[None], x[:, :2, None]),
    "attention": lambda x: F.scaled_dot_product_attention(x[None], x[None], x[None]),
    "out of place, by keyword": lambda x: tg.matmul(input=x, other=x),
}
WIDE: dict[str, Callable] = {
    "softmax": lambda x: x.softmax(-1),
    "log_softmax": lambda x: F.log_softmax(x, 0),
    "exp": lambda x: x.exp(),
    "sum": lambda x: x.sum(),
    "pow": lambda x: x**2,
    "norm": lambda x: x.norm(),
    "layer_norm": lambda x: F.layer_norm(x, x.shape[-1:]),
    "group_norm": lambda x: F.group_norm(x[None], 2),
    "cross_entropy": lambda x: F.cross_entropy(x, tg.zeros(6, dtype=tg.int64, device="cuda")),
    "mse_loss": lambda x: F.mse_loss(x, x),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_are_computed_in_float16(name: str, on_device: str) -> None:
    x = draw(6, 6).requires_grad_()
    exact = PRODUCTS[name](x)
    with tg.autocast("cuda"):
        out = PRODUCTS[name](x)
    assert out.dtype is tg.float16 and exact.dtype is tg.float32
    np.testing.assert_allclose(host(out), host(exact), rtol=2e-2, atol=2e-2)
    (expected,) = tg.autograd.grad(exact.sum(), x)
    out.float().sum().backward()
    assert x.grad.dtype is tg.float32  # the parameter's own
    np.testing.assert_allclose(host(x.grad), host(expected), rtol=3e-2, atol=3e-2)


@pytest.mark.parametrize("name", WIDE)
def test_what_loses_too_much_is_computed_in_float32(name: str, on_device: str) -> None:
    x = draw(6, 6).half()
    with tg.autocast("cuda"):
        out = WIDE[name](x)
    assert out.dtype is tg.float32
    np.testing.assert_allclose(host(out), host(WIDE[name](x.float())), rtol=1e-6, atol=1e-6)


def test_the_rest_takes_what_comes(on_device: str) -> None:
    x, y = draw(3, 4), draw(3, 4).half()
    with tg.autocast("cuda"):
        assert tg.relu(y).dtype is tg.float16 and tg.relu(x).dtype is tg.float32
        assert (x + y).dtype is tg.float32 and tg.cat([x, y]).dtype is tg.float32
        assert (x.double() @ x.double().mT).dtype is tg.float64  # never cast, as in PyTorch
        assert nn.BatchNorm1d(4).to("cuda")(y).dtype is tg.float16


def test_every_name_in_the_table_is_an_operation_that_looks() -> None:
    assert set(AUTOCAST) <= set(OPS)
    for name in ("matmul", "linear", "softmax"):
        tg.ones(2, 2) @ tg.ones(2, 2), F.linear(tg.ones(2, 2), tg.ones(2, 2)), tg.ones(2, 2).softmax(0)
        assert "if casting:" in OPS[name].source
    tg.relu(tg.ones(2))
    assert "casting" not in OPS["relu"].source, "operations that are not in the table pay nothing"


def test_sums_of_float16_products_are_float32(on_device: str) -> None:
    """4096 products of 1 and 2⁻¹¹·1.5: in float16 the sum would stand still at 2."""
    x = tg.full((1, 4096), 1.0, device="cuda")
    y = tg.full((4096, 1), 1.5 * 2**-11, device="cuda")
    with tg.autocast("cuda"):
        assert (x @ y).item() == 3.0


def test_blocks_are_nested_per_thread_and_per_device(on_device: str) -> None:
    x, here = draw(2, 2), tg.ones(2, 2)
    seen = []
    with tg.autocast("cuda"):
        with tg.autocast("cuda", enabled=False):
            assert (x @ x).dtype is tg.float32 and not tg.is_autocast_enabled("cuda")
        assert (x @ x).dtype is tg.float16 and tg.get_autocast_dtype("cuda") is tg.float16
        assert (here @ here).dtype is tg.float32, "on a CPU nothing is cast"
        other = threading.Thread(target=lambda: seen.append((x @ x).dtype))
        other.start()
        other.join()
    assert seen == [tg.float32] and (x @ x).dtype is tg.float32


def test_a_function_of_ones_own_can_ask_for_a_dtype(on_device: str) -> None:
    class Doubled(tg.autograd.Function):
        @staticmethod
        @tg.amp.custom_fwd(device_type="cuda", cast_inputs=tg.float32)
        def forward(ctx: Any, x: Any) -> Any:
            assert x.dtype is tg.float32 and not tg.is_autocast_enabled("cuda")
            return x + x

        @staticmethod
        @tg.amp.custom_bwd(device_type="cuda")
        def backward(ctx: Any, g: Any) -> Any:
            return g + g

    with tg.autocast("cuda"):
        assert Doubled.apply(draw(2).half()).dtype is tg.float32
    with pytest.raises(AssertionError):
        Doubled.apply(draw(2).half())


# --- rounding inside float32 products: TF32 by a flag, and in the blocks of autocast ---------------------------------------------


def tf32(x: Any) -> Any:
    """The nearest numbers whose fractions have 10 bits."""
    mantissa, exponent = np.frexp(x.numpy().astype(np.float64))
    return np.ldexp(np.round(mantissa * 2.0**11) / 2.0**11, exponent)


@pytest.mark.parametrize("batch", [(), (3,)])
@pytest.mark.parametrize("by", ["flag", "bfloat16"])
def test_products_of_rounded_float32(by: str, batch: tuple[int, ...], stand_in: None) -> None:
    x, y = tg.randn(*batch, 5, 7), tg.randn(*batch, 7, 4)
    if by == "bfloat16":
        with tg.autocast("cuda", dtype=tg.bfloat16):
            out = x.to("cuda") @ y.to("cuda")
    else:
        matmul.allow_tf32 = True
        out = x.to("cuda") @ y.to("cuda")
        matmul.allow_tf32 = False
    assert out.dtype is tg.float32
    np.testing.assert_allclose(host(out), tf32(x) @ tf32(y), rtol=1e-5, atol=1e-6)
    assert np.abs(host(out) - (x @ y).numpy()).max() > 1e-5
    np.testing.assert_allclose(host(x.to("cuda") @ y.to("cuda")), (x @ y).numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch", [(), (3,)])
def test_products_on_a_gpu_are_as_exact_as_was_asked(batch: tuple[int, ...], on_device: str) -> None:
    """float32's fraction ends at 2⁻²⁴, TF32's at 2⁻¹¹; a GPU of before 2020 has none."""
    x, y = tg.randn(*batch, 64, 64), tg.randn(*batch, 64, 64)
    exact = x.double().numpy() @ y.double().numpy()
    off = []
    for allowed in (False, True):
        matmul.allow_tf32 = allowed
        off.append(np.abs(host(x.to("cuda") @ y.to("cuda")) - exact).max())
    matmul.allow_tf32 = False
    assert off[0] < 1e-4 and off[1] < 5e-2
    assert off[1] > 1e-4 or not tg.cuda.is_tf32_supported()


def test_tf32_by_all_its_names(stand_in: None) -> None:
    def rounding() -> bool:
        assert len(set(standin.rounds.values())) == 1, "products of two and of batches alike"
        return standin.rounds["batches"]

    assert not matmul.allow_tf32 and tg.get_float32_matmul_precision() == "highest"
    matmul.allow_tf32 = True
    assert rounding() and tg.get_float32_matmul_precision() == "high"
    matmul.fp32_precision = "ieee"
    assert not rounding() and not matmul.allow_tf32
    tg.set_float32_matmul_precision("medium")
    assert matmul.allow_tf32 and matmul.fp32_precision == "tf32" and tg.get_float32_matmul_precision() == "medium"
    tg.set_float32_matmul_precision("highest")
    assert not rounding()
    with pytest.raises(RuntimeError, match="'ieee', 'tf32'"):
        matmul.fp32_precision = "fp8"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("allowed", [False, True])
def test_blocks_round_and_what_is_around_them_does_as_the_program_allows(
    dtype: str, allowed: bool, stand_in: None
) -> None:
    matmul.allow_tf32 = allowed
    seen = []
    with tg.autocast("cuda", dtype=getattr(tg, dtype)):
        seen.append(standin.rounds["batches"])
        with tg.autocast("cuda", enabled=False):
            seen.append(standin.rounds["batches"])
        seen.append(standin.rounds["batches"])
    assert seen == [True, allowed, True] and standin.rounds["batches"] == matmul.allow_tf32 == allowed
    matmul.allow_tf32 = False


def test_what_was_asked_before_the_first_use_of_a_gpu(monkeypatch: pytest.MonkeyPatch, stand_in: None) -> None:
    with monkeypatch.context() as here:  # ends before the stand-in does, which it would else bring back
        here.delitem(devices._modules, "cuda")
        matmul.allow_tf32 = True  # nothing is imported for it
        assert "cuda" not in devices._modules
        here.setattr(devices, "_import_cupy", standin._Module)
        draw(2)
        assert all(standin.rounds.values())
        matmul.allow_tf32 = False


def test_cupy_has_the_switches() -> None:
    """The names through which `devices.round_products` reaches CuPy and cuBLAS, and how CuPy says it rounds."""
    cupy = pytest.importorskip("cupy", reason="cupy is not installed: its names are not compared")
    core = cupy._core
    values = {name: int(getattr(core._routines_linalg, f"COMPUTE_TYPE_{name}")) for name in devices.CUBLAS_MATH}
    assert {core._routines_linalg.compute_type_to_str(v) for v in values.values()} == {
        *("COMPUTE_TYPE_DEFAULT", "COMPUTE_TYPE_TF32")
    }
    assert callable(core.set_compute_type) and callable(cupy.cuda.get_cublas_handle)
    try:
        assert callable(cupy.cuda.cublas.setMathMode)
    except ImportError as error:
        pytest.skip(f"cuBLAS is not installed: {error}")


# --- scaled gradients --------------------------------------------------------------------------------------------------------


def test_a_step_with_autocast_and_a_scaler_waits_once(on_device: str) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Dropout(0.2), nn.Linear(8, 3)).to("cuda")
    optimizer, scaler = optim.AdamW(model.parameters(), lr=0.05), tg.amp.GradScaler("cuda", init_scale=1024.0)
    x, y = draw(16, 4), tg.randint(0, 3, (16,), device="cuda")
    losses = []
    for _ in range(20):
        standin.waits.clear()
        optimizer.zero_grad()
        with tg.autocast("cuda"):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        assert standin.waits == ["bool"] * (on_device == "stand-in"), (
            "to leave out a step with inf in it, and for nothing else"
        )
        losses.append(loss.detach())
    assert losses[-1].item() < 0.8 * losses[0].item()


def test_a_step_with_inf_is_left_out(on_device: str) -> None:
    p = draw(3).requires_grad_()
    before = host(p).copy()
    optimizer, scaler = optim.SGD([p], lr=1.0), tg.amp.GradScaler("cuda", init_scale=4.0)
    scaler.scale((p * tg.tensor([1.0, np.inf, 1.0], device="cuda")).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    np.testing.assert_array_equal(host(p), before)
    assert scaler.get_scale() == 2.0
