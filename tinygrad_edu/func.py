"""`torch.func`: functions that take functions, and give their gradients, Jacobians, or batched forms.

Gradients are taken by walking back (`jvp` and `jacfwd` walk twice). `vmap` calls the function once for each element of
the batch and stacks the results: any function works, data-dependent branches too, at the cost of a plain loop.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from .autograd import grad as gradients
from .autograd.functional import _rows
from .autograd.modes import enable_grad
from .op import expand
from .ops import stack
from .ops.misuse import explain_all as _explain_all
from .tensor import Tensor

# --- trees: tensors in tuples, lists and dictionaries ----------------------------------------------------------------


def _leaves(tree: Any) -> Iterator[Any]:
    """What a tree holds, from left to right."""
    if isinstance(tree, Mapping):
        for value in tree.values():
            yield from _leaves(value)
    elif isinstance(tree, (tuple, list)):
        for value in tree:
            yield from _leaves(value)
    else:
        yield tree


def _mapped(function: Callable, tree: Any, *others: Any) -> Any:
    """A tree of the same form, of the function's results."""
    if isinstance(tree, Mapping):
        return type(tree)((k, _mapped(function, v, *[o[k] for o in others])) for k, v in tree.items())  # type: ignore[call-arg]
    if isinstance(tree, (tuple, list)):
        found = [_mapped(function, *parts) for parts in zip(tree, *others, strict=True)]
        return type(tree)(*found) if hasattr(tree, "_fields") else type(tree)(found)
    return function(tree, *others)


def _tensors(tree: Any, what: str) -> list[Tensor]:
    found = list(_leaves(tree))
    for t in found:
        if not isinstance(t, Tensor):
            raise RuntimeError(f"{what}: expected tensors, or tuples, lists and dicts of them, but got {type(t)}")
    return found


# --- gradients -------------------------------------------------------------------------------------------------------


def _fresh(tree: Any) -> Any:
    """The same values as places where a gradient is picked up, still part of an outer graph."""

    def one(t: Any) -> Any:
        if not isinstance(t, Tensor) or t.array.dtype.kind not in "fc":
            return t
        return expand(t, t.array.shape) if t.requires_grad else t.detach().requires_grad_()

    return _mapped(one, tree)


def _selected(args: tuple, argnums: int | tuple[int, ...]) -> list[int]:
    """Which arguments are differentiated, counted from 0."""
    found = []
    for i in (argnums,) if isinstance(argnums, int) else argnums:
        if not -len(args) <= i < len(args):
            raise RuntimeError(f"Got argnum={i}, but only {len(args)} positional inputs")
        found.append(i % len(args))
    return found


def _begun(args: tuple, argnums: int | tuple[int, ...]) -> tuple[list, list[int]]:
    """The arguments with those that are differentiated made fresh."""
    chosen = _selected(args, argnums)
    return [_fresh(a) if i in chosen else a for i, a in enumerate(args)], chosen


def _split(result: Any, has_aux: bool, what: str) -> tuple[Any, Any]:
    """The result, and what the function wants to hand out beside it."""
    if not has_aux:
        return result, None
    if not isinstance(result, tuple) or len(result) != 2:
        raise RuntimeError(f"{what}: output of function f should be a tuple: (output, aux) if has_aux is True")
    return result[0], _loose(result[1], False)


def _walk(ys: list[Tensor], xs: list[Tensor], vs: Sequence[Tensor | None], keep: bool) -> list[Tensor]:
    """The gradients of the results weighted by `vs`; zeros for what has no influence."""
    pairs = [(y, v) for y, v in zip(ys, vs, strict=True) if y.requires_grad]
    live = [x for x in xs if x.requires_grad]
    found: dict[int, Tensor | None] = {}
    if pairs and live:
        given = [v for _, v in pairs]
        answers = gradients([y for y, _ in pairs], live, given, retain_graph=True, create_graph=keep, allow_unused=True)
        found = {id(x): g for x, g in zip(live, answers, strict=True)}
    answered = [(x, found.get(id(x))) for x in xs]
    return [x.detach() * 0 if g is None else g for x, g in answered]


def _outer(args: Any) -> bool:
    """Whether somebody outside will differentiate what is computed: then results stay in the graph."""
    return _depth[0] > 0 or any(isinstance(t, Tensor) and t.requires_grad for t in _leaves(args))


_depth = [0]  # how many transforms are running around this one


@contextmanager
def _inside() -> Iterator[None]:
    """While a transform calls the user's function."""
    _depth[0] += 1
    try:
        with enable_grad():
            yield
    finally:
        _depth[0] -= 1


def _loose(tree: Any, keep: bool) -> Any:
    return _mapped(lambda t: t.detach() if isinstance(t, Tensor) and not keep else t, tree)


def grad_and_value(func: Callable, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable:
    """A function that answers the gradient of `func`, whose result is one number, and that result."""

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        keep = _outer((args, kwargs))
        with _inside():
            given, chosen = _begun(args, argnums)
            y, aux = _split(func(*given, **kwargs), has_aux, "grad_and_value(f)(*args)")
            if not isinstance(y, Tensor):
                raise RuntimeError(
                    f"grad_and_value(f)(*args): Expected f(*args) to return a tensor, got unexpected type {type(y)}"
                )
            if y.dim():
                raise RuntimeError(
                    "grad_and_value(f)(*args): Expected f(*args) to return a scalar tensor, "
                    f"got tensor with {y.dim()} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
                )
            picked = [given[i] for i in chosen]
            flat = _walk([y], _tensors(picked, "grad"), [None], keep)
        found = iter(flat)
        trees = [_mapped(lambda _: next(found), part) for part in picked]
        answer = trees[0] if isinstance(argnums, int) else tuple(trees)
        y = _loose(y, keep)
        return (answer, (y, aux)) if has_aux else (answer, y)

    return wrapper


def grad(func: Callable, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable:
    """A function that answers the gradient of `func`, whose result is one number."""
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return wrapper


def vjp(func: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """The result, and a function that multiplies a vector with the Jacobian: `v @ J`, a tuple by argument."""
    keep = _outer(primals)
    with _inside():
        given = [_fresh(p) for p in primals]
        result, aux = _split(func(*given), has_aux, "vjp(f, *primals)")
    ys, xs = _tensors(result, "vjp(f, *primals)"), _tensors(given, "vjp")

    def pull(*cotangents: Any) -> Any:
        vs = list(_leaves(cotangents[0] if len(cotangents) == 1 else cotangents))
        if len(vs) != len(ys):
            raise RuntimeError(
                f"Expected pytree structure of cotangents to be the outputs': {len(ys)} tensors, got {len(vs)}"
            )
        flat = iter(_walk(ys, xs, vs, _depth[0] > 0 or keep or _outer(vs)))
        return tuple(_mapped(lambda _: next(flat), part) for part in given)

    shown = _loose(result, keep)
    return (shown, pull, aux) if has_aux else (shown, pull)


def jvp(func: Callable, primals: tuple, tangents: tuple, *, strict: bool = False, has_aux: bool = False) -> tuple:
    """The result, and the product of the Jacobian with a vector: `J @ v`, by walking back twice."""
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise RuntimeError("jvp(f, primals, tangents): Expected primals and tangents to be tuples")
    if len(primals) != len(tangents):
        raise RuntimeError(
            f"jvp(f, primals, tangents): Expected as many tangents as primals, got {len(tangents)} for {len(primals)}"
        )
    keep = _outer((primals, tangents))
    with _inside():
        given = [_fresh(p) for p in primals]
        result, aux = _split(func(*given), has_aux, "jvp(f, primals, tangents)")
        ys, xs = _tensors(result, "jvp"), _tensors(given, "jvp")
        us = [(y.detach() * 0).requires_grad_() for y in ys]
        rows = _walk(ys, xs, us, True)
        flat = iter(_walk(rows, us, _tensors(tangents, "jvp"), keep))
    found = _mapped(lambda _: next(flat), result)
    shown = _loose(result, keep)
    return (shown, found, aux) if has_aux else (shown, found)


def jacrev(
    func: Callable,
    argnums: int | tuple[int, ...] = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable:
    """A function that answers all partial derivatives: the result's shape followed by the argument's."""

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        keep = _outer((args, kwargs))
        with _inside():
            given, chosen = _begun(args, argnums)
            result, aux = _split(func(*given, **kwargs), has_aux, "jacrev")
            picked = [given[i] for i in chosen]
            xs = _tensors(picked, "jacrev")

            def one(y: Tensor) -> Any:
                flat = iter(_rows(y, tuple(xs), keep, False))
                trees = [_mapped(lambda _: next(flat), part) for part in picked]
                return trees[0] if isinstance(argnums, int) else tuple(trees)

            found = _mapped(one, result)
        found = _loose(found, keep)
        return (found, aux) if has_aux else found

    return wrapper


def jacfwd(
    func: Callable,
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
) -> Callable:
    """The same as `jacrev`, by the same walks back: this engine has no forward mode."""
    return jacrev(func, argnums, has_aux=has_aux)


def hessian(func: Callable, argnums: int | tuple[int, ...] = 0) -> Callable:
    """A function that answers all second partial derivatives."""
    return jacfwd(jacrev(func, argnums), argnums)


# --- batches ---------------------------------------------------------------------------------------------------------


def _spread(dims: Any, tree: Any) -> Any:
    """One batch dimension, or None, for each leaf of a tree, from a tree of dimensions that may stop earlier."""
    if dims is None or isinstance(dims, int):
        return _mapped(lambda _: dims, tree)
    if isinstance(tree, Mapping):
        return type(tree)((k, _spread(dims[k], v)) for k, v in tree.items())  # type: ignore[call-arg]
    return type(tree)([_spread(d, t) for d, t in zip(dims, tree, strict=True)])


def vmap(
    func: Callable,
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable:
    """A function that takes and answers batches: `func` is called for each element of them, in a loop.

    Arguments and results may be tuples, lists and dictionaries of tensors. Random draws inside differ from element to
    element: `randomness` is checked and then without effect.
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        name = getattr(func, "__name__", repr(func))
        if not isinstance(in_dims, (int, tuple, list)):
            raise ValueError(
                f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): expected `in_dims` to be int or a (potentially "
                f"nested) tuple matching the structure of inputs, got: {type(in_dims)}."
            )
        if not args:
            raise ValueError(
                f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are "
                "trying to vmap over a function with no inputs. The latter is unsupported."
            )
        try:
            dims = _spread(tuple(in_dims) if isinstance(in_dims, list) else in_dims, args)
        except (TypeError, KeyError, ValueError):
            raise ValueError(
                f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): in_dims is not compatible with the structure of inputs."
            ) from None
        sizes = [_length(t, d, name) for t, d in zip(_leaves(args), _leaves(dims), strict=True) if d is not None]
        sizes += [t.shape[0] for t in _leaves(kwargs) if isinstance(t, Tensor) and t.dim()]
        if not sizes:
            raise ValueError(
                f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): at least one input must have a batch dimension, not None"
            )
        if len(set(sizes)) > 1:
            raise ValueError(
                f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sizes} for the "
                "mapped dimension"
            )
        if not sizes[0]:
            raise ValueError(
                f"vmap({name})(<inputs>): the batch is empty; a loop over nothing does not tell the results' shapes"
            )
        results = []
        for i in range(sizes[0]):
            pick = lambda t, d, i=i: t if d is None else t.select(d, i)  # noqa: E731
            named = _mapped(lambda t, i=i: t.select(0, i) if isinstance(t, Tensor) and t.dim() else t, kwargs)
            results.append(func(*_mapped(pick, args, dims), **named))
        return _stacked(results, out_dims, name)

    return wrapper


def _length(t: Any, dim: Any, name: str) -> int:
    """The size of a batch."""
    if not isinstance(t, Tensor):
        raise ValueError(
            f"vmap({name}, ...)(<inputs>): Got in_dim={dim} for an input but the input is of type {type(t)}. We cannot "
            "vmap over non-Tensor arguments, please use None as the respective in_dim"
        )
    if not -t.dim() <= dim < t.dim():
        raise ValueError(
            f"vmap({name}, ...)(<inputs>): Got in_dim={dim} for some input, but that input is a Tensor of "
            f"dimensionality {t.dim()} so expected in_dim to satisfy -{t.dim()} <= in_dim < {t.dim()}."
        )
    return t.shape[dim]


def _stacked(results: list, out_dims: Any, name: str) -> Any:
    """The batch of results."""
    first = results[0]
    for t in _leaves(first):
        if not isinstance(t, Tensor):
            raise ValueError(f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(t)}.")
    try:
        dims = _spread(out_dims[0] if isinstance(first, Tensor) and isinstance(out_dims, tuple) else out_dims, first)
    except (TypeError, KeyError, ValueError):
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims}): out_dims is not compatible with the structure of `outputs`."
        ) from None
    return _mapped(lambda dim, *parts: parts[0] if dim is None else stack(list(parts), dim), dims, *results)


# --- modules ---------------------------------------------------------------------------------------------------------


@contextmanager
def _replaced(module: Any, tensors: Mapping[str, Tensor], tie_weights: bool, strict: bool) -> Iterator[None]:
    """While inside, a module has other parameters and buffers."""
    own = dict(module.named_parameters(remove_duplicate=False)) | dict(module.named_buffers(remove_duplicate=False))
    extra, missing = [k for k in tensors if k not in own], [k for k in own if k not in tensors]
    if strict and (extra or missing):
        raise RuntimeError(f"Error(s) in loading state_dict: unexpected key(s) {extra}, missing key(s) {missing}.")
    if extra:
        raise AttributeError(f"the module has no parameter or buffer {extra[0]!r}; it has {', '.join(own) or 'none'}")
    swapped = dict(tensors)
    if tie_weights:
        by_identity = {id(own[name]): value for name, value in tensors.items()}
        swapped |= {name: by_identity[id(t)] for name, t in own.items() if id(t) in by_identity and name not in tensors}
    places = []
    for name, value in swapped.items():
        path, _, last = name.rpartition(".")
        holder = module.get_submodule(path)
        table = holder._parameters if last in holder._parameters else holder._buffers
        places.append((table, last, value))
    before = [table[last] for table, last, _ in places]
    try:
        for table, last, value in places:
            table[last] = value
        yield
    finally:
        for (table, last, _), value in zip(places, before, strict=True):
            table[last] = value


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module as if its parameters and buffers were others, given by name; those not named stay its own."""
    if isinstance(parameter_and_buffer_dicts, Mapping):
        tensors = dict(parameter_and_buffer_dicts)
    elif isinstance(parameter_and_buffer_dicts, Sequence):
        tensors = {}
        for each in parameter_and_buffer_dicts:
            repeated = tensors.keys() & each.keys()
            if repeated:
                raise ValueError(
                    f"{sorted(repeated)} appeared in multiple dictionaries; behavior of functional call is ambiguous"
                )
            tensors.update(each)
    else:
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, "
            f"but got {type(parameter_and_buffer_dicts)}"
        )
    given = () if args is None else args if isinstance(args, tuple) else (args,)
    with _replaced(module, tensors, tie_weights, strict):
        return module(*given, **(kwargs or {}))


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters, and the buffers, of several modules of one class, stacked by name: for `vmap` over models."""
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({m.training for m in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if len({type(m) for m in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")

    def stacked(tables: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        found = {}
        for name in tables[0]:
            each = [table[name] for table in tables]
            asking = {t.requires_grad for t in each}
            if len(asking) > 1:
                raise RuntimeError(f"Expected {name} from each model to have the same .requires_grad")
            found[name] = stack([t.detach() for t in each]).requires_grad_(asking.pop())
        return found

    return stacked([dict(m.named_parameters()) for m in models]), stacked([dict(m.named_buffers()) for m in models])


__all__ = [
    "functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "stack_module_state", "vjp",
    "vmap",
]  # fmt: skip

_explain_all(globals())
