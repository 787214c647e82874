"""Derivatives of functions: products with Jacobians and Hessians, and these matrices themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import devices
from ..op import expand
from ..ops import stack
from ..ops.misuse import explain_all as _explain_all
from ..tensor import Tensor, wrap
from .gradient import grad
from .modes import enable_grad

# what users pass and get: one tensor, or a tuple
Tensors = Tensor | tuple[Tensor, ...]


def vjp(
    func: Callable, inputs: Tensors, v: Tensors | None = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The results, and the product of a vector with the Jacobian: `v @ J`."""
    with enable_grad():
        xs, x_one = _tensors(inputs, "inputs", "vjp")
        xs = _fresh(xs, create_graph)
        ys, y_one = _results(func, xs, "vjp", strict)
        vs = _vector(v, ys, "vjp", "outputs")
        found = _gradients(ys, xs, vs, create_graph, strict, "vjp")
    return _given_back(ys, y_one, create_graph), _given_back(found, x_one, create_graph)


def jvp(
    func: Callable, inputs: Tensors, v: Tensors | None = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The results, and the product of the Jacobian with a vector: `J @ v`.

    `u @ J` is linear in `u`, and the gradient of `(u @ J) . v` with respect to `u` is `J @ v`: two walks back make
    one forward.
    """
    with enable_grad():
        xs, _ = _tensors(inputs, "inputs", "jvp")
        vs = _vector(v, xs, "jvp", "inputs")
        xs = _fresh(xs, create_graph)
        ys, y_one = _results(func, xs, "jvp", strict)
        us = tuple(_zeros(y).requires_grad_() for y in ys)
        found = _gradients(ys, xs, us, True, strict, "jvp")
        products = _gradients(found, us, vs, create_graph, strict, "jvp")
    return _given_back(ys, y_one, create_graph), _given_back(products, y_one, create_graph)


def jacobian(
    func: Callable,
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """All partial derivatives: for each result and input a tensor of the result's shape followed by the input's."""
    with enable_grad():
        xs, x_one = _tensors(inputs, "inputs", "jacobian")
        xs = _fresh(xs, create_graph)
        ys, y_one = _results(func, xs, "jacobian", strict)
        table = [_rows(y, xs, create_graph, strict) for y in ys]
    table = [_given_back(row, x_one, create_graph) for row in table]
    return table[0] if y_one else tuple(table)


def hessian(
    func: Callable,
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """All second partial derivatives of a function with one number as its result."""
    xs, x_one = _tensors(inputs, "inputs", "hessian")

    def first(*xs: Tensor) -> Any:
        return jacobian(lambda *xs: _number(func(*xs), "hessian"), xs, create_graph=True, strict=strict)

    found = jacobian(first, xs, create_graph=create_graph, strict=strict)
    return found[0][0] if x_one else found


def vhp(
    func: Callable, inputs: Tensors, v: Tensors | None = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The result, and the product of a vector with the Hessian: `v @ H`."""
    with enable_grad():
        xs, x_one = _tensors(inputs, "inputs", "vhp")
        vs = _vector(v, xs, "vhp", "inputs")
        xs = _fresh(xs, create_graph)
        y, first = _first(func, xs, strict, "vhp")
        found = _gradients(first, xs, vs, create_graph, strict, "vhp")
    return _given_back((y,), True, create_graph), _given_back(found, x_one, create_graph)


def hvp(
    func: Callable, inputs: Tensors, v: Tensors | None = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The result, and the product of the Hessian with a vector: `H @ v`, by two walks over the gradient."""
    with enable_grad():
        xs, x_one = _tensors(inputs, "inputs", "hvp")
        vs = _vector(v, xs, "hvp", "inputs")
        xs = _fresh(xs, create_graph)
        y, first = _first(func, xs, strict, "hvp")
        us = tuple(_zeros(x).requires_grad_() for x in xs)
        second = _gradients(first, xs, us, True, strict, "hvp")
        found = _gradients(second, us, vs, create_graph, strict, "hvp")
    return _given_back((y,), True, create_graph), _given_back(found, x_one, create_graph)


def _tensors(values: Any, what: str, name: str) -> tuple[tuple[Tensor, ...], bool]:
    """One tensor or several, as a tuple, and whether it was one."""
    one = not isinstance(values, (tuple, list))
    values = (values,) if one else tuple(values)
    for i, t in enumerate(values):
        if not isinstance(t, Tensor):
            place = "" if one else f" at index {i}"
            raise TypeError(
                f"The {what} of {name} must be either a Tensor or a tuple of Tensors but the value{place} "
                f"has type {type(t)}."
            )
    return values, one


def _fresh(xs: Sequence[Tensor], create_graph: bool) -> tuple[Tensor, ...]:
    """The inputs as places where a gradient can be picked up, still part of the user's graph if that is wanted."""
    if create_graph:
        return tuple(expand(x, x.array.shape) if x.requires_grad else x.detach().requires_grad_() for x in xs)
    return tuple(x.detach().requires_grad_() for x in xs)


def _results(func: Callable, xs: Sequence[Tensor], name: str, strict: bool) -> tuple[tuple[Tensor, ...], bool]:
    ys, one = _tensors(func(*xs), "outputs of the user-provided function", name)
    for i, y in enumerate(ys):
        if strict and not y.requires_grad:
            raise RuntimeError(
                f"Output {i} of the user-provided function does not require gradients. "
                "The outputs must be computed in a differentiable manner from the input when running in strict mode."
            )
    return ys, one


def _number(y: Any, name: str) -> Tensor:
    """The result, which must be one number."""
    if not isinstance(y, Tensor):
        raise TypeError(f"The output of the user-provided function of {name} must be a Tensor, not {type(y)}.")
    if y.array.size != 1:
        raise RuntimeError(
            f"The Tensor returned by the function given to {name} should contain a single element, "
            f"not {list(y.shape)}; write .sum()"
        )
    return y if not y.array.ndim else y.sum()


def _first(func: Callable, xs: tuple[Tensor, ...], strict: bool, name: str) -> tuple[Tensor, tuple[Tensor, ...]]:
    """A function's result and its gradient, which can be differentiated again."""
    (y,), _ = _results(lambda *xs: _number(func(*xs), name), xs, name, strict)
    return y, _gradients((y,), xs, None, True, strict, name)


def _vector(v: Any, like: tuple[Tensor, ...], name: str, what: str) -> tuple[Tensor, ...] | None:
    """The vector that is multiplied with, which may be left out where there is one number."""
    if v is None:
        if len(like) != 1 or like[0].array.size != 1:
            raise RuntimeError(
                f"The vector v can only be None if the user-provided function of {name} has "
                f"{'a single Tensor with a single element as output' if what == 'outputs' else 'an input with a single element'}."
            )
        return tuple(wrap(devices.ones(t.array.shape, t.array.dtype, like=t.array)) for t in like)
    vs, _ = _tensors(v, "v", name)
    if len(vs) != len(like):
        raise RuntimeError(f"v is a tuple of invalid length: should be {len(like)} but got {len(vs)}.")
    for i, (each, t) in enumerate(zip(vs, like, strict=True)):
        if each.array.shape != t.array.shape:
            raise RuntimeError(
                f"v has invalid size: entry {i} should be {list(t.shape)} as the {what}, but got {list(each.shape)}."
            )
    return vs


def _gradients(
    ys: Sequence[Tensor], xs: Sequence[Tensor], vs: Any, create_graph: bool, strict: bool, name: str
) -> tuple[Tensor, ...]:
    """The gradients of the results, weighted by `vs`, zeros where an input has no influence."""
    pairs = list(zip(ys, vs or [None] * len(ys), strict=True))
    pairs = [(y, v) for y, v in pairs if y.requires_grad]
    found: Sequence[Tensor | None] = [None] * len(xs)
    if pairs:
        found = grad(
            [y for y, _ in pairs],
            xs,
            [v for _, v in pairs],
            retain_graph=True,
            create_graph=create_graph,
            allow_unused=True,
        )
    if strict:
        for i, g in enumerate(found):
            if g is None or (create_graph and not g.requires_grad):
                raise RuntimeError(
                    f"{name}: the output of the user-provided function is independent of input {i}. "
                    "This is not allowed in strict mode."
                )
    return tuple(_zeros(x) if g is None else g for x, g in zip(xs, found, strict=True))


def _rows(y: Tensor, xs: tuple[Tensor, ...], create_graph: bool, strict: bool) -> tuple[Tensor, ...]:
    """The Jacobians of one result, a walk back for each of its elements."""
    rows: list[tuple[Tensor, ...]] = []
    for index in np.ndindex(y.array.shape):
        one = devices.zeros(y.array.shape, y.array.dtype, like=y.array)
        one[index] = 1
        rows.append(_gradients((y,), xs, (wrap(one),), create_graph, strict, "jacobian"))
    shapes = [(*y.array.shape, *x.array.shape) for x in xs]
    if not rows:
        return tuple(wrap(devices.zeros(s, x.array.dtype, like=x.array)) for s, x in zip(shapes, xs, strict=True))
    return tuple(stack(each).reshape(s) for each, s in zip(zip(*rows, strict=True), shapes, strict=True))


def _zeros(t: Tensor) -> Tensor:
    return wrap(devices.zeros(t.array.shape, t.array.dtype, like=t.array))


def _given_back(tensors: Sequence[Tensor], one: bool, create_graph: bool) -> Any:
    """What the user gets: without the graph unless it was asked for, a tuple unless one tensor was given."""
    if not create_graph:
        tensors = [t.detach() for t in tensors]
    return tensors[0] if one else tuple(tensors)


_explain_all(globals())
