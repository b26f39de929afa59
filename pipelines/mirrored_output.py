"""Mirroring of what a step prints, without a Python of its own for each of the two streams.

Dagster mirrors them by ``tail``, and starts a Python beside each that ends it where the step is killed. GNU's ``tail``
looks by itself whether a process is there. Keep out: where the output is kept, which Dagster decides.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any

from pipelines.dagster_internals import MIRRORS

_WAIT = "DAGSTER_COMPUTE_LOG_TAIL_WAIT_AFTER_FINISH"  # a variable of Dagster's: seconds
_PATIENCE = 30.0


def end_with_steps() -> None:
    """Let this process and those forked from it mirror so, where there is such a ``tail``."""
    asked = subprocess.run(["tail", "--help"], capture_output=True, text=True, check=False)  # noqa: S607
    if "--pid" in asked.stdout:
        vars(importlib.import_module(MIRRORS))["execute_posix_tail"] = _tail


@contextlib.contextmanager
def _tail(path: str, stream: Any) -> Iterator[tuple[int, None]]:
    """Copy what is written to a file to a stream, until the block or this process ends; yields the number of ``tail``.

    Args:
        path: of the file.
        stream: an open one of the operating system's; of any other, the process's standard output.
    """
    line = ["tail", "-F", "-c", "+0", f"--pid={os.getpid()}", path]
    process = subprocess.Popen(line, stdout=_descriptor(stream))  # noqa: S603
    try:
        yield process.pid, None
    finally:
        time.sleep(float(os.environ.get(_WAIT) or 0))
        with contextlib.suppress(OSError):
            process.terminate()
            process.communicate(timeout=_PATIENCE)


def _descriptor(stream: Any) -> int | None:
    try:
        return stream.fileno() or None
    except (AttributeError, OSError, ValueError):
        return None
