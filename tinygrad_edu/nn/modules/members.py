"""What a module is made of: parameters, buffers and submodules, found as they are assigned, and walked through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ...tensor import Tensor
from ..parameter import Buffer, Parameter
from .hooks import registered

if TYPE_CHECKING:
    from .module import Module

__all__ = ["Members"]

TABLES = ("_parameters", "_buffers", "_modules")


class Members:
    """The part of `Module` that keeps its members."""

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Any]  # tensors or None
    _modules: dict[str, Any]  # modules or None
    _non_persistent_buffers_set: set[str]  # the buffers that are no part of the state dict

    # --- what it is made of ---------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        if "_modules" in own:
            for table in (own["_parameters"], own["_buffers"], own["_modules"]):
                if name in table:
                    return table[name]
        # with its name and object, Python itself adds the nearest name there is
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'", name=name, obj=self)

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if isinstance(value, Parameter):
            self._make_way(name, "parameters", "_buffers", "_modules")
            self.register_parameter(name, value)
        elif isinstance(value, Members):
            self._make_way(name, "module", "_parameters", "_buffers")
            self._modules[name] = registered("module", self, name, value)
        elif isinstance(value, Buffer):
            self._make_way(name, "buffers", "_parameters", "_modules")
            self.register_buffer(name, value, value.persistent)
        elif "_modules" not in own:
            super().__setattr__(name, value)
        elif name in own["_parameters"]:
            if value is not None:
                wrong = f"cannot assign '{type_name(value)}' as parameter '{name}'"
                raise TypeError(f"{wrong} (torch.nn.Parameter or None expected); write nn.Parameter(value)")
            self.register_parameter(name, None)
        elif name in own["_modules"]:
            if value is not None:
                wrong = f"cannot assign '{type_name(value)}' as child module '{name}'"
                raise TypeError(f"{wrong} (torch.nn.Module or None expected)")
            self._modules[name] = None
        elif name in own["_buffers"]:
            if value is not None and not isinstance(value, Tensor):
                wrong = f"cannot assign '{type_name(value)}' as buffer '{name}'"
                raise TypeError(f"{wrong} (torch.nn.Buffer, torch.Tensor or None expected)")
            self._buffers[name] = registered("buffer", self, name, value)
        else:
            super().__setattr__(name, value)

    def _make_way(self, name: str, what: str, *tables: str) -> None:
        """Forget what has been known by a name, in the object itself and in these tables."""
        own = self.__dict__
        if "_modules" not in own:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call; write super().__init__() first")
        own.pop(name, None)
        for table in tables:
            own[table].pop(name, None)
        own["_non_persistent_buffers_set"].discard(name)

    def __delattr__(self, name: str) -> None:
        for table in TABLES:
            if name in self.__dict__[table]:
                del self.__dict__[table][name]
                self._non_persistent_buffers_set.discard(name)
                return
        super().__delattr__(name)

    def __dir__(self) -> list[str]:
        names = {*super().__dir__(), *self._parameters, *self._buffers, *self._modules}
        return sorted(name for name in names if not name[:1].isdigit())

    def _check_name(self, name: Any, what: str, table: str) -> None:
        if table not in self.__dict__:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call; write super().__init__() first")
        if not isinstance(name, str):
            raise TypeError(f"{what} name should be a string. Got {type(name).__name__}")
        if "." in name:
            raise KeyError(f'{what} name can\'t contain ".", got: {name}')
        if not name:
            raise KeyError(f'{what} name can\'t be empty string ""')
        if name not in self.__dict__[table] and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter, or the place for one (None)."""
        self._check_name(name, "parameter", "_parameters")
        if param is not None:
            if not isinstance(param, Parameter):
                wrong = f"cannot assign '{type_name(param)}' object to parameter '{name}'"
                raise TypeError(f"{wrong} (torch.nn.Parameter or None required)")
            if param.grad_fn is not None:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created "
                    f"explicitly. To express '{name}' as a function of another Tensor, compute the value in "
                    "the forward() method."
                )
            param = registered("parameter", self, name, param)
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that belongs to the module but is not trained; one that persists is in its state dict."""
        self._check_name(name, "buffer", "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            wrong = f"cannot assign '{type_name(tensor)}' object to buffer '{name}'"
            raise TypeError(f"{wrong} (torch Tensor or None required)")
        self._buffers[name] = registered("buffer", self, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule."""
        if module is not None and not isinstance(module, Members):
            several = isinstance(module, (list, tuple))
            hint = "write Sequential(*layers)" if several else "write nn.ReLU() for F.relu, or a class of your own"
            raise TypeError(f"{type_name(module)} is not a Module subclass; {hint}")
        self._check_name(name, "module", "_modules")
        self._modules[name] = registered("module", self, name, module)

    def register_module(self, name: str, module: Module | None) -> None:
        """Add a submodule."""
        self.add_module(name, module)

    def get_submodule(self, target: str) -> Any:
        """The submodule at a dotted path."""
        found = self
        for part in target.split(".") if target else ():
            if not hasattr(found, part):
                raise AttributeError(f"{found._get_name()} has no attribute `{part}`", name=part, obj=found)
            found = getattr(found, part)
            if not isinstance(found, Members):
                raise AttributeError(f"`{part}` is not an nn.Module")
        return found

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put a module at a dotted path; `strict` asks that there is one already."""
        if not target:
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Members):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`", name=name, obj=parent)
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Members):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path."""
        return self._at(target, "_parameters", "an nn.Parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a dotted path."""
        return self._at(target, "_buffers", "a buffer")

    def _at(self, target: str, table: str, what: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`", name=name, obj=module)
        if name not in module.__dict__[table]:
            raise AttributeError(f"`{name}` is not {what}")
        return module.__dict__[table][name]

    # --- walking through it ---------------------------------------------------------------------------------------

    def named_modules(
        self, memo: set | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
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

    def _named_members(
        self, get_members_fn: Callable, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        seen = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, value in get_members_fn(module):
                if value is None or value in seen:
                    continue
                if remove_duplicate:
                    seen.add(value)
                yield (f"{path}.{name}" if path else name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their dotted names, in the order of definition, each once."""
        return self._named_members(lambda m: m._parameters.items(), prefix, recurse, remove_duplicate)

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their dotted names."""
        return self._named_members(lambda m: m._buffers.items(), prefix, recurse, remove_duplicate)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly below, each once, with their names."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, in the order of definition, each once."""
        for _, param in self.named_parameters(recurse=recurse):
            yield param

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all below it."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def children(self) -> Iterator[Module]:
        """The modules directly below."""
        for _, module in self.named_children():
            yield module


def type_name(value: Any) -> str:
    """A value's type as PyTorch calls it."""
    return value.type() if isinstance(value, Tensor) else f"{type(value).__module__}.{type(value).__name__}"
