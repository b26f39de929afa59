"""Final messages of a run, even where nothing can be written to disk.

Dagster reports the end of a run through its own database. Where that is on a full disk, reporting fails, and the cause
is lost among tracebacks of unnamed files. Then the reasons go to standard error as the process's last output, and
hanging processes are not waited for. Keep out: what stopped a run (``executor``), and messages for disk failures
(``nrdfer/core/machine_errors.py``).
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
    """Summary of what stopped a run, one line per step."""
    return "what stopped this run:\n" + "\n".join(
        f"  {step}: {_on_one_line(reason)}" for step, reason in reasons.items()
    )


def _on_one_line(reason: str) -> str:
    """A message on one line: a file name that it quotes must not begin a line of its own."""
    return one_line(" ".join(reason.splitlines()))


def tell(log: logging.Logger, reasons: Mapping[str, str], *, storage_is_lost: bool) -> None:
    """Repeat at the end what stopped a run, because the reasons are far above between tracebacks.

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
    """Make a program that fails because of a disk print a message instead of a traceback."""
    redaction.install()
    sys.excepthook = _report_at_exit


def _report_at_exit(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    words = disk_in_words(error)
    if words is None:
        redaction.tell(kind, error, trace)
    elif not _last_words:
        sys.stderr.write(redaction.hide(summary({"disk": words})) + "\n")


def _end() -> None:
    """Wait briefly for the steps that are still saving; then end them, and repeat the reasons as the last output.

    Python would wait for its child processes without end.
    """
    deadline = time.monotonic() + _PATIENCE
    for child in multiprocessing.active_children():
        child.join(max(deadline - time.monotonic(), 0.0))
        if child.is_alive():
            child.kill()
    sys.stderr.write(redaction.hide("\n".join(_last_words)) + "\n")
