"""`Optimizer`: parameters in groups with their options, a state for each parameter, and what can be saved of both."""

from __future__ import annotations

import copy
import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from ..autograd.graph import Handle
from ..autograd.modes import no_grad
from ..errors import describe, message, translated
from ..tensor import Tensor, wrap

ParamsT = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
params_t = ParamsT  # its older name

StateDict = dict[str, Any]


class _Required:
    """Stands in `defaults` for an option that every group must give."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()

_pre_hooks: dict[int, Callable] = OrderedDict()  # around the steps of all optimizers
_post_hooks: dict[int, Callable] = OrderedDict()


def register_optimizer_step_pre_hook(hook: Callable) -> Handle:
    """Before a step of any optimizer, call `hook(optimizer, args, kwargs)`."""
    return Handle(_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Callable) -> Handle:
    """After a step of any optimizer, call `hook(optimizer, args, kwargs)`."""
    return Handle(_post_hooks, hook)


def hooks_around(optimizer: Optimizer) -> list[dict[int, Callable]]:
    """All that is called before and after a step of an optimizer: of all optimizers, and of this one."""
    own = (optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks)
    return [_pre_hooks, _post_hooks, *own]


class Optimizer:
    """Base of all optimizers: a subclass gives its options as `defaults` and says in `step` how parameters change."""

    param_groups: list[dict[str, Any]]
    state: defaultdict[Tensor, Any]
    counters: ClassVar[frozenset[str]] = frozenset({"step"})  # states that are numbers, whatever the parameter's type
    _opt_called = False  # whether `step` was ever called: schedules ask

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            wrong = "params argument given to the optimizer should be an iterable of Tensors or dicts, but got"
            raise TypeError(f"{wrong} {describe(params)}; write [tensor]")
        if hasattr(params, "parameters"):
            kind = type(params).__name__
            raise TypeError(message("optimizer", f"'{kind}' object is not iterable", instead="model.parameters()"))
        if callable(params):
            instead = f"model.{getattr(params, '__name__', 'parameters')}(), with its parentheses"
            raise TypeError(message("optimizer", f"'{type(params).__name__}' object is not iterable", instead=instead))
        if not isinstance(defaults, dict):
            raise TypeError(message("optimizer", f"defaults must be a dict of options, not {type(defaults).__name__}"))
        self.defaults = defaults
        self.state = defaultdict(dict)
        self.param_groups = []
        self._prepare_hooks()
        groups: list[Any] = list(params)
        if not groups:
            instead = "parameters of layers: attributes of a Module, or inside nn.ModuleList, not in a plain list"
            raise ValueError(message("optimizer", "optimizer got an empty parameter list", instead=instead))
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "step" in cls.__dict__:
            cls.step = Optimizer.profile_hook_step(cls.__dict__["step"])  # type: ignore[method-assign]

    # --- parameters and their options -----------------------------------------------------------------------------

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimize more parameters, with options of their own where the group gives them."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = param_group
        params = group["params"]
        if isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but "
                "the ordering of tensors in sets will change between runs. Please use a list instead."
            )
        group["params"] = [params] if isinstance(params, Tensor) else list(params)
        _take_names(group)
        for p in group["params"]:
            self._check_parameter(p)
        for name, default in self.defaults.items():
            if default is required and name not in group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            group.setdefault(name, default)
        if len(group["params"]) != len(set(group["params"])):
            text = "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error"
            warnings.warn(text, stacklevel=3)
        for other in self.param_groups:
            if ("param_names" in group) != ("param_names" in other):
                kind = "with names" if "param_names" in group else "without names"
                raise ValueError(
                    "all optimizer param groups should be with/without names. "
                    f"cannot add param group {kind} to the optimizer"
                )
            if not set(other["params"]).isdisjoint(group["params"]):
                raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(group)

    def _check_parameter(self, p: Any) -> None:
        if not isinstance(p, Tensor):
            wrong = f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}"
            instead = "model.parameters(), or [p for m in models for p in m.parameters()] for several"
            raise TypeError(message("optimizer", wrong, instead=instead))
        if not (p.is_leaf or p.retains_grad or self.defaults.get("differentiable")):
            raise ValueError(
                message(
                    f"optimizer given {describe(p)}",
                    "can't optimize a non-leaf Tensor",
                    instead="x = x.detach().requires_grad_(), or make it with requires_grad=True on its device at once",
                )
            )

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or fill them with zeros."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p._grad = None
                elif p.grad is not None:
                    p.grad = p.grad.detach() if p.grad.requires_grad else p.grad
                    p.grad.zero_()

    # --- the step -------------------------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the parameters by their gradients; `closure` computes loss and gradients anew."""
        raise NotImplementedError(f"{type(self).__name__} does not define step()")

    @staticmethod
    def profile_hook_step(step: Callable) -> Callable:
        """A class's `step`, with the hooks around it; a `step` that a subclass calls by `super()` runs bare."""

        @functools.wraps(step)
        def hooked(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
            if "_optimizer_step_pre_hooks" not in self.__dict__:  # it wraps an optimizer, and has never called __init__
                self._opt_called = True
                return step(self, *args, **kwargs)
            if not self._opt_called:
                self._opt_called = True
                self._look_for_gradients(bool(args or kwargs))
            pre, post = self._optimizer_step_pre_hooks, self._optimizer_step_post_hooks
            if not (pre or post or _pre_hooks or _post_hooks) or type(self).step is not hooked:
                try:
                    return step(self, *args, **kwargs)
                except MemoryError as error:
                    raise translated(f"{type(self).__name__}.step", [], error) from error
            given = (self, *args)
            for hook in (*_pre_hooks.values(), *pre.values()):
                answer = hook(self, given, kwargs)
                if answer is not None:
                    if not (isinstance(answer, tuple) and len(answer) == 2):
                        wrong = f"must return None or a tuple of (new_args, new_kwargs), but got {answer}"
                        raise RuntimeError(f"step pre-hook of {type(self).__name__} {wrong}")
                    given, kwargs = answer
            result = step(*given, **kwargs)
            for hook in (*post.values(), *_post_hooks.values()):
                hook(self, given, kwargs)
            return result

        hooked.hooked = True  # type: ignore[attr-defined]
        return hooked

    def _look_for_gradients(self, closure: bool) -> None:
        """Before the first step: warn where no step can ever change anything."""
        params = [p for group in self.param_groups for p in group["params"]]
        if not closure and not any(p.requires_grad or p.grad is not None for p in params):
            text = (
                f"{type(self).__name__}.step(): none of the {len(params)} parameters requires a gradient, so that "
                "nothing is trained; write requires_grad_() before the optimizer is made"
            )
            warnings.warn(text, UserWarning, stacklevel=3)

    # --- what is saved --------------------------------------------------------------------------------------------

    def state_dict(self) -> StateDict:
        """Everything but the parameters, which are numbered in the order of the groups."""
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        numbers: dict[Tensor, int] = {}
        groups, first = [], 0
        for group in self.param_groups:
            for number, p in enumerate(group["params"], first):
                numbers.setdefault(p, number)
            first += len(group["params"])
            groups.append({**_without_params(group), "params": [numbers[p] for p in group["params"]]})
        state = {numbers[k] if isinstance(k, Tensor) else k: v for k, v in self.state.items()}
        result: StateDict = {"state": state, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            result = _or(hook(self, result), result)
        return result

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Take over copies of a saved state and its options; the parameters are matched by their order."""
        saved = dict(state_dict)
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            saved = _or(hook(self, saved), saved)
        if not {"state", "param_groups"} <= set(saved):
            raise KeyError(
                message(
                    "load_state_dict",
                    f"no state and param_groups in {list(saved)[:5]}",
                    instead="what state_dict() gave",
                )
            )
        groups = [{**copy.deepcopy(_without_params(g)), "params": list(g["params"])} for g in saved["param_groups"]]
        if len(groups) != len(self.param_groups):
            wrong = "loaded state dict has a different number of parameter groups"
            raise ValueError(f"{wrong}: {len(groups)}, the optimizer {len(self.param_groups)}")
        for i, (own, other) in enumerate(zip(self.param_groups, groups, strict=True)):
            if len(own["params"]) != len(other["params"]):
                wrong = "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
                raise ValueError(f"{wrong}: group {i} has {len(other['params'])} parameters, {len(own['params'])} here")
        owner: dict[Any, Tensor] = {}
        for own, other in zip(self.param_groups, groups, strict=True):
            owner.update(zip(other["params"], own["params"], strict=True))
            other["params"] = own["params"]
            if "param_names" in own:
                other.setdefault("param_names", own["param_names"])
        state: defaultdict[Any, Any] = defaultdict(dict)
        for key, value in saved["state"].items():
            state[owner.get(key, key)] = self._adapted(owner[key], value) if key in owner else value
        self.__setstate__({"state": state, "param_groups": groups})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def _adapted(self, p: Tensor, value: Any, name: Any = None) -> Any:
        """A copy of a saved state: tensors with the type and on the device of their parameter, counters as they are."""
        if isinstance(value, Tensor):
            if name in self.counters:
                return wrap(value.array.copy())
            return value.detach().to(
                device=p.device, dtype=p.dtype if p.is_floating_point() else value.dtype, copy=True
            )
        if isinstance(value, dict):
            return {k: self._adapted(p, v, k) for k, v in value.items()}
        if isinstance(value, (list, tuple, set)):
            return type(value)(self._adapted(p, v) for v in value)
        return value

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if "_optimizer_step_pre_hooks" not in self.__dict__:
            self._prepare_hooks()
        for group in self.param_groups:  # saved before an option was known
            for name, default in self.defaults.items():
                group.setdefault(name, default)

    # --- hooks ----------------------------------------------------------------------------------------------------

    def _prepare_hooks(self) -> None:
        self._optimizer_step_pre_hooks: OrderedDict[int, Callable] = OrderedDict()
        self._optimizer_step_post_hooks: OrderedDict[int, Callable] = OrderedDict()
        self._optimizer_state_dict_pre_hooks: OrderedDict[int, Callable] = OrderedDict()
        self._optimizer_state_dict_post_hooks: OrderedDict[int, Callable] = OrderedDict()
        self._optimizer_load_state_dict_pre_hooks: OrderedDict[int, Callable] = OrderedDict()
        self._optimizer_load_state_dict_post_hooks: OrderedDict[int, Callable] = OrderedDict()

    def register_step_pre_hook(self, hook: Callable) -> Handle:
        """Before each step, call `hook(optimizer, args, kwargs)`; it may answer with other `(args, kwargs)`."""
        return Handle(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable) -> Handle:
        """After each step, call `hook(optimizer, args, kwargs)`."""
        return Handle(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Before the state is collected, call `hook(optimizer)`."""
        return _registered(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """After the state is collected, call `hook(optimizer, state_dict)`; it may answer with another."""
        return _registered(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Before a state is loaded, call `hook(optimizer, state_dict)`; it may answer with another."""
        return _registered(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """After a state is loaded, call `hook(optimizer)`."""
        return _registered(self._optimizer_load_state_dict_post_hooks, hook, prepend)

    def __repr__(self) -> str:
        text = f"{type(self).__name__} ("
        for i, group in enumerate(self.param_groups):
            options = (f"    {name}: {group[name]}\n" for name in sorted(_without_params(group)))
            text += f"\nParameter Group {i}\n{''.join(options)}"
        return text + ")"


def _use_grad_for_differentiable(step: Callable) -> Callable:
    """What optimizers written for PyTorch decorate their `step` with: nothing in it is recorded."""
    return no_grad()(step)


def _without_params(group: dict[str, Any]) -> dict[str, Any]:
    """A group's options."""
    return {name: value for name, value in group.items() if name != "params"}


def _take_names(group: dict[str, Any]) -> None:
    """Split `(name, parameter)` pairs, as `named_parameters()` gives them, into names and parameters."""
    names = [p[0] for p in group["params"] if isinstance(p, tuple)]
    if not names:
        return
    if len(names) != len(group["params"]):
        raise ValueError("all optimizer params should be with/without names. Some param names are missing")
    group["params"] = [p[1] for p in group["params"]]
    group["param_names"] = names


def _registered(hooks: OrderedDict[int, Callable], hook: Callable, prepend: bool) -> Handle:
    handle = Handle(hooks, hook)
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def _or(answer: Any, before: Any) -> Any:
    """What a hook has answered, or what was there before where it answered nothing."""
    return before if answer is None else answer


__all__ = ["Optimizer", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook"]
