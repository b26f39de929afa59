"""Progress of a run, step by step, for whoever waits for it in the same process.

The executor publishes every event of the steps; `StepLines` prints one line where a step ends. Keep out: what stopped
the run as a whole (``last_words.py``), the end of a run (``closing.py``), and the log of everything, which Dagster
writes.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime

from dagster import DagsterEvent, DagsterEventType

from nrdfer.core.plain_text import one_line

Listener = Callable[[DagsterEvent, str], None]
_QUIET = 600.0  # seconds without a line after which the steps under way are named
_PART = re.compile(r"(?P<asset>[^.]+)\.(?P<part>.+)")  # a step of an asset that is made in several
_ONE_OF_MANY = re.compile(r"(?P<asset>[^.]+)\..+\[.+\]")  # of those of which there are as many as the data want
_listeners: list[Listener] = []


def subscribe(listener: Listener) -> Callable[[], None]:
    """Call a listener with each event of the runs of this process, and the reason if a step failed; returns its end."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def publish(event: DagsterEvent, reason: str) -> None:
    """Pass an event on; a reason for a step that failed, or nothing."""
    for listener in _listeners:
        listener(event, reason)


def is_followed() -> bool:
    """Whether anybody in this process is told of steps."""
    return bool(_listeners)


class StepLines:
    """Lines about the steps of a run: one where a step ends, with its seconds, or why it failed.

    Chunks of one asset, of which a large corpus has thousands, have no lines of their own: the asset's next line has
    their number. So the number of lines is the graph's, whatever the data.

    Args:
        write: prints one line.
        quiet: seconds without a line after which `watched` names the steps that are under way.
    """

    def __init__(self, write: Callable[[str], None], quiet: float = _QUIET) -> None:
        self._write, self._quiet = write, quiet
        self._begun: dict[str, float] = {}  # step's key -> when
        self._checks: dict[str, str] = {}  # step's key -> the check that it made, as a person reads it
        self._chunks: dict[str, int] = {}  # asset, as in the steps' keys -> chunks that are done
        self._said = threading.Event()
        self.done: list[str] = []  # steps that succeeded
        self.failed: dict[str, str] = {}  # step -> reason

    @contextlib.contextmanager
    def watched(self) -> Iterator[StepLines]:
        """Name the steps under way, for as long as the block runs, whenever nothing was printed for long."""
        over = threading.Event()

        def watch() -> None:
            while not over.is_set():
                said = self._said.wait(self._quiet)
                self._said.clear()
                under_way = sorted(map(step_name, list(self._begun)))
                if not said and not over.is_set() and under_way:
                    chunks = sum(self._chunks.values())
                    self._line("running", ", ".join(under_way) + (f" ({chunks} chunks done)" if chunks else ""))

        watcher = threading.Thread(target=watch, name="steps under way", daemon=True)
        watcher.start()
        try:
            yield self
        finally:
            over.set()
            self._said.set()
            watcher.join()

    def __call__(self, event: DagsterEvent, reason: str) -> None:
        """Print what an event says, if it is a step's start or end."""
        key = str(event.step_key)
        if event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            self._checks[key] = f"{check.asset_key.to_user_string()} check {check.check_name}"
        step = self._checks.get(key, step_name(key))
        if event.event_type is DagsterEventType.STEP_START:
            self._begun[key] = time.monotonic()
        elif event.is_step_success:
            self.done.append(step)
            chunk = _ONE_OF_MANY.fullmatch(key)
            if chunk is not None:
                self._chunks[chunk["asset"]] = self._chunks.get(chunk["asset"], 0) + 1
                self._seconds(key)
                return
            chunks = self._chunks.pop(key.partition(".")[0], 0)
            self._line("done", f"{step}, {chunks} chunk{'s' * (chunks > 1)}" if chunks else step, self._seconds(key))
        elif event.is_step_failure:
            self.failed[step] = reason
            self._line("FAILED", step, self._seconds(key), reason)
        elif event.is_step_up_for_retry:
            self._line("again", step, self._seconds(key))

    def _seconds(self, key: str) -> str:
        begun = self._begun.pop(key, None)
        return "" if begun is None else f"{time.monotonic() - begun:.1f} s"

    def _line(self, what: str, step: str, seconds: str = "", reason: str = "") -> None:
        self._said.set()
        words = f"{datetime.now():%H:%M:%S}  {what:7}  {step}"
        words += f"  {seconds}" if seconds else ""
        self._write(one_line(f"{words}: {' '.join(reason.splitlines())}" if reason else words))


def step_name(key: str) -> str:
    """A step's key as a person reads it: of an asset, ``dfew/fd1/checkpoint``, of a part, ``afew/faces chunk[3]``."""
    found = _PART.fullmatch(key)
    if found is None:
        return key.replace("__", "/")
    asset = found["asset"].replace("__", "/")
    return f"{asset} {found['part'].removeprefix(asset.replace('/', '_') + '_')}"
