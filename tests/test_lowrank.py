"""Singular values by a random sample: of a matrix of low rank they are exact."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_edu as tg


@pytest.mark.parametrize("shape", [(12, 7), (7, 12), (2, 9, 9)])
def test_a_matrix_of_low_rank(shape: tuple[int, ...]) -> None:
    tg.manual_seed(0)
    *batch, m, n = shape
    A = tg.randn(*batch, m, 3, dtype=tg.float64) @ tg.randn(*batch, 3, n, dtype=tg.float64)
    U, S, V = tg.svd_lowrank(A, q=3)
    np.testing.assert_allclose((U * S.unsqueeze(-2) @ V.mT).array, A.array, atol=1e-10)
    np.testing.assert_allclose(S.array, np.linalg.svd(A.array)[1][..., :3], rtol=1e-10)


def test_principal_directions() -> None:
    tg.manual_seed(0)
    A = tg.randn(20, 2, dtype=tg.float64) @ tg.randn(2, 5, dtype=tg.float64) + 7.0
    _, S, _ = tg.pca_lowrank(A, q=2)
    centred = A.array - A.array.mean(0)
    np.testing.assert_allclose(S.array, np.linalg.svd(centred)[1][:2], rtol=1e-10)
    _, S, _ = tg.pca_lowrank(A, q=2, center=False)
    assert S.array[0] > np.linalg.svd(centred)[1][0]
    with pytest.raises(ValueError, match="must be non-negative integer"):
        tg.pca_lowrank(A, q=6)
