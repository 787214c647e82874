"""`Module`: what layers are made from. It finds its parameters, buffers and submodules as they are assigned."""

from __future__ import annotations

import difflib
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ... import dtypes
from ...autograd.graph import Handle
from ...autograd.modes import no_grad
from ...tensor import Tensor
from ..parameter import Buffer, Parameter, is_lazy
from . import hooks
from .hooks import EVERYWHERE, Hooks


class IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What `load_state_dict` could not match."""

    __slots__ = ()

    def __repr__(self) -> str:
        return super().__repr__() if self.missing_keys or self.unexpected_keys else "<All keys matched successfully>"


class Module:
    """Base of all layers and networks: assign parameters and submodules in `__init__`, compute in `forward`."""

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _hooks: Hooks | None
    _version = 1  # of the layout of a state dict, as PyTorch counts it

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args or kwargs:
            extra = f"keyword argument '{next(iter(kwargs))}'" if kwargs else f"{len(args)} positional arguments"
            raise TypeError(f"{type(self).__name__}.__init__() got unexpected {extra}")
        self.__dict__.update(
            training=True, _parameters={}, _buffers={}, _modules={}, _hooks=None, _non_persistent_buffers_set=set()
        )

    # --- the call -----------------------------------------------------------------------------------------------

    def forward(self, *input: Any) -> Any:
        """Compute the result; every subclass says how."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._hooks is None and not EVERYWHERE.forward and not EVERYWHERE.forward_pre and not EVERYWHERE.backward:
            return self.forward(*args, **kwargs)
        return hooks.call(self, self._hooks or Hooks(), args, kwargs)

    def _some_hooks(self) -> Hooks:
        if self._hooks is None:
            self._hooks = Hooks()
        return self._hooks

    def register_forward_pre_hook(self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False) -> Handle:
        """Before the forward, call `hook(module, args)`; what it returns replaces the arguments."""
        return _registered(self._some_hooks().forward_pre, (hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> Handle:
        """After the forward, call `hook(module, args, output)`; what it returns replaces the output."""
        if always_call:
            self._some_hooks().always.add(hook)
        return _registered(self._some_hooks().forward, (hook, with_kwargs), prepend)

    def register_full_backward_pre_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """When the gradients of the outputs are known, call `hook(module, grad_output)`."""
        return _registered(self._some_hooks().backward_pre, hook, prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """When the gradients of the inputs are known, call `hook(module, grad_input, grad_output)`."""
        return _registered(self._some_hooks().backward, hook, prepend)

    register_backward_hook = register_full_backward_hook

    def register_state_dict_pre_hook(self, hook: Callable) -> Handle:
        """Before the state is collected, call `hook(module, prefix, keep_vars)`."""
        return _registered(self._some_hooks().state_pre, hook, False)

    def register_state_dict_post_hook(self, hook: Callable) -> Handle:
        """After the state is collected, call `hook(module, state_dict, prefix, local_metadata)`."""
        return _registered(self._some_hooks().state, hook, False)

    _register_state_dict_hook = register_state_dict_post_hook

    def register_load_state_dict_pre_hook(self, hook: Callable) -> Handle:
        """Before a state is loaded, call `hook(module, state_dict, prefix, metadata, strict, missing, unexpected, errors)`."""
        return _registered(self._some_hooks().load_pre, hook, False)

    def _register_load_state_dict_pre_hook(self, hook: Callable, with_module: bool = False) -> Handle:
        return self.register_load_state_dict_pre_hook(hook if with_module else lambda module, *args: hook(*args))

    def register_load_state_dict_post_hook(self, hook: Callable) -> Handle:
        """After a state is loaded, call `hook(module, incompatible_keys)`."""
        return _registered(self._some_hooks().load_post, hook, False)

    # --- what it is made of ---------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if isinstance(value, (Parameter, Module)) or isinstance(value, Buffer):
            if "_modules" not in own:
                kind = "module" if isinstance(value, Module) else "parameters"
                raise AttributeError(f"cannot assign {kind} before Module.__init__() call; write super().__init__() first")
            self._forget(name)
            if isinstance(value, Parameter):
                self.register_parameter(name, value)
            elif isinstance(value, Module):
                self._modules[name] = value
            else:
                self.register_buffer(name, value, value.persistent)
            return
        if "_modules" in own:
            if name in self._parameters:
                if value is not None:
                    raise TypeError(
                        f"cannot assign '{_type_name(value)}' as parameter '{name}' (torch.nn.Parameter or None expected)"
                    )
                self._parameters[name] = None
                return
            if name in self._modules:
                if value is not None:
                    raise TypeError(
                        f"cannot assign '{_type_name(value)}' as child module '{name}' (torch.nn.Module or None expected)"
                    )
                self._modules[name] = None
                return
            if name in self._buffers:
                if value is not None and not isinstance(value, Tensor):
                    raise TypeError(
                        f"cannot assign '{_type_name(value)}' as buffer '{name}' (torch.Tensor or None expected)"
                    )
                self._buffers[name] = value
                return
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        for kind in ("_parameters", "_buffers", "_modules"):
            if kind in own and name in own[kind]:
                return own[kind][name]
        near = difflib.get_close_matches(name, [*own.get("_parameters", ()), *own.get("_modules", ()), *dir(type(self))], 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'{hint}")

    def __delattr__(self, name: str) -> None:
        for kind in (self._parameters, self._buffers, self._modules):
            if name in kind:
                del kind[name]
                self._non_persistent_buffers_set.discard(name)
                return
        super().__delattr__(name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    def _forget(self, name: str) -> None:
        self.__dict__.pop(name, None)
        for kind in (self._parameters, self._buffers, self._modules):
            if name in kind:
                del kind[name]
        self._non_persistent_buffers_set.discard(name)

    def _check_name(self, name: Any, what: str, mine: dict) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{what} name should be a string. Got {type(name).__name__}")
        if "." in name:
            raise KeyError(f'{what} name can\'t contain ".", got: {name}')
        if not name:
            raise KeyError(f'{what} name can\'t be empty string ""')
        if hasattr(self, name) and name not in mine:
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter, or the place for one (None)."""
        if "_parameters" not in self.__dict__:
            raise AttributeError("cannot assign parameter before Module.__init__() call")
        self._check_name(name, "parameter", self._parameters)
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"cannot assign '{_type_name(param)}' object to parameter '{name}' (torch.nn.Parameter or None required)")
        if param is not None and param.grad_fn is not None:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. "
                f"To express '{name}' as a function of another Tensor, compute the value in the forward() method."
            )
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that belongs to the state but is not trained."""
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        self._check_name(name, "buffer", self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"cannot assign '{_type_name(tensor)}' object to buffer '{name}' (torch Tensor or None required)")
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_module(self, name: str, module: Module | None) -> None:
        """Add a submodule."""
        self.add_module(name, module)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{_type_name(module)} is not a Module subclass")
        self._check_name(name, "module", self._modules)
        self._modules[name] = module

    def get_submodule(self, target: str) -> Module:
        """The submodule at a dotted path."""
        found = self
        for part in target.split(".") if target else ():
            if not hasattr(found, part):
                raise AttributeError(f"{type(found).__name__} has no attribute `{part}`")
            found = getattr(found, part)
            if not isinstance(found, Module):
                raise AttributeError(f"`{part}` is not an nn.Module")
        return found

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put a module at a dotted path."""
        if not target:
            raise ValueError("Cannot set the submodule without a target name!")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{type(parent).__name__} has no attribute `{name}`")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path."""
        return self._named(target, "_parameters", "nn.Parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a dotted path."""
        return self._named(target, "_buffers", "buffer")

    def _named(self, target: str, kind: str, what: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
        if name not in module.__dict__[kind]:
            raise AttributeError(f"`{name}` is not an {what}" if what[0] in "n" else f"`{name}` is not a {what}")
        return module.__dict__[kind][name]

    # --- walking through it ----------------------------------------------------------------------------------------

    def named_modules(
        self, memo: set | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it, each once, with their dotted names."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def _named_members(self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
        seen = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, value in module.__dict__[kind].items():
                if value is None or value in seen:
                    continue
                if remove_duplicate:
                    seen.add(value)
                yield (f"{path}.{name}" if path else name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their dotted names, in the order of definition, each once."""
        return self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their dotted names."""
        return self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly below, each once, with their names."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, in the order of definition, each once."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    def modules(self) -> Iterator[Module]:
        """This module and all below it."""
        return (m for _, m in self.named_modules())

    def children(self) -> Iterator[Module]:
        """The modules directly below."""
        return (m for _, m in self.named_children())

    # --- changing all of it -----------------------------------------------------------------------------------------

    def apply(self, fn: Callable[[Module], None]) -> Module:
        """Call `fn` on every module below, then on this one."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _apply(self, change: Callable[[Tensor], Tensor]) -> Module:
        """Replace the data of every parameter and buffer by `change` of it."""
        for module in self.children():
            module._apply(change)
        for param in self._parameters.values():
            if param is not None:
                with no_grad():
                    param.data = change(param.data)
                    if param.grad is not None:
                        grad = change(param.grad)
                        param.grad = None
                        param.grad = grad
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = change(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Module:
        """Move to a device or to a floating-point dtype; integers keep theirs."""
        dtype = next((a for a in (*args, kwargs.get("dtype")) if isinstance(a, dtypes.dtype)), None)
        like = next((a for a in args if isinstance(a, Tensor)), None)
        dtype = like.dtype if like is not None else dtype
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}")
        devices = [a for a in args if not isinstance(a, (dtypes.dtype, Tensor, bool))]
        device = like.device if like is not None else kwargs.get("device", devices[0] if devices else None)

        def change(t: Tensor) -> Tensor:
            kind = dtype if t.is_floating_point() or t.is_complex() else None
            return t.to(device=device, dtype=kind) if device is not None or kind is not None else t

        return self._apply(change)

    def _cast(self, dtype: dtypes.dtype) -> Module:
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def float(self) -> Module:
        """Floating-point parameters and buffers in single precision."""
        return self._cast(dtypes.float32)

    def double(self) -> Module:
        """Floating-point parameters and buffers in double precision."""
        return self._cast(dtypes.float64)

    def half(self) -> Module:
        """Floating-point parameters and buffers in half precision."""
        return self._cast(dtypes.float16)

    def type(self, dst_type: Any) -> Module:
        """All parameters and buffers in another dtype."""
        return self._apply(lambda t: t.type(dst_type))

    def cpu(self) -> Module:
        """Move to the computer's own memory."""
        return self._apply(lambda t: t.cpu())

    def cuda(self, device: Any = None) -> Module:
        """Move to a GPU."""
        return self._apply(lambda t: t.cuda(device))

    def to_empty(self, *, device: Any, recurse: bool = True) -> Module:
        """Move to a device without copying what was there."""
        return self._apply(lambda t: t.new_empty(t.shape, device=device))

    def share_memory(self) -> Module:
        """Nothing to do: kept for programs that call it."""
        return self

    def train(self, mode: bool = True) -> Module:
        """Set training mode, here and below."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Module:
        """Set evaluation mode, here and below."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Whether the parameters ask for gradients."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the parameters' gradients, or set them to zero."""
        for p in self.parameters():
            if p.grad is not None:
                if set_to_none:
                    p.grad = None
                else:
                    p.grad = p.grad.detach()
                    p.grad.zero_()

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to do: kept for programs that call it."""

    # --- printing ---------------------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What a subclass prints inside its brackets."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr().split("\n") if self.extra_repr() else []
        children = [f"({name}): " + repr(m).replace("\n", "\n  ") for name, m in self._modules.items()]
        if not children:
            body = extra[0] if len(extra) == 1 else "".join(f"\n  {line}" for line in extra) + ("\n" if extra else "")
            return f"{self._get_name()}({body})"
        return f"{self._get_name()}(\n  " + "\n  ".join(extra + children) + "\n)"

    # --- its state ---------------------------------------------------------------------------------------------------

    def get_extra_state(self) -> Any:
        """More state for `state_dict`; a subclass that has some also defines `set_extra_state`."""
        raise RuntimeError("Reached a code path in Module.get_extra_state() that should never be called.")

    def set_extra_state(self, state: Any) -> None:
        """Take what `get_extra_state` gave."""
        raise RuntimeError("Reached a code path in Module.set_extra_state() that should never be called.")

    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """All parameters and persistent buffers by their dotted names."""
        if args:
            destination, prefix, keep_vars = (*args, *(destination, prefix, keep_vars)[len(args) :])
        state = OrderedDict() if destination is None else destination
        if not hasattr(state, "_metadata"):
            state._metadata = OrderedDict()
        metadata = state._metadata[prefix[:-1]] = {"version": self._version}
        own = self._hooks or Hooks()
        for hook in own.state_pre.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(state, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=state, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in own.state.values():
            answer = hook(self, state, prefix, metadata)
            state = state if answer is None else answer
        return state

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for name, value in [*self._parameters.items(), *self._buffers.items()]:
            if value is not None and name not in self._non_persistent_buffers_set:
                destination[prefix + name] = value if keep_vars else value.detach()
        if type(self).get_extra_state is not Module.get_extra_state:
            destination[prefix + "_extra_state"] = self.get_extra_state()

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> IncompatibleKeys:
        """Copy a state into the parameters and buffers; a report names every key that does not fit."""
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        state, metadata = OrderedDict(state_dict), getattr(state_dict, "_metadata", {})
        missing: list[str] = []
        unexpected: list[str] = []
        errors: list[str] = []
        for path, module in self.named_modules(remove_duplicate=False):
            prefix = f"{path}." if path else ""
            inside = {**metadata.get(path, {}), **({"assign_to_params_buffers": assign} if assign else {})}
            module._load_from_state_dict(state, prefix, inside, True, missing, unexpected, errors)
        for module in reversed(list(self.modules())):
            for hook in (module._hooks or Hooks()).load_post.values():
                hook(module, IncompatibleKeys(missing, unexpected))
        if strict and unexpected:
            errors.insert(0, "Unexpected key(s) in state_dict: " + _listed(unexpected, missing) + ". ")
        if strict and missing:
            errors.insert(0, "Missing key(s) in state_dict: " + _listed(missing, unexpected) + ". ")
        if errors:
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t" + "\n\t".join(errors))
        return IncompatibleKeys(missing, unexpected)

    def _load_from_state_dict(
        self,
        state_dict: dict,
        prefix: str,
        local_metadata: dict,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        for hook in (self._hooks or Hooks()).load_pre.values():
            hook(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        buffers = {k: v for k, v in self._buffers.items() if k not in self._non_persistent_buffers_set}
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, own in {**self._parameters, **buffers}.items():
            key = prefix + name
            if own is None:
                continue
            if key not in state_dict:
                missing_keys.append(key)
                continue
            self._load_one(name, own, state_dict[key], key, assign, error_msgs)
        extra = prefix + "_extra_state"
        if type(self).set_extra_state is not Module.set_extra_state:
            if extra in state_dict:
                self.set_extra_state(state_dict[extra])
            else:
                missing_keys.append(extra)
        known = {*self._parameters, *buffers, "_extra_state"} if type(self).set_extra_state is not Module.set_extra_state else {*self._parameters, *buffers}
        for key in state_dict:
            if key.startswith(prefix) and key not in unexpected_keys:
                first, dot, _ = key[len(prefix) :].partition(".")
                if (dot and first not in self._modules) or (not dot and first not in known):
                    unexpected_keys.append(key)

    def _load_one(self, name: str, own: Tensor, value: Any, key: str, assign: bool, errors: list[str]) -> None:
        if not isinstance(value, Tensor):
            errors.append(f'While copying the parameter named "{key}", expected torch.Tensor but received {type(value)}')
            return
        if is_lazy(own):
            own.materialize(value.shape)
        if not own.dim() and value.dim() == 1 and value.numel() == 1:
            value = value[0]  # scalars were saved with a dimension once
        if value.shape != own.shape:
            errors.append(
                f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, "
                f"the shape in current model is {own.shape}."
            )
            return
        with no_grad():
            if assign:
                given = Parameter(value, own.requires_grad) if isinstance(own, Parameter) else value
                (self._parameters if isinstance(own, Parameter) else self._buffers)[name] = given
            else:
                own.copy_(value)

    # --- copies ---------------------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict:
        return self.__dict__.copy()

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)


def _registered(table: dict, hook: Any, prepend: bool) -> Handle:
    handle = Handle(table, hook)
    if prepend:
        rest = {k: v for k, v in table.items() if k != handle.id}
        for k in rest:
            del table[k]
        table.update(rest)
    return handle


def _listed(keys: list[str], others: list[str]) -> str:
    """The keys in quotes, each with the nearest name on the other side."""

    def one(key: str) -> str:
        near = difflib.get_close_matches(key, others, 1)
        return f'"{key}"' + (f' (near: "{near[0]}")' if near else "")

    return ", ".join(map(one, keys))


def _type_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__name__}"
