"""Every public function, called with wrong types, shapes and dtypes, ends in an error that is meant, or in an answer."""

from __future__ import annotations

import os
import pkgutil
import traceback
from typing import Any

import pytest
import wrong_calls
from amount import times

import tinygrad_edu as tg

NEVER = (
    AttributeError, UnboundLocalError, NameError, AssertionError, KeyError, ZeroDivisionError, RecursionError,
    SystemError, StopIteration, UnicodeError, MemoryError, wrong_calls.TooSlow,
)  # fmt: skip
RAW = ("tuple index", "list index", "string index", "pop from", "too many indices", "index 0 is out of bounds for axis")

LOOKED_UP = ("__getitem__", ".pop")  # what they are asked for may not be there
NOT_COMPARED = ("jit", "overrides")  # there is no TorchScript here: programs that name it run as Python

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a call that does not end is stopped by a signal")


def not_meant(name: str, error: Any) -> bool:
    """Whether an exception is Python's or NumPy's complaint about this package's own code."""
    if "write instead" in str(error):
        return False
    if isinstance(error, (AssertionError, KeyError, IndexError)):
        if name.endswith(LOOKED_UP):
            return False
        if " " in str(error):  # a sentence
            return str(error).startswith(RAW)
    return isinstance(error, NEVER)


@pytest.mark.parametrize("place", wrong_calls.PLACES)
def test_no_call_ends_in_a_complaint_about_our_own_code(place: str) -> None:
    wrong, tried = [], 0
    with wrong_calls.limited():
        for _, name, function in wrong_calls.functions([place]):
            for args, options in wrong_calls.calls(place, name, function, times(2, 20)):
                tried += 1
                error = wrong_calls.outcome(tg, place, name, args, options)
                if isinstance(error, BaseException) and not_meant(name, error):
                    where = traceback.extract_tb(error.__traceback__)[-1]
                    text = f"{type(error).__name__}: {error} ({os.path.basename(where.filename)}, line {where.lineno})"
                    wrong.append(f"{place}.{name}({', '.join(map(repr, args))}, {options}): {text}")
    tg.manual_seed(0)
    assert tried and not wrong, f"{len(wrong)} of {tried}\n" + "\n".join(wrong[:20])


@pytest.mark.parametrize("place", [place for place in wrong_calls.PLACES if place not in NOT_COMPARED])
def test_what_pytorch_refuses_is_refused(place: str) -> None:
    pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    with wrong_calls.limited():
        found = [
            call
            for _, name, function in wrong_calls.functions([place])
            for call in wrong_calls.silent(place, name, function, times(2, 10))
        ]
    tg.manual_seed(0)
    assert not found, f"{len(found)} have an answer\n" + "\n".join(found[:20])


def test_every_public_place_is_looked_at() -> None:
    known = {place.rstrip("!").partition(".")[0] for place in wrong_calls.PLACES} | set(wrong_calls.NO_PLACE.split())
    found = {module.name for module in pkgutil.iter_modules(tg.__path__) if not module.name.startswith("_")}
    assert not found - known, f"in neither PLACES nor NO_PLACE: {sorted(found - known)}"


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda x: x.sum(tg.tensor([0, 1])), TypeError),  # an array is no list of dimensions
        (lambda x: x.amin(tg.tensor([], dtype=tg.int64)), TypeError),
        (lambda x: tg.logsumexp(x, tg.ones(0)), TypeError),
        (lambda x: x.fill_(None), TypeError),
        (lambda x: x.exponential_().to(tg.complex64).exponential_(), RuntimeError),
        (lambda x: tg.isin(1, 2), TypeError),
        (lambda x: tg.is_nonzero(None), TypeError),
        (lambda x: tg.is_conj([x]), TypeError),
        (lambda x: tg.nan_to_num(x, tg.ones(2, 3)), TypeError),
        (lambda x: tg.logit(x, tg.ones(2, 3)), TypeError),
        (lambda x: x.float(tg.ones(2)), TypeError),
        (lambda x: x.cpu("cuda"), TypeError),
        (lambda x: tg.mvlgamma(x, 2**40), RuntimeError),
        (lambda x: tg.special.hermite_polynomial_h(x, 2**40), RuntimeError),
        (lambda x: tg.trapezoid(x.sum()), IndexError),
        (lambda x: tg.hinge_embedding_loss(x, x, reduction=3), ValueError),
        (lambda x: tg.nn.functional.instance_norm(x[0]), ValueError),
        (lambda x: tg.linalg.multi_dot("mean"), TypeError),
        (lambda x: tg.linalg.vander(x[0], 2**50), RuntimeError),
        (lambda x: x.softmax((0, 1)), TypeError),
        (lambda x: x.cumprod(None), TypeError),
        (lambda x: x.sum(True), TypeError),
        (lambda x: x.sum(axis=True), TypeError),
        (lambda x: x.max(0, 2.5), TypeError),
        (lambda x: x.max(0, other=x), TypeError),
        (lambda x: tg.histogram(x, 2.5), TypeError),
        (lambda x: tg.full_like(x.half(), 2**40), RuntimeError),
        (lambda x: x.eq(None), TypeError),
        (lambda x: x.float(memory_format=1), TypeError),
        (lambda x: x.is_pinned(x), TypeError),
        (lambda x: x.type(x), TypeError),
        (lambda x: x.to(x, dtype=tg.int64), TypeError),
        (lambda x: x.view(6, dtype=tg.int32), TypeError),
        (lambda x: x.add(x, alpha=1j), RuntimeError),
        (lambda x: tg.isin(x, None), TypeError),
        (lambda x: tg.fft.fftn(x, s=x), TypeError),
        (lambda x: tg.linalg.multi_dot(x), TypeError),
        (lambda x: tg.broadcast_shapes(x), RuntimeError),
        (lambda x: tg.nn.functional.alpha_dropout([1]), TypeError),
        (lambda x: tg.nn.functional.glu(x.long(), 0), NotImplementedError),
        (lambda x: tg.nn.L1Loss(reduce=x), RuntimeError),
        (lambda x: tg.nn.utils.clip_grad_value_(x, "much"), ValueError),
        (lambda x: tg.nn.utils.convert_conv2d_weight_memory_format(x, None), TypeError),
        (lambda x: tg.nn.parameter.UninitializedBuffer().materialize(x), TypeError),
        (lambda x: tg.nn.ReLU().register_state_dict_post_hook(3), TypeError),
        (lambda x: tg.distributions.Normal(x, x).expand(x), TypeError),
        (lambda x: tg.distributions.ExpTransform().with_cache(2), ValueError),
        (lambda x: tg.distributions.ExpTransform().forward_shape(x), TypeError),
        (lambda x: tg.distributions.CumulativeDistributionTransform(x), TypeError),
        (lambda x: tg.optim.SGD([x]).load_state_dict({}), KeyError),
        (lambda x: tg.nn.LazyBatchNorm1d()(x[0]), IndexError),
        # what failed with an AttributeError
        (lambda x: tg.nn.utils.rnn.pack_padded_sequence(0, [1]), TypeError),
        (lambda x: tg.nn.utils.rnn.unpad_sequence(x, None), TypeError),
        (lambda x: tg.utils.data.TensorDataset(x, tg.float32), TypeError),
        (lambda x: tg.func.functional_call(x, {}, ()), TypeError),
        (lambda x: tg.amp.GradScaler(x), TypeError),
        (lambda x: tg.nn.parallel.DistributedDataParallel(x), TypeError),
        (lambda x: tg.nn.RNN(3, 3)(True), TypeError),
        (lambda x: tg.autograd.graph.get_gradient_edge(3), TypeError),
        (lambda x: tg.optim.swa_utils.AveragedModel(x), TypeError),
        (lambda x: tg.nn.utils.stateless.functional_call(tg.nn.ReLU(), "weight", x), ValueError),
        (lambda x: tg.nn.LazyConv1d(3, 2)(2.5, 2), TypeError),
        (lambda x: tg.optim.lr_scheduler.MultiplicativeLR(x, 2.5), TypeError),
    ],
)
def test_what_once_gave_an_answer(call: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        call(tg.ones(2, 3))


def test_what_once_failed_and_is_right() -> None:
    assert tg.poisson(tg.tensor(3.0)).shape == () and tg.poisson(tg.ones(2, 2)).shape == (2, 2)
    assert tg.bernoulli(tg.zeros(3), tg.tensor(1.0)).tolist() == [1, 1, 1]
