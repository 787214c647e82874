"""A composed function that fails names the argument of the wrong kind; one that works is left alone."""

from __future__ import annotations

import copy
import inspect
import pickle
import warnings

import pytest

import tinygrad_edu as tg
from tinygrad_edu.ops.misuse import explained

F = tg.nn.functional


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (
            lambda: tg.linalg.cross(tg.ones(3), 1j),
            r"cross\(\): argument 'other' \(position 2\) must be Tensor, not complex",
        ),
        (lambda: tg.ones(3).cross(None), "argument 'other'.* must be Tensor, not NoneType"),
        (lambda: F.dropout([1]), r"dropout\(\): argument 'input' \(position 1\) must be Tensor, not list"),
        (lambda: tg.linalg.diagonal(tg.ones(3, 3), dim1=2.5), "argument 'dim1'.* must be int, not float"),
        (lambda: F.celu_("mean"), "must be Tensor, not str"),
        (lambda: F.bilinear(tg.ones(2, 3), None, tg.ones(1, 3, 3)), "must be Tensor, not NoneType"),
        (lambda: tg.fft.fft(tg.ones(3), dim="last"), "argument 'dim'.* not str"),
        (lambda: tg.promote_types(tg.ones(2), tg.float32), "must be dtype, not Tensor"),
        (lambda: tg.detach(3), "argument 'input'.* must be Tensor, not int"),
        (lambda: tg.ones(2).bernoulli_(generator=7), "generator"),
        (lambda: tg.ones(2).type_as(3), "'other'.* must be Tensor"),
        (lambda: tg.ones(2).to(other=3), "'other'.* must be Tensor"),
        (lambda: tg.ones(2).view(dtype=(1, 2)), "dtype"),
        (lambda: tg.div(tg.ones(2), None), "must be Tensor, not NoneType"),
        (lambda: F.elu(tg.ones(2), tg.float32), "must be float"),
        (lambda: F.threshold(tg.ones(2), 0, tg.ones(2)), "must be float, not Tensor"),
        (lambda: F.softplus(tg.ones(2), beta=tg.ones(3, 2)), "must be float, not Tensor"),
    ],
)
def test_what_is_said(call, complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        call()


def test_options_may_be_tensors_of_one_number() -> None:
    assert F.elu(-tg.ones(2), tg.tensor(2.0)).tolist() == F.elu(-tg.ones(2), 2.0).tolist()


def test_what_has_no_order_has_no_threshold() -> None:
    x = tg.ones(2, dtype=tg.complex64)
    for activation in (F.leaky_relu, F.hardtanh, F.hardswish, F.hardsigmoid, F.softshrink, F.hardshrink, F.elu, F.selu):
        with pytest.raises(NotImplementedError, match="complex64"):
            activation(x)


def test_errors_of_other_causes_stay_as_they_are() -> None:
    with pytest.raises(AttributeError, match="no attribute 'of_its_own'"):
        explained(lambda x: x.of_its_own)(object())
    with pytest.raises(IndexError, match="Dimension out of range"):
        tg.linalg.vecdot(tg.ones(3), tg.ones(3), dim=4)
    with pytest.raises(TypeError, match="missing"):
        tg.linalg.cross(tg.ones(3))


def test_functions_look_as_before() -> None:
    for function in (F.dropout, tg.linalg.cross, tg.cross, F.celu_, tg.fft.fft, tg.nn.init.ones_):
        assert function.__doc__ and list(inspect.signature(function).parameters)
        assert copy.deepcopy(function) is function
    for function in (F.margin_ranking_loss, tg.linalg.cross, tg.cross, tg.nn.utils.clip_grad_norm_):
        assert pickle.loads(pickle.dumps(function)) is function


def test_warnings_show_the_line_of_the_caller() -> None:
    calls = (lambda: F.softmax(tg.ones(2)), lambda: tg.range(0, 2), lambda: tg.nn.init.kaiming_normal_(tg.empty(0, 2)))
    for call in calls:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            call()
        assert [w.filename for w in seen] == [__file__]


def test_keywords_are_mended_first() -> None:
    double = explained(lambda x, dim: dim, lambda options: options.update(dim=options.pop("axis")))
    assert double(1, axis=2) == 2
