"""Contractions: sums of products over any common indices, `einsum` and what is written with it."""

from __future__ import annotations

import functools
import itertools
import math

from ..errors import describe, message
from ..op import op
from ..tensor import Tensor
from .arguments import need_tensor, wrapped
from .faces import takes_out
from .reductions import sum

# --- one sum of products, and its calculus ---------------------------------------------------------------------------


@op(promote=False)
def _einsum(x, y, equation):
    """The sum over common indices, as in "ij,jk->ik". No index comes twice in a factor, or in one factor alone.

    Under that condition the gradient of each factor is such a sum again, of the result's gradient and the other factor.
    """
    order_x, order_y, order_out, (b, m, k) = _orders(equation)
    x, y = x.transpose(order_x), y.transpose(order_y)
    lead, left, summed, right = x.shape[:b], x.shape[b : b + m], y.shape[b : b + k], y.shape[b + k :]
    rows = x.reshape(*lead, math.prod(left), math.prod(summed))
    columns = y.reshape(*lead, math.prod(summed), math.prod(right))
    out = rows @ columns if k else rows * columns
    return out.reshape(lead + left + right).transpose(order_out)


@functools.lru_cache(1024)
def _orders(equation):
    """The factors' dimensions as batch, left, summed and batch, summed, right, and the result's from batch, left, right."""
    of_x, of_y, of_out = _indices(equation)
    batch = [i for i in of_x if i in of_y and i in of_out]
    summed = [i for i in of_x if i in of_y and i not in of_out]
    left = [i for i in of_x if i not in of_y]
    right = [i for i in of_y if i not in of_x]
    made = batch + left + right
    return (
        [of_x.index(i) for i in batch + left + summed],
        [of_y.index(i) for i in batch + summed + right],
        [made.index(i) for i in of_out],
        (len(batch), len(left), len(summed)),
    )


def _indices(equation):
    return equation.replace("->", ",").split(",")


def _einsum_grad_x(g, y, equation):
    of_x, of_y, of_out = _indices(equation)
    return _einsum(g, y, f"{of_out},{of_y}->{of_x}")


def _einsum_grad_y(g, x, equation):
    of_x, of_y, of_out = _indices(equation)
    return _einsum(g, x, f"{of_out},{of_x}->{of_y}")


_einsum.grad(x=_einsum_grad_x, y=_einsum_grad_y)


# --- the equation -------------------------------------------------------------------------------------------------------


def einsum(equation, *operands):
    """Sums of products by indices: `einsum("bij,bjk->bik", x, y)`, also as `einsum(x, [0, 1], y, [1, 2], [0, 2])`."""
    if isinstance(equation, Tensor):
        equation, operands = _from_sublists((equation, *operands))
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = operands[0]
    dims = tuple(need_tensor(x, "einsum", f"operands[{k}]").ndim for k, x in enumerate(operands))
    terms, result = _parsed(equation, dims)
    size = {}
    for term, x in zip(terms, operands, strict=True):
        for i, n in zip(term, x.shape, strict=True):
            if size.setdefault(i, n) != n and 1 not in (n, size[i]):
                wrong = f"operands do not broadcast: index '{i}' has the lengths {size[i]} and {n}"
                instead = f"a letter of its own for each of these dimensions, or operands of equal length along '{i}'"
                raise _error(f"{equation}, {', '.join(map(describe, operands))}", wrong, instead)
            size[i] = n if size[i] == 1 else size[i]
    product, of_product = None, ""
    for position, (term, x) in enumerate(zip(terms, operands, strict=True)):
        x, term = _diagonals(x, term)
        stretched = [d for d, i in enumerate(term) if x.shape[d] != size[i]]
        x, term = (x.squeeze(tuple(stretched)) if stretched else x), _without(term, stretched)
        later = {*result, *itertools.chain(*terms[position + 1 :])}
        x, term = _summed(x, term, later | set(of_product))
        if product is None:
            product, of_product = x, term
            continue
        product, of_product = _summed(product, of_product, later | set(term))
        last = position == len(operands) - 1
        made = result if last else "".join(i for i in dict.fromkeys(of_product + term) if i in later)
        product, of_product = _einsum(product, x, f"{of_product},{term}->{made}"), made
    product, of_product = _summed(product, of_product, set(result))
    order = [of_product.index(i) for i in result]
    return product.permute(order) if len(operands) == 1 else product


def _error(call, wrong, instead):
    return RuntimeError(message(f"einsum({call})", wrong, instead=instead))


def _from_sublists(arguments):
    """The sublist form as an equation: number n is the n-th letter."""
    letters = [chr(c) for c in (*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1))]

    def term(sublist):
        return "".join("..." if i is Ellipsis else letters[i] for i in sublist)

    operands, sublists = arguments[: len(arguments) // 2 * 2 : 2], arguments[1::2]
    equation = ",".join(map(term, sublists))
    return (f"{equation}->{term(arguments[-1])}" if len(arguments) % 2 else equation), operands


@functools.lru_cache(1024)
def _parsed(equation, dims):
    """The indices of operands with so many dimensions, and of the result; those under an ellipsis are ... 2, 1, 0."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(dims):
        wrong = f"the equation has {len(terms)} operands but {len(dims)} were given"
        raise _error(equation, wrong, "an equation with one term for each tensor, separated by commas")
    hidden = ""
    for position, (term, ndim) in enumerate(zip(terms, dims, strict=True)):
        named = term.replace("...", "", 1)
        if not all(i.isascii() and i.isalpha() for i in named):
            wrong = f"invalid subscript '{term}'"
            raise _error(equation, wrong, "a letter for each dimension, and '...' once for those that have none")
        under = ndim - len(named)
        if under and (under < 0 or named == term):
            wrong = f"the number of subscripts in '{term}' does not match the number of dimensions, {ndim}"
            raise _error(equation, wrong, f"{ndim} letters for this tensor, or '...' for the dimensions without one")
        digits = "".join(chr(ord("0") + d) for d in reversed(range(under)))
        hidden = max(hidden, digits, key=len)
        terms[position] = term.replace("...", digits)
    if arrow:
        result = right.replace("...", hidden, 1)
    else:
        everything = "".join(terms)
        result = hidden + "".join(sorted(i for i in set(everything) - set(hidden) if everything.count(i) == 1))
    for i in result:
        if result.count(i) > 1 or not any(i in term for term in terms):
            wrong = f"output subscript {i} must come once in the result and be one of an operand's"
            raise _error(equation, wrong, "after '->' each letter at most once, and only letters from before it")
    return tuple(terms), result


def _without(term, dims):
    return "".join(i for d, i in enumerate(term) if d not in dims)


def _diagonals(x, term):
    """An index that comes twice runs along a diagonal."""
    for i in dict.fromkeys(term):
        while term.count(i) > 1:
            first = term.index(i)
            second = term.index(i, first + 1)
            if x.shape[first] != x.shape[second]:
                wrong = f"index '{i}' is repeated but the sizes do not match, {x.shape[first]} and {x.shape[second]}"
                raise _error(describe(x), wrong, "two different letters, or a square part for a diagonal")
            x, term = x.diagonal(0, first, second), _without(term, (first, second)) + i
    return x, term


def _summed(x, term, wanted):
    """The operand without the indices that nobody else has."""
    dims = tuple(d for d, i in enumerate(term) if i not in wanted)
    return (sum(x, dims), _without(term, dims)) if dims else (x, term)


# --- written with it ------------------------------------------------------------------------------------------------------


@takes_out
def tensordot(a, b, dims=2):
    """The sum of products over pairs of dimensions: the last `dims` of a with the first of b, or those named."""
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(message("tensordot()", f"expects dims >= 0, but got dims={dims}"))
        if dims > min(a.ndim, b.ndim):
            wrong = f"expects dims < ndim_a or dims < ndim_b, but got dims={dims} for {describe(a)} and {describe(b)}"
            raise RuntimeError(message("tensordot()", wrong))
        dims = range(a.ndim - dims, a.ndim), range(dims)
    of_a, of_b = ([d] if isinstance(d, int) else list(d) for d in dims)
    if len(of_a) != len(of_b):
        raise RuntimeError(message("tensordot()", "both dimension lists should have same length"))
    of_a, of_b = [wrapped(d, a.ndim) for d in of_a], [wrapped(d, b.ndim) for d in of_b]
    for i, j in zip(of_a, of_b, strict=True):
        if a.shape[i] != b.shape[j] and 1 not in (a.shape[i], b.shape[j]):
            wrong = f"contracted dimensions need to match, but first has size {a.shape[i]} in dim {i}"
            raise RuntimeError(message("tensordot()", f"{wrong} and second has size {b.shape[j]} in dim {j}"))
    names = list(range(a.ndim + b.ndim))
    for i, j in zip(of_a, of_b, strict=True):
        names[a.ndim + j] = i
    result = [i for i in names if names.count(i) == 1]
    return einsum(a, names[: a.ndim], b, names[a.ndim :], result)


def bilinear(input1, input2, weight, bias=None):
    """A form of two inputs: outₒ = Σ input1ᵢ weightₒᵢⱼ input2ⱼ + biasₒ."""
    if not input1.ndim or not input2.ndim or weight.ndim != 3:
        wrong = f"two inputs with rows and a weight of 3 dimensions are needed, not {input1.ndim}D, {input2.ndim}D, {weight.ndim}D"
        raise RuntimeError(message("bilinear()", wrong))
    if input1.shape[:-1] != input2.shape[:-1]:
        wrong = f"the inputs' leading dimensions do not match: {list(input1.shape)} and {list(input2.shape)}"
        raise RuntimeError(message("bilinear()", wrong, instead="two inputs of as many rows"))
    for k, x in enumerate((input1, input2), 1):
        if x.shape[-1] != weight.shape[k]:
            wrong = f"input{k} size does not match weight size: got {x.shape[-1]} but expected {weight.shape[k]}"
            sizes = f"{input1.shape[-1]}, {input2.shape[-1]}, {weight.shape[0]}"
            raise RuntimeError(message("bilinear()", wrong, instead=f"nn.Bilinear({sizes})"))
    out = einsum("...i,oij,...j->...o", input1, weight, input2)
    return out if bias is None else out + bias
