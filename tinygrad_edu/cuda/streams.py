"""Streams and events of a GPU, through CuPy's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from .place import cupy


class Stream:
    """A queue of work on a GPU."""

    def __init__(self, device: Any = None, priority: int = 0, *, stream: Any = None) -> None:
        self.stream = stream if stream is not None else cupy().cuda.Stream(non_blocking=True)

    def synchronize(self) -> None:
        """Wait until the work is done."""
        self.stream.synchronize()

    def query(self) -> bool:
        """Whether the work is done."""
        return bool(self.stream.done)

    def record_event(self, event: Event | None = None) -> Event:
        """Mark the end of what the stream has been told so far."""
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Go on only after an event."""
        self.stream.wait_event(event.event)

    def wait_stream(self, stream: Stream) -> None:
        """Go on only after what another stream has been told so far."""
        self.wait_event(stream.record_event())


class Event:
    """A mark in a stream, by which time is measured."""

    def __init__(self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False) -> None:
        self.event = cupy().cuda.Event(block=blocking, disable_timing=not enable_timing)

    def record(self, stream: Stream | None = None) -> None:
        """Put the mark into a stream."""
        self.event.record((stream or current_stream()).stream)

    def wait(self, stream: Stream | None = None) -> None:
        """Let a stream go on only after the mark."""
        (stream or current_stream()).wait_event(self)

    def query(self) -> bool:
        """Whether the mark has been reached."""
        return bool(self.event.done)

    def synchronize(self) -> None:
        """Wait until the mark has been reached."""
        self.event.synchronize()

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds to another mark."""
        return float(cupy().cuda.get_elapsed_time(self.event, end_event.event))


@contextlib.contextmanager
def stream(stream: Stream | None) -> Iterator[None]:
    """Work inside the block goes into this stream."""
    if stream is None:
        yield
        return
    with stream.stream:
        yield


def current_stream(device: Any = None) -> Stream:
    """The stream into which work goes now."""
    return Stream(stream=cupy().cuda.get_current_stream())


def default_stream(device: Any = None) -> Stream:
    """The stream into which work goes where none is named."""
    return Stream(stream=cupy().cuda.Stream.null)


def set_stream(stream: Stream) -> None:
    """From now on work goes into this stream."""
    stream.stream.use()


StreamContext = stream
