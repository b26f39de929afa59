"""Handling of SIGTERM and Ctrl-C around a training.

During training they are recorded, and handled after the current batch; a second one, later, ends the process at once.
Before and after, SIGTERM raises an exception like Ctrl-C, so that the end is recorded correctly (MLflow: KILLED).
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
#: Seconds within which further signals are the same request: the end of a run may signal its processes twice.
_SAME = 5.0


class StopRequest:
    """A request to stop this process: the signal's name and its time; false if there is none."""

    def __init__(self) -> None:
        self.name = ""
        self.since = 0.0

    def __bool__(self) -> bool:
        return bool(self.name)


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Record a SIGTERM or SIGINT instead of ending; a second one, seconds later, gets the previous handler.

    In another thread than the main one, where Python allows no handlers, nothing is noted.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before: dict[int, Any] = {}

    def restore() -> None:
        while before:
            number, handler = before.popitem()
            signal.signal(number, handler)

    def note(number: int, frame: FrameType | None) -> None:
        if not request:
            request.name, request.since = signal.Signals(number).name, time.monotonic()
        elif time.monotonic() - request.since > _SAME:
            restore()
            os.kill(os.getpid(), number)

    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, note)
    try:
        yield request
    finally:
        restore()


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Make SIGTERM raise KeyboardInterrupt, as Ctrl-C does, where it would end the process silently.

    For programs; in another thread than the main one, where Python allows no handlers, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
