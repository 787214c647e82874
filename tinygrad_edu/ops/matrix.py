"""Matrix products, in batches, added to something, in chains; and what is built of all pairs: outer, cross, distances."""

from __future__ import annotations

import math

import numpy as np

from ..errors import describe, message
from ..op import cast, expand, op
from ..promotion import casting
from ..tensor import Tensor
from .arguments import need_tensor, wrapped
from .faces import former_order, takes_out
from .operands import operator
from .pointwise import mul
from .reductions import norm, sum

# --- the matrix product ----------------------------------------------------------------------------------------------


def _mT(x):
    """A matrix transposed: the bare method, because a training loop calls it at every step."""
    return x.swapaxes(-1, -2)


def _rows(x):
    """All leading dimensions as one: one large product is faster than many small ones."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _times(x, y):
    if x.ndim > 2 and y.ndim == 2:
        return (_rows(x) @ y).reshape(*x.shape[:-1], y.shape[-1])
    return x @ y


@op(tensors="x y", promote=False)
def matmul(x, y):
    """The matrix product, batched over leading dimensions; a vector is a row on the left, a column on the right."""
    try:
        return _times(x, y)
    except ValueError:
        raise _mismatch(x, y) from None


def _mismatch(x, y):
    """What is wrong with the shapes of a product."""
    a, b = x.shape, y.shape
    if not a or not b:
        wrong = f"both arguments to matmul need to be at least 1D, but they are {len(a)}D and {len(b)}D"
    elif len(a) <= 2 and len(b) == 2:
        sizes = " and ".join("x".join(map(str, shape)) for shape in (a if len(a) == 2 else (1, *a), b))
        wrong = f"mat1 and mat2 shapes cannot be multiplied ({sizes})"
    elif a[-1] != b[-2:][0]:
        wrong = f"the last dimension of the first ({a[-1]}) must be as long as the columns of the second ({b[-2:][0]})"
    else:
        wrong = f"the batch dimensions {list(a[:-2])} and {list(b[:-2])} cannot be broadcast together"
    return RuntimeError(message(f"matmul({describe(x)}, {describe(y)})", wrong, instead=_multipliable(a, b)))


def _multipliable(a, b):
    """What makes a product of two shapes possible."""
    if not a or not b:
        return "x * y for the product with a number"
    if len(a) > 1 and len(b) > 1 and a[-1] == b[-1]:
        return "the second one's .mT, if it has its rows where its columns should be"
    if len(a) > 1 and len(b) > 1 and a[-2] == b[-2]:
        return "the first one's .mT, if it has its columns where its rows should be"
    if a[-1] != b[-2:][0]:
        return f"tensors whose last dimension and whose rows are equally many: here {a[-1]} and {b[-2:][0]}"
    return "equal batch dimensions, or ones of length 1: x.unsqueeze(dim)"


def _matmul_grad_x(g, y):
    if g.ndim >= y.ndim > 1:
        return _times(g, _mT(y))
    if y.ndim == 1:
        return g[..., None] * y
    return (g[..., None, :] @ _mT(y))[..., 0, :]  # x was a vector


def _matmul_grad_y(g, x, y_shape):
    if x.ndim > 1 and len(y_shape) == 2:
        return _mT(_rows(x)) @ _rows(g)
    if x.ndim > 1:
        return _mT(x) @ g if len(y_shape) > 1 else (_mT(x) @ g[..., None])[..., 0]
    return x[:, None] * g[..., None, :] if len(y_shape) > 1 else x * g


matmul.grad(x=_matmul_grad_x, y=_matmul_grad_y)


def _linear_plain(x, weight, bias=None):  # for the reader, and for tests: the rules of `linear` work on tensors too
    out = matmul(x, weight.T)
    return out if bias is None else out + bias


@op(promote=False)
def linear(x, weight, bias=None):
    """A layer: x @ weightᵀ + bias."""
    try:
        out = _times(x, weight.T)
    except ValueError:
        if x.ndim and x.shape[-1] != weight.shape[-1]:
            sizes = f"{math.prod(x.shape[:-1])}x{x.shape[-1]} and {'x'.join(map(str, weight.T.shape))}"
            wrong = f"mat1 and mat2 shapes cannot be multiplied ({sizes}): the weight takes {weight.shape[-1]} features"
            wrong = f"{wrong}, the input has {x.shape[-1]}"
            text = message(f"linear({describe(x)}, {describe(weight)})", wrong, instead=_taken(x.shape, weight.shape))
            raise RuntimeError(text) from None
        raise _mismatch(x, weight.T) from None
    if bias is None:
        return out
    try:
        return np.add(out, bias, out=out) if out.ndim else out + bias
    except ValueError:
        wrong = f"a bias of shape {list(bias.shape)} does not fit a result of shape {list(out.shape)}"
        raise RuntimeError(message(f"linear({describe(x)}, {describe(weight)})", wrong)) from None


def _taken(shape, weight):
    """What makes a layer's input and weight fit each other."""
    flat = next((d for d in range(1, len(shape) - 1) if math.prod(shape[d:]) == weight[-1]), None)
    if flat is not None:
        return f"x.flatten({flat}) before it, which makes {list(shape[flat:])} one dimension of {weight[-1]}"
    if weight[-1] in shape:
        return f"x.movedim({shape.index(weight[-1])}, -1) before it, if these are the features"
    return f"a layer for these features: nn.Linear({', '.join(map(str, (shape[-1], *weight[:-1])))})"


def _linear_grad_x(g, weight):
    return _times(g, weight) if weight.ndim > 1 else g[..., None] * weight


def _linear_grad_weight(g, x, weight_shape):
    if g.ndim == 2 and len(weight_shape) == 2:
        return g.T @ x
    return _mT(_rows(g)) @ _rows(x) if len(weight_shape) > 1 else sum(_rows(g[..., None] * x), 0)


linear.grad(
    x=_linear_grad_x,
    weight=_linear_grad_weight,
    bias=lambda g: g,
)

# --- products of given dimensions ------------------------------------------------------------------------------------


def _need_dims(name, **tensors):
    """Raise for tensors that have not the given number of dimensions: `_need_dims("mm", mat2=(y, 2))`."""
    for argument, (x, ndim) in tensors.items():
        if need_tensor(x, name, argument).ndim != ndim:
            wrong = f"{argument} must be {ndim}D, but it is {describe(x)}"
            general = "matmul(x, y), which takes any number of dimensions" if name in ("mm", "bmm", "mv", "dot") else ""
            raise RuntimeError(message(f"{name}()", wrong, instead=general))


def _need_same_batch(x, y):
    if x.shape[0] != y.shape[0] or x.shape[2] != y.shape[1]:
        wrong = f"Expected size for first two dimensions of batch2 tensor to be: {[x.shape[0], x.shape[2]]}"
        instead = "as many matrices in both, or x @ y, where a batch of 1 stands for all"
        if x.shape[0] == y.shape[0]:
            instead = _multipliable(x.shape, y.shape)
        what = f"bmm({describe(x)}, {describe(y)})"
        raise RuntimeError(message(what, f"{wrong} but got: {list(y.shape[:2])}", instead=instead))


def mm(input, mat2, *, out=None):
    """The product of two matrices."""
    _need_dims("mm", input=(input, 2), mat2=(mat2, 2))
    return matmul(input, mat2, out=out)


def bmm(input, mat2, *, out=None):
    """The products of two batches of matrices."""
    _need_dims("bmm", input=(input, 3), mat2=(mat2, 3))
    _need_same_batch(input, mat2)
    return matmul(input, mat2, out=out)


def mv(input, vec, *, out=None):
    """The product of a matrix and a vector."""
    _need_dims("mv", input=(input, 2), vec=(vec, 1))
    return matmul(input, vec, out=out)


def dot(input, tensor, *, out=None):
    """The inner product Σ xᵢyᵢ of two vectors."""
    _need_dims("dot", input=(input, 1), tensor=(tensor, 1))
    return matmul(input, tensor, out=out)


def vdot(input, other, *, out=None):
    """The inner product Σ x̄ᵢyᵢ of two vectors, the first conjugated."""
    _need_dims("vdot", input=(input, 1), other=(other, 1))
    return matmul(input.conj() if input.is_complex() else input, other, out=out)


@takes_out
def inner(input: Tensor, other: Tensor):
    """The products of all rows of the first with all rows of the second."""
    if not input.ndim or not other.ndim:
        return mul(input, other)
    if input.shape[-1] != other.shape[-1]:
        wrong = f"the last dimensions must match but got {list(input.shape)} and {list(other.shape)}"
        raise RuntimeError(message("inner()", wrong))
    return matmul(_rows(input), _mT(_rows(other))).reshape(input.shape[:-1] + other.shape[:-1])


def outer(input, vec2, *, out=None):
    """The matrix of all products xᵢyⱼ."""
    _need_dims("outer", input=(input, 1), vec2=(vec2, 1))
    return mul(input.unsqueeze(1), vec2, out=out)


ger = outer

# --- a product added to something: beta·input + alpha·product --------------------------------------------------------


def _added(name, input, product, beta, alpha):
    input = cast(input, product.dtype) if casting else input
    if input.dtype != product.dtype:
        wrong = f"input and product must have the same dtype, but got {input.dtype} and {product.dtype}"
        raise RuntimeError(message(f"{name}()", wrong))
    if input.dtype.rank < 2:
        beta, alpha = int(beta), int(alpha)
    input = expand(input, tuple(product.shape))
    out = product if alpha == 1 else product * alpha
    if beta:  # else NaN in input does no harm
        out = out + (input if beta == 1 else input * beta)
    return out if out.dtype == product.dtype else cast(out, product.dtype)


@former_order("beta", "alpha")
@takes_out
def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """beta·input + alpha·mat1 @ mat2."""
    return _added("addmm", input, mm(mat1, mat2), beta, alpha)


@former_order("beta", "alpha")
@takes_out
def addmv(input, mat, vec, *, beta=1, alpha=1):
    """beta·input + alpha·mat @ vec."""
    return _added("addmv", input, mv(mat, vec), beta, alpha)


@former_order("beta", "alpha")
@takes_out
def addr(input, vec1, vec2, *, beta=1, alpha=1):
    """beta·input + alpha·vec1 ⊗ vec2."""
    if input.dtype.rank == 1 and not isinstance(beta, int):
        raise RuntimeError(
            message("addr()", "For integral input tensors, argument beta must not be a floating point number")
        )
    return _added("addr", input, outer(vec1, vec2), beta, alpha)


@former_order("beta", "alpha")
@takes_out
def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """beta·input + alpha·batch1 @ batch2, for batches of matrices."""
    return _added("baddbmm", input, bmm(batch1, batch2), beta, alpha)


@former_order("beta", "alpha")
@takes_out
def addbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """beta·input + alpha·Σ batch1 @ batch2, summed over the batch."""
    return _added("addbmm", input, sum(bmm(batch1, batch2), 0), beta, alpha)


def chain_matmul(*matrices):
    """The product of several matrices, in the order with the fewest multiplications."""
    return multi_dot(matrices)


def multi_dot(tensors):
    """The product of several matrices, in the order with the fewest multiplications; a vector may stand at each end."""
    tensors = [need_tensor(x, "multi_dot", f"tensors[{i}]") for i, x in enumerate(tensors)]
    if len(tensors) < 2:
        raise RuntimeError(message("multi_dot()", f"expected at least 2 tensors but got {len(tensors)}"))
    row, column = tensors[0].ndim == 1, tensors[-1].ndim == 1
    tensors[0] = tensors[0].unsqueeze(0) if row else tensors[0]
    tensors[-1] = tensors[-1].unsqueeze(1) if column else tensors[-1]
    _need_dims("multi_dot", **{f"tensors[{i}]": (x, 2) for i, x in enumerate(tensors)})
    split = _cheapest_splits([*(x.shape[0] for x in tensors), tensors[-1].shape[1]])

    def product(i, j):
        return tensors[i] if i == j else matmul(product(i, split[i, j]), product(split[i, j] + 1, j))

    out = product(0, len(tensors) - 1)
    out = out.squeeze(0) if row else out
    return out.squeeze(-1) if column else out


def _cheapest_splits(sizes):
    """Where to split each run i..j of matrices, the k-th of which is sizes[k] × sizes[k + 1]."""
    n = len(sizes) - 1
    cost = {(i, i): 0 for i in range(n)}
    split = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i, j], split[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            )
    return split


# --- products that are not summed, or summed otherwise -----------------------------------------------------------------


@takes_out
def kron(input, other):
    """The Kronecker product: `other`, once for each element of `input`, multiplied by it."""
    ndim = max(input.ndim, other.ndim)
    a, b = ((1,) * (ndim - x.ndim) + tuple(x.shape) for x in (input, other))
    pairs = mul(
        input.reshape([n for m in a for n in (m, 1)]),
        other.reshape([n for m in b for n in (1, m)]),
    )
    return pairs.reshape([m * n for m, n in zip(a, b, strict=True)])


@op
def _cross(x, y, dim=-1):
    """The vector product in three dimensions, perpendicular to both factors."""
    return np.cross(x, y, axis=dim)


_cross.grad(x=lambda g, y, dim: _cross(y, g, dim), y=lambda g, x, dim: _cross(g, x, dim))


def cross(input, other, dim=None, *, out=None):
    """The vector product along a dimension of length 3, by default the first of that length."""
    if input.ndim != other.ndim:
        wrong = f"inputs must have the same number of dimensions, got {input.ndim} and {other.ndim}"
        raise RuntimeError(message("cross()", wrong))
    if dim is None:
        dim = next((d for d, n in enumerate(input.shape) if n == 3), None)
        if dim is None:
            raise RuntimeError(message("cross()", f"no dimension of size 3 in input {list(input.shape)}"))
    dim = wrapped(dim, input.ndim)
    if input.shape[dim] != 3 or other.shape[dim] != 3:
        wrong = f"inputs dimension {dim} must have length 3. Got {input.shape[dim]} and {other.shape[dim]}"
        raise RuntimeError(message("cross()", wrong))
    return _cross(input, other, dim, out=out)


def cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary"):
    """The p-norms of the differences of all pairs of rows."""
    for name, x in (("X1", x1), ("X2", x2)):
        if x.ndim < 2:
            raise RuntimeError(message("cdist()", f"{name} must have at least two dimensions, got {describe(x)}"))
    if x1.shape[-1] != x2.shape[-1]:
        wrong = f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}"
        raise RuntimeError(message("cdist()", wrong))
    if p < 0:
        raise RuntimeError(message("cdist()", f"only supports non-negative p values, got {p}"))
    difference = x1.unsqueeze(-2) - x2.unsqueeze(-3)
    return norm(difference, p, -1) if difference.shape[-1] else sum(difference, -1)


def pdist(input, p=2.0):
    """The p-norms of the differences of all pairs of rows, each pair once."""
    _need_dims("pdist", input=(input, 2))
    if not input.is_floating_point():
        raise RuntimeError(
            message("pdist()", f"only real floating-point numbers have distances here, not {input.dtype}")
        )
    first, second = np.triu_indices(input.shape[0], 1)
    return norm(input[first] - input[second], p, -1)


def vander(x, N=None, increasing=False):
    """The Vandermonde matrix: in each row the powers 0 to N - 1 of an element, highest first unless `increasing`."""
    _need_dims("vander", x=(x, 1))
    N = x.shape[0] if N is None else N
    if N < 0:
        raise RuntimeError(message("vander()", f"N must be non-negative, got {N}"))
    powers = x.unsqueeze(1) ** x.new_tensor(range(N))
    return powers if increasing else powers.flip(1)


METHODS = "addbmm addmm addmv addr baddbmm bmm cross dot ger inner kron matmul mm mv outer vdot"
INPLACE = "addbmm addmm addmv addr baddbmm"


OPERATORS = {"__matmul__": operator(matmul), "__rmatmul__": operator(matmul, swap=True)}
