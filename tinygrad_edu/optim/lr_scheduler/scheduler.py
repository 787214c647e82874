"""`LRScheduler`: sets the learning rates of an optimizer's groups anew at each of its steps."""

from __future__ import annotations

import functools
import inspect
import types
import warnings
from collections.abc import Callable
from typing import Any

from ...tensor import Tensor
from ..optimizer import Optimizer

_ORDER = "optimizer.step() must come before lr_scheduler.step(), or the first learning rate of the schedule is skipped"
_EPOCH = (
    "The epoch parameter in `scheduler.step()` is being deprecated: write scheduler.step(). Where the schedule has a "
    "closed form, step(epoch) uses it."
)


class LRScheduler:
    """Base of the schedules: a subclass says in `get_lr` what the rates are after `last_epoch` steps."""

    _get_lr_called_within_step = False
    _is_initial = False
    _last_lr: list[Any]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in cls.__dict__:
            cls.__init__ = _forgiving(cls.__dict__["__init__"])  # type: ignore[method-assign]

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = _an_optimizer(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", _copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with "
                    "last_epoch >= 0; load the optimizer's state first, or leave out last_epoch"
                )
        self.base_lrs = rates(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        """Set the rates of the beginning."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_lr(self) -> list[Any]:
        """The rate of each group after `last_epoch` steps; `step` asks for it."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_lr()")

    def get_last_lr(self) -> list[Any]:
        """The rate of each group as it is now."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go one step further, and set the rates."""
        if self._step_count == 1:
            self._check_order()
        self._step_count += 1
        if epoch is not None:
            warnings.warn(_EPOCH, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _check_order(self) -> None:
        if "step" in vars(self.optimizer):
            text = "Seems like `optimizer.step()` has been overridden after learning rate scheduler initialization."
            if not hasattr(self.optimizer.step, "_wrapped_by_lr_sched"):
                warnings.warn(f"{text} {_ORDER}", UserWarning, stacklevel=3)
        elif not self.optimizer._opt_called:
            text = "Detected call of `lr_scheduler.step()` before `optimizer.step()`."
            warnings.warn(f"{text} {_ORDER}", UserWarning, stacklevel=3)

    def _update_lr(self, epoch: int | None = None) -> None:
        self._get_lr_called_within_step = True
        try:
            self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
            closed = None if epoch is None else getattr(self, "_get_closed_form_lr", None)
            values = self.get_lr() if closed is None else closed()
        finally:
            self._get_lr_called_within_step = False
        self._set(values)

    def _set(self, values: list[Any]) -> None:
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            set_option(group, "lr", value)
        self._last_lr = rates(self.optimizer)

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            text = "To get the last learning rate computed by the scheduler, please use `get_last_lr()`."
            warnings.warn(text, UserWarning, stacklevel=3)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer."""
        return {name: value for name, value in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where the saved schedule was."""
        self.__dict__.update(state_dict)


_LRScheduler = LRScheduler  # its older name


def _forgiving(init: Callable) -> Callable:
    """A schedule's constructor that also takes `verbose`, as programs give it that are older than its removal."""
    if "verbose" in inspect.signature(init).parameters:
        return init  # a program's own schedule, which knows what to do with it

    @functools.wraps(init)
    def made(self: LRScheduler, *args: Any, verbose: Any = False, **kwargs: Any) -> None:
        if verbose:
            text = f"{type(self).__name__}: verbose is no option any more; write print(scheduler.get_last_lr())"
            warnings.warn(text, UserWarning, stacklevel=2)
        init(self, *args, **kwargs)

    return made


def rates(optimizer: Optimizer, name: str = "lr") -> list[Any]:
    """An option of every group, tensors as copies."""
    return [_copied(group[name]) for group in optimizer.param_groups]


def set_option(group: dict[str, Any], name: str, value: Any) -> None:
    """Write an option: into the tensor that it is given by, if it is."""
    if isinstance(group[name], Tensor):
        group[name].fill_(value.item() if isinstance(value, Tensor) else value)
    else:
        group[name] = value


def one_each(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """A value for each group, from one for all or a list of them."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [_copied(value) for _ in range(count)]
    if len(value) != count:
        wrong = f"{name} must have the same length as optimizer.param_groups."
        raise ValueError(f"{wrong} {name} has {len(value)} values, param_groups has {count}.")
    return [_copied(v) for v in value]


def saved_function(function: Callable) -> dict[str, Any] | None:
    """What can be saved of a function: nothing of a plain one, the attributes of an object that is called."""
    return None if isinstance(function, types.FunctionType) else dict(function.__dict__)


def _an_optimizer(optimizer: Any) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"{type(optimizer).__name__} is not an Optimizer; write StepLR(optimizer, ...) and the like, the optimizer first"
        )
    return optimizer


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


__all__ = ["LRScheduler"]
