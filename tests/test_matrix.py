"""Products beyond the table: the forms of einsum, added products, chains, distances, errors."""

import itertools

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.tensor import wrap

rng = np.random.default_rng(0)


def tensors(*shapes: tuple) -> list:
    return [wrap(rng.standard_normal(shape)).requires_grad_() for shape in shapes]


@pytest.mark.parametrize(
    "equation, shapes",
    [
        ("ij->ji", [(2, 3)]),
        ("ij->", [(2, 3)]),
        ("ii", [(3, 3)]),
        ("ii->i", [(3, 3)]),
        ("iij,jj->ij", [(2, 2, 3), (3, 3)]),
        ("ij , jk", [(2, 3), (3, 4)]),
        ("ba,ca", [(2, 3), (4, 3)]),
        ("bij,bjk,bkl->bil", [(2, 3, 4), (2, 4, 5), (2, 5, 2)]),
        ("...ij,...jk->...ik", [(5, 2, 3), (5, 3, 4)]),
        ("...ij,...jk", [(5, 1, 2, 3), (6, 3, 4)]),
        ("i...,j...->ij...", [(2, 3, 4), (3, 1, 4)]),
        ("...->...", [(2, 3)]),
        ("ij,kl->", [(2, 3), (4, 5)]),
        ("ij,kl->jl", [(2, 3), (4, 5)]),
        ("ij,ij->ij", [(2, 1), (2, 3)]),
        ("ij,jk->k", [(2, 1), (3, 4)]),
        ("a,b,c,d->dcba", [(2,), (3,), (4,), (5,)]),
    ],
)
def test_einsum(equation: str, shapes: list) -> None:
    """Against NumPy, and by differences: a sum of products is linear in each factor, so these are exact."""
    xs = tensors(*shapes)
    out = tg.einsum(equation, *xs)
    arrays = [x.array for x in xs]
    stretched = _stretched(equation, arrays)
    expected = np.einsum(equation.replace(" ", ""), *stretched)
    np.testing.assert_allclose(out.array, expected, rtol=1e-10)
    weight = rng.standard_normal(expected.shape)
    (out * wrap(weight)).sum().backward()
    for k, x in enumerate(xs):
        step = rng.standard_normal(x.shape)
        moved = _stretched(equation, [*arrays[:k], step, *arrays[k + 1 :]])
        slope = np.sum(weight * np.einsum(equation.replace(" ", ""), *moved))
        assert np.sum(x.grad.array * step) == pytest.approx(slope, rel=1e-9)


def _stretched(equation: str, arrays: list) -> list:
    """Dimensions of length 1 at their index's length, which PyTorch does and NumPy does only under an ellipsis."""
    if "..." in equation:
        return arrays
    terms = equation.replace(" ", "").split("->")[0].split(",")
    size = {i: max(a.shape[t.index(i)] for t, a in zip(terms, arrays, strict=True) if i in t) for i in "".join(terms)}
    return [np.broadcast_to(a, [size[i] for i in t]) for t, a in zip(terms, arrays, strict=True)]


def test_einsum_by_sublists() -> None:
    x, y = tensors((2, 3), (4, 3))
    np.testing.assert_allclose(tg.einsum(x, [0, 1], y, [2, 1], [2, 0]).array, y.array @ x.array.T)
    np.testing.assert_allclose(tg.einsum(x, [..., 5], y, [7, 5]).array, x.array @ y.array.T)
    np.testing.assert_allclose(tg.einsum("ij,kj", [x, y]).array, x.array @ y.array.T)


def test_tensordot_and_kron() -> None:
    x, y = tensors((2, 3, 4), (4, 3, 5))
    np.testing.assert_allclose(tg.tensordot(x, y, 1).array, np.tensordot(x.array, y.array, 1))
    np.testing.assert_allclose(
        tg.tensordot(x, y, ([1, 2], [1, 0])).array, np.tensordot(x.array, y.array, ([1, 2], [1, 0]))
    )
    np.testing.assert_allclose(tg.tensordot(x, y, 0).array, np.tensordot(x.array, y.array, 0))
    np.testing.assert_allclose(tg.kron(x, y).array, np.kron(x.array, y.array))
    np.testing.assert_allclose(tg.kron(x, y[0, 0]).array, np.kron(x.array, y.array[0, 0]))


def test_products_of_given_dimensions() -> None:
    m, n, b, c, v, w = (x.array for x in tensors((3, 4), (4, 2), (5, 3, 4), (5, 4, 2), (4,), (3,)))
    M, N, B, C, V, W = map(wrap, (m, n, b, c, v, w))
    for found, expected in [
        (tg.mm(M, N), m @ n),
        (tg.bmm(B, C), b @ c),
        (tg.mv(M, V), m @ v),
        (tg.dot(V, V), v @ v),
        (tg.outer(W, V), np.outer(w, v)),
        (tg.inner(M, V), m @ v),
        (tg.inner(M, M), m @ m.T),
        (tg.vdot(V * 1j, V * (2 + 1j)), np.vdot(v * 1j, v * (2 + 1j))),
        (tg.addmm(M @ N, M, N, beta=0.5, alpha=3), 3.5 * m @ n),
        (tg.addmv(W, M, V, alpha=2), w + 2 * m @ v),
        (tg.addr(M, W, V, beta=2), 2 * m + np.outer(w, v)),
        (tg.baddbmm(N[:1, :1], B, C, alpha=2), n[0, 0] + 2 * b @ c),
        (tg.addbmm(M @ N, B, C), m @ n + (b @ c).sum(0)),
        (tg.addmm(M @ N * float("nan"), M, N, beta=0), m @ n),
        (tg.chain_matmul(M, N, N.mT, V.unsqueeze(1)), (m @ n @ n.T @ v)[:, None]),
        (
            tg.bilinear(B, B, wrap(np.stack([m.T @ m] * 2))),
            np.stack([np.einsum("...i,ij,...j", b, m.T @ m, b)] * 2, -1),
        ),
        (tg.vander(V, 3), np.vander(v, 3)),
        (tg.combinations(V, 3), np.array(list(itertools.combinations(v, 3)))),
    ]:
        np.testing.assert_allclose(found.array, expected, rtol=1e-10)


def test_distances() -> None:
    x, y = tensors((2, 5, 3), (2, 4, 3))
    for p in (0.5, 1, 2, 3, float("inf")):
        expected = np.linalg.norm(x.array[:, :, None] - y.array[:, None], p, axis=-1) if p >= 1 else None
        found = tg.cdist(x, y, p)
        if expected is not None:
            np.testing.assert_allclose(found.array, expected)
        same = tg.cdist(x, x, p)
        same.sum().backward()
        assert np.isfinite(x.grad.array).all()
    np.testing.assert_allclose(tg.pdist(x[0]).array, tg.cdist(x[0], x[0]).array[np.triu_indices(5, 1)])


def test_a_weight_gradient_is_one_product_over_all_rows() -> None:
    x, weight, bias = tensors((4, 5, 3), (2, 3), (2,))
    g = rng.standard_normal((4, 5, 2))
    (tg.nn.functional.linear(x, weight, bias) * wrap(g)).sum().backward()
    np.testing.assert_allclose(weight.grad.array, np.einsum("bto,bti->oi", g, x.array))
    np.testing.assert_allclose(bias.grad.array, g.sum((0, 1)))


@pytest.mark.parametrize(
    "wrong, error, text",
    [
        (lambda: tg.ones(2, 3) @ tg.ones(4, 5), RuntimeError, r"mat1 and mat2 shapes cannot be multiplied \(2x3 and 4x5\)"),
        (lambda: tg.ones(3) @ tg.ones(4, 5), RuntimeError, r"\(1x3 and 4x5\)"),
        (lambda: tg.ones(2, 3) @ tg.ones(4), RuntimeError, "3.*4"),
        (lambda: tg.ones(2, 3, 4) @ tg.ones(3, 4, 5), RuntimeError, "batch"),
        (lambda: tg.ones(()) @ tg.ones(3), RuntimeError, "0D"),
        (lambda: tg.ones(2, 3) @ tg.ones(3, 2).double(), RuntimeError, "float32.*float64"),
        (lambda: tg.ones(2, 3) @ 2, TypeError, "Tensor"),
        (lambda: tg.mm(tg.ones(2, 3), tg.ones(3)), RuntimeError, "2D"),
        (lambda: tg.bmm(tg.ones(2, 3, 4), tg.ones(1, 4, 5)), RuntimeError, "batch2"),
        (lambda: tg.nn.functional.linear(tg.ones(2, 3), tg.ones(2, 4)), RuntimeError, r"\(2x3 and 4x2\)"),
        (lambda: tg.nn.functional.linear(tg.ones(2, 3), tg.ones(2, 3), tg.ones(3)), RuntimeError, "bias"),
        (lambda: tg.einsum("ij,jk", tg.ones(2, 3), tg.ones(4, 5)), RuntimeError, "index 'j' has the lengths 3 and 4"),
        (lambda: tg.einsum("ij", tg.ones(2), tg.ones(2)), RuntimeError, "1 operands but 2"),
        (lambda: tg.einsum("ijk", tg.ones(2, 3)), RuntimeError, "number of subscripts"),
        (lambda: tg.tensordot(tg.ones(2, 3), tg.ones(2, 4), ([1], [1])), RuntimeError, "size 3.*size 4"),
        (lambda: tg.cross(tg.ones(2, 4), tg.ones(2, 4)), RuntimeError, "size 3"),
        (lambda: tg.addmm(tg.ones(3, 3), tg.ones(2, 3), tg.ones(3, 2)), RuntimeError, "expand"),
    ],
)  # fmt: skip
def test_errors(wrong, error, text) -> None:
    with pytest.raises(error, match=text):
        wrong()


def test_the_former_order_numbers_before_tensors() -> None:
    """`add(x, alpha, y)`: by function, method and in place, with the gradient of the order of today."""
    a, b, v, w = (rng.standard_normal(shape) for shape in ((2, 2), (2, 2), 2, 2))
    batch, other = rng.standard_normal((2, 3, 2, 2))
    for name, x, former, factors, today in [
        ("add", a, (3,), (b,), {"alpha": 3}),
        ("sub", a, (3,), (b,), {"alpha": 3}),
        ("addcmul", a, (3,), (a, b), {"value": 3}),
        ("addcdiv", a, (3,), (a, b), {"value": 3}),
        ("addmm", a, (2, 3), (a, b), {"beta": 2, "alpha": 3}),
        ("addmm", a, (2,), (a, b), {"beta": 2}),
        ("addmv", v, (2, 3), (a, w), {"beta": 2, "alpha": 3}),
        ("addr", a, (2, 3), (v, w), {"beta": 2, "alpha": 3}),
        ("baddbmm", batch, (2, 3), (batch, other), {"beta": 2, "alpha": 3}),
        ("addbmm", a, (2, 3), (batch, other), {"beta": 2, "alpha": 3}),
    ]:
        x, factors = wrap(x), [wrap(f) for f in factors]
        function, expected = getattr(tg, name), getattr(tg, name)(x, *factors, **today)
        leading = (former[0], x, *former[1:]) if "beta" in today else (x, *former)
        leaf = x.clone().requires_grad_()
        with pytest.warns(UserWarning, match=f"{name}: numbers before tensors are deprecated; write {name}"):
            found = [function(*leading, *factors), getattr(leaf, name)(*former, *factors)]
            found.append(getattr(leaf * 1, name + "_")(*former, *factors))
        for each in found:
            np.testing.assert_array_equal(each.detach().array, expected.array)
        (slope,) = tg.autograd.grad(found[2].sum(), leaf)
        assert slope.array == pytest.approx(today.get("beta", 1))
    with pytest.raises(TypeError, match="takes 2 positional arguments but 3"):
        tg.add(tg.ones(1), tg.ones(1), tg.ones(1))
