import itertools
import math

import numpy as np

import tinygrad_edu as tg

from . import call, entry

# --- definitions in loops, on one matrix; `each` takes them to batches --------------------------------------------------


def each(function):
    """A function of single matrices, for batches that are broadcast together."""

    def batched(x, *others, **options):
        arrays = [a for a in (x, *others) if isinstance(a, np.ndarray) and a.ndim > 1]
        batch = np.broadcast_shapes(*[a.shape[:-2] for a in arrays])
        wide = [
            np.broadcast_to(a, batch + a.shape[-2:]) if isinstance(a, np.ndarray) and a.ndim > 1 else a
            for a in (x, *others)
        ]
        found = [
            function(*[a[i] if isinstance(a, np.ndarray) and a.ndim > 1 else a for a in wide], **options)
            for i in np.ndindex(batch)
        ]
        if isinstance(found[0], (tuple, list)):
            return [np.array(part).reshape(batch + np.shape(part[0])) for part in zip(*found, strict=True)]
        return np.array(found).reshape(batch + np.shape(found[0]))

    return batched


def determinant(x):
    """Leibniz's formula: over all permutations."""
    n, total = len(x), 0
    for p in itertools.permutations(range(n)):
        swaps = sum(p[i] > p[j] for i in range(n) for j in range(i + 1, n))
        total = total + (-1) ** swaps * math.prod((x[i, p[i]] for i in range(n)), start=1.0)
    return total


def cofactors(x):
    out = np.zeros_like(x)
    for i, j in np.ndindex(x.shape):
        out[i, j] = (-1) ** (i + j) * determinant(np.delete(np.delete(x, i, 0), j, 1))
    return out


def inverse(x):
    return cofactors(x).T / determinant(x)


def exponential(x):
    """The series, of a small fraction, squared back."""
    out = term = np.eye(len(x), dtype=x.dtype)
    for k in range(1, 30):
        term = term @ x / 64 / k
        out = out + term
    for _ in range(6):
        out = out @ out
    return out


def triangle(a):
    """Cholesky's, row by row."""
    out = np.zeros_like(a)
    for i in range(len(a)):
        for j in range(i + 1):
            rest = a[i, j] - sum(out[i, k] * np.conj(out[j, k]) for k in range(j))
            out[i, j] = np.sqrt(rest) if i == j else rest / out[j, j]
    return out


def gram_schmidt(x):
    """Q and R with a positive diagonal."""
    m, n = x.shape
    q = np.zeros((m, min(m, n)), x.dtype)
    for j in range(min(m, n)):
        v = x[:, j].copy()
        for i in range(j):
            v = v - q[:, i] * (q[:, i].conj() @ v)
        q[:, j] = v / np.sqrt((v.conj() @ v).real)
    return q, np.triu(q.conj().T @ x)


def elimination(x):
    """The LU factors in one matrix, and the exchanges, counted from 1."""
    a, pivots = x.copy(), []
    for k in range(min(a.shape)):
        p = k + int(np.argmax(abs(a[k:, k].real) + abs(a[k:, k].imag)))
        pivots.append(p + 1)
        a[[k, p]] = a[[p, k]]
        for i in range(k + 1, len(a)):
            a[i, k] /= a[k, k]
            a[i, k + 1 :] -= a[i, k] * a[k, k + 1 :]
    return a, np.array(pivots)


def squares(h, values):
    """|v[i]|² of unit eigenvectors of a Hermitian matrix, from the eigenvalues of its minors."""
    every = np.linalg.eigvals(h).real
    out = np.zeros((len(h), len(values)))
    for j, w in enumerate(values):
        others = np.delete(every, np.argmin(abs(every - w)))
        for i in range(len(h)):
            minor = np.linalg.eigvals(np.delete(np.delete(h, i, 0), i, 1)).real
            out[i, j] = np.prod(w - minor) / np.prod(w - others)
    return out


def hermitian(x):
    return (x + np.swapaxes(x, -1, -2).conj()) / 2


# --- systems ---------------------------------------------------------------------------------------------------------

entry(
    "identity",
    lambda r: call(r(2, 3, 3)),
    lambda r: call(r(3, 2)),
    expect=lambda x: np.broadcast_to(np.eye(*x.shape[-2:]), x.shape),
)
entry(
    "inv",
    lambda r: call(r(3, 3)),
    lambda r: call(r(2, 2, 2)),
    lambda r: call(r.complex(3, 3) + 2 * np.eye(3)),
    lambda r: call(r(1, 1)),
    expect=each(inverse),
)
entry(
    "solve",
    lambda r: call(r(3, 3), r(3, 2)),
    lambda r: call(r(2, 1, 3, 3), r(4, 3, 1)),
    lambda r: call(r.complex(2, 3, 3), r.complex(3, 2)),
    expect=each(lambda x, y: inverse(x) @ y),
)


def _triangular(x, y, upper, unitriangular=False):
    x = np.triu(x) if upper else np.tril(x)
    return inverse(x - np.diag(np.diag(x)) + np.eye(len(x)) if unitriangular else x) @ y


entry(
    "solve_triangular",
    lambda r: call(r.off_zero(3, 3), r(3, 2), True),
    lambda r: call(r.off_zero(2, 3, 3), r(3, 1), False),
    lambda r: call(r.complex(3, 3), r.complex(2, 3, 2), True, True),
    lambda r: call(r(3, 3), r(3, 0), False, True),
    expect=each(_triangular),
)
entry(
    "matrix_exp",
    lambda r: call(r(3, 3)),
    lambda r: call(r(2, 2, 2) * np.array([0.1, 8.0])[:, None, None]),
    lambda r: call(r.complex(3, 3)),
    expect=each(exponential),
    tolerance=10,  # squaring back multiplies the rounding errors with the norm
)

# --- decompositions ----------------------------------------------------------------------------------------------------


entry("ratio", lambda r: call(r(3, 4) * r.flags(3, 4), r.off_zero(3, 4)), expect=np.divide)


def _cholesky(cholesky, x, *options):
    """Of a positive-definite matrix."""
    return cholesky(x @ x.mH + 2 * tg.eye(x.shape[-1], dtype=x.dtype, device=x.device), *options)


def _expected_triangle(x, upper=False):
    lower = triangle(x @ x.conj().T + 2 * np.eye(len(x)))
    return lower.conj().T if upper else lower


entry(
    "cholesky",
    lambda r: call(r(3, 3)),
    lambda r: call(r(2, 3, 3), True),
    lambda r: call(r.complex(3, 3)),
    lambda r: call(r.complex(2, 2), True),
    through=_cholesky,
    expect=each(_expected_triangle),
)
entry(
    "indefinite_at",
    lambda r: call(np.array([np.eye(3), -np.eye(3), np.diag([1.0, -1.0, 1.0])])),
    gradient=False,
    expect=lambda x: np.array([0, 1, 2]),
)


def _qr(qr, x, *options):
    """With a positive diagonal of R."""
    Q, R = qr(x, *options)
    signs = R.diagonal(0, -2, -1).real.sgn().detach().to(x.dtype)
    return Q * signs.unsqueeze(-2), R * signs.unsqueeze(-1)


entry(
    "qr",
    lambda r: call(r(3, 3)),
    lambda r: call(r(2, 4, 2)),
    lambda r: call(r(2, 4), "complete"),
    lambda r: call(r.complex(3, 2)),
    lambda r: call(r.complex(2, 3)),
    through=_qr,
    expect=each(lambda x, *mode: gram_schmidt(x)),
)


def _reflections(geqrf, x):
    """The product of the reflections with R is the matrix."""
    a, tau = geqrf(x)
    k = min(x.shape[-2:])
    wide = tg.cat([a.tril(-1)[..., :k], a.new_zeros(*a.shape[:-1], a.shape[-2] - k)], -1)
    return tg.orgqr(wide, tau)[..., :k] @ a.triu()[..., :k, :]


entry(
    "geqrf",
    lambda r: call(r(3, 3)),
    lambda r: call(r(2, 4, 2)),
    lambda r: call(r.complex(2, 3)),
    through=_reflections,
    gradient=False,
    expect=lambda x: x,
)


def _eigh(eigh, x, *options):
    """The eigenvalues, a function of the matrix, and the eigenvectors without their phases."""
    w, v = eigh((x + x.mH) / 2, *options)
    return w, (v * w.exp().unsqueeze(-2)) @ v.mH, v.abs() ** 2


def _expected_eigh(x, *options):
    h = hermitian(x)
    w = np.sort(np.linalg.eigvals(h).real)
    return w, exponential(h), squares(h, w)


SQUARE = (
    lambda r: call(r(3, 3)),
    lambda r: call(r(2, 3, 3)),
    lambda r: call(r.complex(3, 3)),
)
entry("eigh", *SQUARE, lambda r: call(r(2, 2), "U"), through=_eigh, expect=each(_expected_eigh))
entry(
    "eigvalsh",
    *SQUARE,
    lambda r: call(r(2, 2), "U"),
    through=lambda eigvalsh, x, *options: eigvalsh((x + x.mH) / 2, *options),
    expect=each(lambda x, *options: np.sort(np.linalg.eigvals(hermitian(x)).real)),
)


def _eig(eig, x):
    """A function of the matrix, and the eigenvectors without their phases and order."""
    w, v = eig(x)
    return (v * w.exp().unsqueeze(-2)) @ v.inverse(), (v.abs() ** 4).sum(-1)


def _expected_eig(x):
    vectors = [np.linalg.svd(x - w * np.eye(len(x)))[2][-1] for w in np.linalg.eigvals(x)]
    return exponential(x), sum(abs(v) ** 4 for v in vectors)


entry("eig", *SQUARE, through=_eig, expect=each(_expected_eig))
entry(
    "eigvals",
    *SQUARE,
    through=lambda eigvals, x: [(eigvals(x) ** k).sum(-1) for k in (1, 2, 3)],
    expect=each(lambda x: [np.trace(np.linalg.matrix_power(x, k)) + 0j for k in (1, 2, 3)]),
)


def _svd(svd, x, *options):
    """The singular values, a function of the matrix, and the vectors without their phases."""
    U, S, Vh = svd(x, *options)
    k = S.shape[-1]
    U, Vh = U[..., :k], Vh[..., :k, :]
    return S, (U * S.unsqueeze(-2) ** 3) @ Vh, U.abs() ** 2, Vh.abs() ** 2


def _expected_svd(x, *options):
    left, right = x @ x.conj().T, x.conj().T @ x
    w = np.sort(np.linalg.eigvals(left if len(left) < len(right) else right).real)[::-1]
    return np.sqrt(w), x @ right, squares(left, w), squares(right, w).T


SHAPES = (
    *SQUARE,
    lambda r: call(r(4, 2)),
    lambda r: call(r(2, 3, 5)),
    lambda r: call(r.complex(4, 2)),
    lambda r: call(r.complex(2, 3)),
)
entry("svd", *SHAPES, lambda r: call(r(3, 2), False), through=_svd, expect=each(_expected_svd))
entry("svdvals", *SHAPES, expect=each(lambda x: _expected_svd(x)[0]))


def _full_rank_pinv(a, b, *options):
    return b.conj().T @ inverse(b @ b.conj().T) @ inverse(a.conj().T @ a) @ a.conj().T


entry(
    "pinv",
    lambda r: call(r(3, 3), r(3, 3)),
    lambda r: call(r(2, 4, 2), r(2, 2)),
    lambda r: call(r(2, 2), r(2, 4)),
    lambda r: call(r.complex(3, 2), r.complex(2, 2)),
    lambda r: call(r(4, 2), r(2, 3), None, 1e-4),
    lambda r: call(r.complex(3, 2), r.complex(2, 4), 1e-4),
    through=lambda pinv, a, b, *options: pinv(a @ b, *options),  # the rank stays in any direction
    expect=each(_full_rank_pinv),
    tolerance=10,  # the product of two matrices has the product of their condition numbers
)

# --- elimination -------------------------------------------------------------------------------------------------------

entry(
    "lu_factor",
    *SHAPES,
    lambda r: call(r(36, 34) + 5 * np.eye(36, 34)),
    lambda r: call(r(34, 40) + 5 * np.eye(34, 40)),
    expect=each(elimination),
)
entry(
    "singular_at",
    lambda r: call(np.array([np.eye(3), np.zeros((3, 3)), np.diag([1.0, 1.0, 0.0])])),
    lambda r: call(r(2, 3)),
    gradient=False,
    expect=lambda x: np.array([0, 1, 3]) if x.ndim == 3 else np.array(0),
)


def _swapped(pivots, rows):
    order = list(range(rows))
    for k, p in enumerate(pivots):
        order[k], order[p - 1] = order[p - 1], order[k]
    return np.array(order)


entry(
    "permutation",
    lambda r: call(np.array([3, 2, 4], np.int32), 5),
    lambda r: call(np.array([2, 2], np.int32), 2),
    gradient=False,
    expect=_swapped,
)
entry(
    "undone",
    lambda r: call(np.array([2, 0, 1, 3])),
    gradient=False,
    expect=lambda order: np.array([list(order).index(i) for i in range(len(order))]),
)
entry(
    "reordered",
    lambda r: call(r(3, 2), np.array([2, 0, 1])),
    lambda r: call(r(3, 2), np.array([[2, 0, 1], [0, 1, 2]])),
    lambda r: call(r(2, 3, 1), np.array([1, 0, 2])),
    expect=lambda x, order: (
        np.stack([x[..., i, :] for i in order], -2) if order.ndim == 1 else np.stack([x[row] for row in order])
    ),
)


def _deficient(r, n, rank):
    return r(n, rank) @ r(rank, n)


ANY_RANK = (
    lambda r: call(r(3, 3)),
    lambda r: call(r(2, 2, 2)),
    lambda r: call(r.complex(3, 3)),
    lambda r: call(r(1, 1)),
    lambda r: call(_deficient(r, 3, 2)),
)
entry("det", *ANY_RANK, lambda r: call(_deficient(r, 4, 2)), lambda r: call(r(0, 0)), expect=each(determinant))
entry("cofactors", *ANY_RANK, expect=each(cofactors))


def _direction_and_size(x):
    d = determinant(x)
    return d / abs(d), np.log(abs(d))


entry(
    "slogdet",
    lambda r: call(r(3, 3)),
    lambda r: call(r(2, 2, 2)),
    lambda r: call(r.complex(3, 3)),
    expect=each(_direction_and_size),
)
