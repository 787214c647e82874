"""A module's state: all parameters and buffers by their names, collected and loaded."""

from __future__ import annotations

import difflib
import warnings
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...autograd.modes import no_grad
from ...tensor import Tensor
from ..parameter import Parameter, is_lazy
from .hooks import Hooks

if TYPE_CHECKING:
    pass

__all__ = ["Stateful"]

EXTRA = "_extra_state"


class _IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What `load_state_dict` could not match."""

    __slots__ = ()

    def __repr__(self) -> str:
        return super().__repr__() if self.missing_keys or self.unexpected_keys else "<All keys matched successfully>"

    __str__ = __repr__


class Stateful:
    """The part of `Module` that saves and loads."""

    _version: int = 1  # of the layout of a state dict, as PyTorch counts it
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Any]  # tensors or None
    _modules: dict[str, Any]  # modules or None
    _non_persistent_buffers_set: set[str]
    _own_hooks: Callable[[], Hooks]

    def get_extra_state(self) -> Any:
        """More state for `state_dict`; a subclass that has some also defines `set_extra_state`."""
        raise RuntimeError(f"{type(self).__name__} has no extra state: define get_extra_state and set_extra_state")

    def set_extra_state(self, state: Any) -> None:
        """Take what `get_extra_state` gave."""
        raise RuntimeError(f"{type(self).__name__} has no extra state: define get_extra_state and set_extra_state")

    # --- saving ---------------------------------------------------------------------------------------------------

    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """All parameters and persistent buffers by their dotted names, without their graph unless `keep_vars`."""
        if args:
            text = "Positional args are being deprecated, use kwargs instead: destination=, prefix=, keep_vars="
            warnings.warn(text, FutureWarning, stacklevel=2)
            given: Any = (*args, *(destination, prefix, keep_vars)[len(args) :])
            destination, prefix, keep_vars = given
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        own = self._own_hooks()
        for hook in own._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in own._state_dict_hooks.values():
            answer = hook(self, destination, prefix, metadata)
            destination = destination if answer is None else answer
        return destination

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for name, value in self._saved_tensors().items():
            destination[prefix + name] = value if keep_vars else value.detach()
        if type(self).get_extra_state is not Stateful.get_extra_state:
            destination[prefix + EXTRA] = self.get_extra_state()

    def _saved_tensors(self) -> dict[str, Tensor]:
        """The parameters and buffers of this module alone that belong to its state."""
        buffers = {k: b for k, b in self._buffers.items() if k not in self._non_persistent_buffers_set}
        return {k: v for k, v in {**self._parameters, **buffers}.items() if v is not None}

    # --- loading --------------------------------------------------------------------------------------------------

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> _IncompatibleKeys:
        """Copy a state into the parameters and buffers (or put its tensors in their place: `assign`).

        With `strict`, an error names every key that is missing or unexpected, and the nearest names there are.
        """
        if not isinstance(state_dict, Mapping):
            hint = " Write load_state_dict(torch.load(path))." if isinstance(state_dict, str) else ""
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.{hint}")
        found = _IncompatibleKeys([], [])
        errors: list[str] = []
        versions = getattr(state_dict, "_metadata", None) or {}
        state = OrderedDict(state_dict)
        if versions:
            state._metadata = versions

        def load(module: Stateful, state: dict, prefix: str) -> None:
            metadata = dict(versions.get(prefix[:-1], {}))
            if assign:
                metadata["assign_to_params_buffers"] = assign
            module._load_from_state_dict(state, prefix, metadata, True, *found, errors)
            for name, child in module._modules.items():
                if child is not None:
                    below = f"{prefix}{name}."
                    load(child, {k: v for k, v in state.items() if k.startswith(below)}, below)
            for hook in module._own_hooks()._load_state_dict_post_hooks.values():
                if hook(module, found) is not None:
                    raise AssertionError(
                        "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return new "
                        "values; change the lists of keys in place."
                    )

        load(self, state, "")
        if strict:
            errors = [*_report(*found), *errors]
        if errors:
            text = "\n\t".join([f"Error(s) in loading state_dict for {type(self).__name__}:", *errors])
            raise RuntimeError(text + (_near(*found) if strict else ""))
        return found

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
        """Load this module alone; what is found wrong goes into the three lists."""
        for hook in self._own_hooks()._load_state_dict_pre_hooks.values():
            hook(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        assign = local_metadata.get("assign_to_params_buffers", False)
        own = self._saved_tensors()
        for name, tensor in own.items():
            key = prefix + name
            if key not in state_dict:
                if strict:
                    missing_keys.append(key)
            else:
                wrong = self._load_one(name, tensor, state_dict[key], key, assign)
                error_msgs += [wrong] if wrong else []
        has_extra = type(self).set_extra_state is not Stateful.set_extra_state
        if has_extra and prefix + EXTRA in state_dict:
            self.set_extra_state(state_dict[prefix + EXTRA])
        elif has_extra and strict:
            missing_keys.append(prefix + EXTRA)
        if strict:
            for key in state_dict:
                if key.startswith(prefix) and not (has_extra and key == prefix + EXTRA):
                    first, dot, _ = key[len(prefix) :].partition(".")
                    if first not in (self._modules if dot else own):
                        unexpected_keys.append(key)

    def _load_one(self, name: str, own: Tensor, value: Any, key: str, assign: bool) -> str:
        """Copy or assign one tensor; the answer says what was wrong."""
        if not isinstance(value, Tensor):
            return (
                f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from '
                f"checkpoint but received {type(value)}"
            )
        if is_lazy(value) and not is_lazy(own):
            return f'"{key}" is uninitialized in the checkpoint: call the lazy module once before saving it'
        if is_lazy(own) and not is_lazy(value) and not assign:
            own.materialize(value.shape)
        if not is_lazy(own) and not own.dim() and value.dim() == 1 and value.numel() == 1:
            value = value[0]  # numbers were once saved as vectors of one
        if not is_lazy(own) and value.shape != own.shape:
            return (
                f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, "
                f"the shape in current model is {own.shape}."
            )
        if assign:
            if isinstance(value, Parameter):
                value.requires_grad_(own.requires_grad)
            elif isinstance(own, Parameter):
                value = Parameter(value, requires_grad=own.requires_grad)
            setattr(self, name, value)
            return ""
        if is_lazy(own):
            return ""
        try:
            with no_grad():
                own.copy_(value)
        except Exception as error:
            return (
                f'While copying the parameter named "{key}", whose dimensions in the model are {own.shape} and whose '
                f"dimensions in the checkpoint are {value.shape}, an exception occurred : {error.args}."
            )
        return ""


def _report(missing: list[str], unexpected: list[str]) -> list[str]:
    """PyTorch's sentences for the keys that do not fit."""
    kinds = (("Missing", missing), ("Unexpected", unexpected))
    return [
        f"{kind} key(s) in state_dict: " + ", ".join(f'"{key}"' for key in keys) + ". " for kind, keys in kinds if keys
    ]


def _near(missing: list[str], unexpected: list[str]) -> str:
    """What the keys may have been meant to be: one prefix too many or too few, or another spelling."""
    for some, others, what in ((unexpected, missing, "take {} off"), (missing, unexpected, "put {} before")):
        prefixes = {key[: -len(other)] for key in some[:1] for other in others if key.endswith("." + other)}
        for prefix in prefixes:
            if all(key.startswith(prefix) for key in some) and {key[len(prefix) :] for key in some} >= {*others}:
                return "\n\twrite instead: " + what.format(repr(prefix)) + " the keys of the state dict"
    pairs = [(key, difflib.get_close_matches(key, unexpected, 1)) for key in missing]
    near = [f'"{key}" for "{match[0]}"' for key, match in pairs if match]
    return "\n\tnear names: the model has " + ", ".join(near) if near else ""
