"""Whether operations are recorded: the state of this thread, and the contexts that set it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

# True, False, or the observer who wants to hear of each node; a new thread starts with the default
recording: ContextVar[Any] = ContextVar("recording", default=True)
observer: ContextVar[Any] = ContextVar("observer", default=None)
inference: ContextVar[bool] = ContextVar("inference", default=False)


def set_recording(on: bool) -> Any:
    """Switch recording in this thread; the answer is what `recording.reset` takes."""
    return recording.set((observer.get() or True) if on else False)


def watch(who: Any) -> Callable[[], None]:
    """Have an observer hear of what this thread does, or nobody; the answer ends that."""
    before, mode = observer.set(who), set_recording(bool(recording.get()))

    def end() -> None:
        recording.reset(mode)
        observer.reset(before)

    return end


class _Mode:
    """Sets the recording mode: for a `with` block, for a decorated function, or for each step of a generator."""

    mode: bool
    before: tuple = ()  # what to go back to, one entry for each block entered

    def __enter__(self) -> None:
        self.before = (*self.before, set_recording(self.mode))

    def __exit__(self, *error: object) -> None:
        *rest, last = self.before
        self.before = tuple(rest)
        recording.reset(last)

    def clone(self) -> _Mode:
        """Another of the same kind: a decorated function enters a fresh one at each call."""
        return type(self)()

    def __call__(self, function: Callable) -> Callable:
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generator(*args: Any, **kwargs: Any) -> Any:
                steps = function(*args, **kwargs)
                try:
                    with self.clone():
                        value = next(steps)
                    while True:
                        try:
                            sent = yield value
                        except GeneratorExit:
                            with self.clone():
                                steps.close()
                            raise
                        except BaseException as error:
                            with self.clone():
                                value = steps.throw(error)
                        else:
                            with self.clone():
                                value = steps.send(sent)
                except StopIteration as end:
                    return end.value

            return generator

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return wrapper


class no_grad(_Mode):
    """Nothing is recorded: as a context, as a decorator, per thread."""

    mode = False

    def __new__(cls, function: Callable | None = None) -> Any:
        mode = super().__new__(cls)
        return mode if function is None else mode(function)


class enable_grad(no_grad):
    """Everything is recorded, also inside `no_grad`."""

    mode = True


class set_grad_enabled(_Mode):
    """Recording on or off by a flag: at once, and until the end of a `with` block."""

    def __init__(self, mode: bool) -> None:
        if not isinstance(mode, bool):
            raise TypeError(
                f"set_grad_enabled(): argument 'enabled' (position 1) must be bool, not {type(mode).__name__}"
            )
        self.mode = mode
        self.token = set_recording(self.mode)

    def __enter__(self) -> None:
        recording.reset(self.token)
        super().__enter__()

    def clone(self) -> _Mode:
        return _Fixed(self.mode)

    def __call__(self, function: Callable) -> Callable:
        recording.reset(self.token)  # as a decorator it speaks of the function alone
        return super().__call__(function)


class _Fixed(_Mode):
    def __init__(self, mode: bool) -> None:
        self.mode = mode


class inference_mode(_Mode):
    """Like `no_grad`; PyTorch also forbids its tensors in later graphs, here they may be used as constants."""

    def __new__(cls, mode: Any = True) -> Any:
        if callable(mode):  # as a decorator without parentheses
            return cls()(mode)
        return super().__new__(cls)

    def __init__(self, mode: bool = True) -> None:
        self.inference = mode
        self.mode = not mode

    def __enter__(self) -> None:
        super().__enter__()
        self.outer = inference.set(self.inference)

    def __exit__(self, *error: object) -> None:
        inference.reset(self.outer)
        super().__exit__()

    def clone(self) -> _Mode:
        return inference_mode(self.inference)


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread now."""
    return bool(recording.get())


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside `inference_mode`."""
    return inference.get()
