"""The end of a run in words, whatever cannot be written.

Dagster tells the end of a run through its own database. Where that lies on a full disk, telling raises, and what
stopped the run is lost among tracebacks of nameless files. Then the reasons go to standard error as the process's last
words, and processes that hang on are not waited for. Keep out: what stopped a run (``executor``), and the words for a
disk's trouble (``nrdfer/core/machine_errors.py``).
"""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import sys
import time
from collections.abc import Mapping
from types import TracebackType

from nrdfer.core import redaction
from nrdfer.core.machine_errors import disk_in_words
from nrdfer.core.plain_text import one_line

_PATIENCE = 10.0  # seconds for steps that save, before they are ended
_last_words: list[str] = []


def summary(reasons: Mapping[str, str]) -> str:
    """What stopped a run: a line a step."""
    return "what stopped this run:\n" + "\n".join(
        f"  {step}: {_on_one_line(reason)}" for step, reason in reasons.items()
    )


def _on_one_line(reason: str) -> str:
    """It may quote a file's name, which begins no line of its own."""
    return one_line(" ".join(reason.splitlines()))


def tell(log: logging.Logger, reasons: Mapping[str, str], *, storage_is_lost: bool) -> None:
    """Say what stopped a run, last, because the reasons stand far above between tracebacks.

    Args:
        log: Dagster's, which writes its database.
        reasons: by step.
        storage_is_lost: that database cannot be written.
    """
    words = summary(reasons)
    if not storage_is_lost:
        try:
            log.error(words)
        except Exception as error:
            if disk_in_words(error) is None:
                raise
        else:
            return
    sys.stderr.write(redaction.hide(words) + "\n")
    if not _last_words:
        atexit.register(_end)
    _last_words[:] = [words]


def install() -> None:
    """Let a program that ends over a disk say so in words instead of by a traceback."""
    redaction.install()
    sys.excepthook = _told_at_the_end


def _told_at_the_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    words = disk_in_words(error)
    if words is None:
        redaction.tell(kind, error, trace)
    elif not _last_words:
        sys.stderr.write(redaction.hide(summary({"disk": words})) + "\n")


def _end() -> None:
    """Wait a little for the steps that still save; then end them, and say the reasons once more, as the last thing.

    Python would wait for its child processes without end.
    """
    deadline = time.monotonic() + _PATIENCE
    for child in multiprocessing.active_children():
        child.join(max(deadline - time.monotonic(), 0.0))
        if child.is_alive():
            child.kill()
    sys.stderr.write(redaction.hide("\n".join(_last_words)) + "\n")
