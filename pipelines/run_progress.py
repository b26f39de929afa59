"""Progress of a run, step by step, for whoever waits for it in the same process.

The executor publishes every event of the steps; `StepLines` prints one line where a step starts or ends. Keep out: what
stopped the run as a whole (``last_words.py``), and the log of everything, which Dagster writes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from dagster import DagsterEvent, DagsterEventType

from nrdfer.core.plain_text import one_line

Listener = Callable[[DagsterEvent, str], None]
_listeners: list[Listener] = []


def subscribe(listener: Listener) -> Callable[[], None]:
    """Call a listener with each event of the runs of this process, and the reason if a step failed; returns its end."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def publish(event: DagsterEvent, reason: str) -> None:
    """Pass an event on; a reason for a step that failed, or nothing."""
    for listener in _listeners:
        listener(event, reason)


class StepLines:
    """Lines about the steps of a run: start, end and seconds, or why a step failed.

    Args:
        write: prints one line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._begun: dict[str, float] = {}
        self.done = 0  # steps that succeeded
        self.failed: dict[str, str] = {}  # step -> reason

    def __call__(self, event: DagsterEvent, reason: str) -> None:
        """Print what an event says, if it is a step's start or end."""
        step = str(event.step_key).replace("__", "/")
        if event.event_type is DagsterEventType.STEP_START:
            self._begun[step] = time.monotonic()
            self._line("start", step)
        elif event.is_step_success:
            self.done += 1
            self._line("end", step, self._seconds(step))
        elif event.is_step_failure:
            self.failed[step] = reason
            self._line("FAILED", step, self._seconds(step), reason)
        elif event.is_step_up_for_retry:
            self._line("again", step, self._seconds(step))

    def _seconds(self, step: str) -> str:
        begun = self._begun.pop(step, None)
        return "" if begun is None else f"{time.monotonic() - begun:.1f} s"

    def _line(self, what: str, step: str, seconds: str = "", reason: str = "") -> None:
        words = f"{datetime.now():%H:%M:%S}  {what:7}  {step}"
        words += f"  {seconds}" if seconds else ""
        self._write(one_line(f"{words}: {' '.join(reason.splitlines())}" if reason else words))
