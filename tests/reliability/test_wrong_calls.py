"""Every public function, called with wrong types, shapes and dtypes, ends in an error that is meant, or in an answer."""

from __future__ import annotations

import importlib.util
import os
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

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a call that does not end is stopped by a signal")


def not_meant(error: Any) -> bool:
    """Whether an exception is Python's or NumPy's complaint about this package's own code."""
    if "write instead" in str(error):
        return False
    return isinstance(error, NEVER) or (isinstance(error, IndexError) and str(error).startswith(RAW))


def as_in_pytorch(place: str, name: str, args: list, options: dict, error: BaseException) -> bool:
    """Whether PyTorch, where it is installed, ends in the same type."""
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    home: Any = torch
    for part in filter(None, place.split(".")):
        home = getattr(home, part)
    theirs = getattr(home, name, None)
    return theirs is not None and type(wrong_calls.outcome(theirs, args, options, torch)) is type(error)


@pytest.mark.parametrize(
    "place",
    ["", "nn.functional", "linalg", "fft", "special", "Tensor", "nn", "nn.init", "nn.utils", "optim", "signal.windows"],
)
def test_no_call_ends_in_a_complaint_about_our_own_code(place: str) -> None:
    wrong, tried = [], 0
    with wrong_calls.limited():
        for home, name, function in wrong_calls.functions():
            for args, options in wrong_calls.calls(home, name, function, times(6, 150)) if home == place else ():
                tried += 1
                error = wrong_calls.outcome(function, args, options, tg)
                if (
                    isinstance(error, BaseException)
                    and not_meant(error)
                    and not as_in_pytorch(place, name, args, options, error)
                ):
                    where = traceback.extract_tb(error.__traceback__)[-1]
                    text = f"{type(error).__name__}: {error} ({os.path.basename(where.filename)}, line {where.lineno})"
                    wrong.append(f"{place}.{name}({', '.join(map(repr, args))}, {options}): {text}")
    tg.manual_seed(0)
    assert tried > 50 and not wrong, f"{len(wrong)} of {tried}\n" + "\n".join(wrong[:20])


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
    ],
)
def test_what_once_gave_an_answer(call: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        call(tg.ones(2, 3))


def test_what_once_failed_and_is_right() -> None:
    assert tg.poisson(tg.tensor(3.0)).shape == () and tg.poisson(tg.ones(2, 2)).shape == (2, 2)
    assert tg.bernoulli(tg.zeros(3), tg.tensor(1.0)).tolist() == [1, 1, 1]
