"""Of which kind a value is, as annotations write kinds."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.kinds import fits


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (3, "int"),
        (np.int64(3), "int"),
        (tg.tensor(3), "int"),
        (tg.tensor(2.5), "float"),
        (tg.tensor(3), "float"),
        (2.5, "int | float"),
        (None, "int | None"),
        ((1, 2), "int | Sequence[int]"),
        ([tg.ones(1)], "Sequence[Tensor]"),
        (float, "dtype"),
        (tg.float32, "dtypes.dtype | None"),
        ("cpu", "device | None"),
        (tg.channels_last, "memory_format | None"),
        ("a", "Whatever | None"),
    ],
)
def test_what_fits(value, kind: str) -> None:
    assert fits(value, kind)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (2.5, "int"),
        (True, "int"),
        (tg.tensor(2.5), "int"),
        (tg.tensor(True), "int"),
        (tg.ones(2), "float"),
        ("1", "float"),
        (None, "int"),
        ((1, "a"), "int | Sequence[int]"),
        (tg.ones(2, 2), "Sequence[Tensor]"),
        (str, "dtype"),
        ("channels_last", "memory_format | None"),
    ],
)
def test_what_does_not_fit(value, kind: str) -> None:
    assert not fits(value, kind)


def test_classes_that_the_caller_knows() -> None:
    assert fits(3, "Generator") and fits(3, "Generator", {"Generator": "a name of something else"})
    assert not fits(3, "Generator | None", {"Generator": tg.Generator})
