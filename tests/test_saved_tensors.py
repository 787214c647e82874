"""Blocks in which a program's own functions keep what is saved for the way back: on disk, shortened, elsewhere."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
from both_engines import Scenarios, raised

import tinygrad_edu as tg

scenario = Scenarios()


def network(t: Any) -> tuple[Any, Any]:
    """A loss of ops of every kind, of a `Function` too, and its input."""

    class Square(t.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            y = x * x
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, y = ctx.saved_tensors
            return g * (x + y / x)

    x = t.arange(1.0, 9.0, dtype=t.float64).view(2, 4).div(8).requires_grad_()
    weight = t.arange(12.0, dtype=t.float64).view(4, 3).sin()

    def loss() -> Any:
        h = (x @ weight).tanh()
        h = t.cat([h, h.exp(), Square.apply(h)], 1)
        largest = (h.max(1)[0] * t.tensor([1.0, 2.0], dtype=t.float64)).sum()
        return (
            largest
            + t.nn.functional.cross_entropy(h, t.tensor([0, 1]))
            + t.nn.functional.layer_norm(h, (9,)).exp().sum()
        )

    return loss, x


@scenario
def gradients_of_what_was_kept_on_disk(t):
    import tempfile
    from pathlib import Path

    loss, x = network(t)
    (expected,) = t.autograd.grad(loss(), x)
    with tempfile.TemporaryDirectory() as place:
        files = []

        def pack(tensor):
            files.append(Path(place) / f"{len(files)}.pt")
            t.save(tensor, files[-1])
            return files[-1]

        with t.autograd.graph.saved_tensors_hooks(pack, t.load):
            value = loss()
        (found,) = t.autograd.grad(value, x)
    return bool(t.allclose(found, expected)), len(files) > 5, raised(value.backward)


@scenario
def second_derivatives(t):
    loss, x = network(t)
    found = []
    for copied in (False, True):
        with t.autograd.graph.saved_tensors_hooks(lambda v, copied=copied: v.clone() if copied else v, lambda v: v):
            value = loss()
        (slope,) = t.autograd.grad(value, x, create_graph=True)
        found.append(t.autograd.grad(slope.pow(2).sum(), x)[0])
    return bool(t.allclose(*found))


@scenario
def the_inner_of_two_blocks_counts(t):
    log = []

    def block(name):
        return t.autograd.graph.saved_tensors_hooks(lambda v: (log.append(name), v)[1], lambda v: v)

    x = t.ones(2, requires_grad=True)
    with block("outer"):
        with block("inner"):
            x.exp()
        x.exp()
        with t.no_grad():
            x.exp()
    x.exp()
    return log


@scenario
def mistakes_of_the_functions(t):
    hooks = t.autograd.graph.saved_tensors_hooks
    x = t.ones(2, requires_grad=True)
    with hooks(lambda v: v, lambda v: "no tensor"):
        y = x.exp().sum()
    with hooks(lambda v: 1 / 0, lambda v: v):
        packing = raised(x.exp)
    return packing, raised(y.backward)


def in_place(t: Any) -> tuple[Any, list[Any]]:
    """A sum of what was written over again and again, and its inputs."""
    x, w = (t.tensor([0.1, 0.2, 0.3], requires_grad=True) for _ in range(2))
    y = x * 2
    y.mul_(w)
    y[:2].mul_(w[1:])
    y.tanh_()
    return y.sum(), [x, w]


@scenario
def writes_in_place(t):
    """What is written over by the operation itself was kept before."""
    with t.autograd.graph.saved_tensors_hooks(lambda v: v, lambda v: v):
        made = in_place(t)
    return [[round(v, 6) for v in g.tolist()] for g in t.autograd.grad(*made)]


@scenario
def blocks_may_be_forbidden(t):
    graph = t.autograd.graph

    def enter():
        with graph.saved_tensors_hooks(lambda v: v, lambda v: v):
            pass

    with graph.disable_saved_tensors_hooks("not in here"):
        inside = raised(enter)
    return inside, raised(enter)


@scenario
def on_the_host(t):
    x = t.tensor([1.0, 2.0], requires_grad=True)
    with t.autograd.graph.save_on_cpu(pin_memory=False):
        y = (x * x).sum()
    y.backward()
    return x.grad.tolist()


test_same_as_pytorch = scenario.test()


def test_gradients_are_the_same_here_without_pytorch():
    assert gradients_of_what_was_kept_on_disk(tg) == (True, True, "RuntimeError")
    assert second_derivatives(tg)
    assert the_inner_of_two_blocks_counts(tg) == ["inner", "outer"]
    assert on_the_host(tg) == [2.0, 4.0]
    expected = tg.autograd.grad(*in_place(tg))
    with tg.autograd.graph.saved_tensors_hooks(lambda v: v, lambda v: v):
        found = in_place(tg)
    assert all(a.equal(b) for a, b in zip(tg.autograd.grad(*found), expected, strict=True))


def test_the_values_themselves_are_let_go():
    x = tg.rand(1000, requires_grad=True)
    with tg.autograd.graph.saved_tensors_hooks(lambda v: v.half(), lambda v: v.float()):
        y = (x * tg.rand(1000)).exp()
        kept = weakref.ref(y.array)
        y = y.sum()
    assert kept() is None
    y.backward()
    assert x.grad.isfinite().all() and x.grad.min() > 0


def test_anomaly_mode_goes_on_inside():
    x = tg.tensor([1.0, 0.0], requires_grad=True)
    with tg.autograd.detect_anomaly(), tg.autograd.graph.saved_tensors_hooks(lambda v: v, lambda v: v):
        y = (x.log() * 0).sum()
        with pytest.raises(RuntimeError, match="test_saved_tensors"):
            y.backward()


def test_an_unpack_that_answers_no_tensor_is_told():
    x = tg.ones(2, requires_grad=True)
    with tg.autograd.graph.saved_tensors_hooks(lambda v: v, lambda v: 3):
        y = x.exp().sum()
    with pytest.raises(TypeError, match=r"got result of type int; write unpack so that unpack\(pack\(x\)\) equals x"):
        y.backward()
