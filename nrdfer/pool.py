"""Independent pieces of work on a pool of spawned processes: progress as they end, no hang when a process dies.

What a piece of work is belongs to its caller. Workers here import neither torch nor the caller's main script; work that
needs torch has a pool of its own.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from types import ModuleType
from typing import TypeVar

from nrdfer.errors import NrdferError

Unit = TypeVar("Unit")
Result = TypeVar("Result")
_DEATHS = 3  # in a row, without one unit finished between them
_log = logging.getLogger(__name__)


def completed(
    work: Callable[[Unit], Result], units: Sequence[Unit], *, workers: int, what: str
) -> Iterator[tuple[Unit, Result]]:
    """Yield (unit, ``work(unit)``) as units end, in any order.

    A process that dies (killed, out of memory, a crash in a decoder) breaks the pool; the units then left are tried
    again on a new one. `work` must therefore be safe to repeat.

    Args:
        work: a function of a module, with a result that can be pickled.
        units: what to call it with.
        workers: processes, of one thread each.
        what: for messages: what is being made.

    Raises:
        NrdferError: processes keep dying.
    """
    if work.__module__ == "__main__":
        raise ValueError(f"{work.__qualname__} is of the main script, which workers do not import")
    left = dict(enumerate(units))
    deaths = 0
    while left:
        before = len(left)
        broken = yield from _one_pool(work, left, workers)
        deaths = 0 if len(left) < before else deaths
        if broken is None:
            return
        deaths += 1
        if deaths == _DEATHS:
            raise NrdferError(
                f"{what}: a worker process died {_DEATHS} times before it could finish anything, with {len(left)} of "
                f"{len(units)} pieces left. Was it killed for want of memory, or does a file crash the decoder? What "
                "is finished is kept: free some memory or use fewer workers, and run the same line again"
            ) from broken
        _log.warning("%s: a worker process died; trying the %d pieces that are left again", what, len(left))


def _one_pool(
    work: Callable[[Unit], Result], left: dict[int, Unit], workers: int
) -> Generator[tuple[Unit, Result], None, BrokenProcessPool | None]:
    """Work on `left` and take out what is finished; returns the error if the pool broke."""
    pool = ProcessPoolExecutor(min(workers, len(left)), get_context("spawn"), _start)
    broken: BrokenProcessPool | None = None
    try:
        futures: dict[Future[Result], int] = {}
        try:
            with _main_hidden():
                for key, unit in left.items():
                    futures[pool.submit(work, unit)] = key
        except BrokenProcessPool as error:
            broken = error
        for future in as_completed(futures):
            try:
                result = future.result()
            except BrokenProcessPool as error:
                broken = error
                continue
            yield left.pop(futures[future]), result
    finally:
        # after a failure nothing new is begun, and what is being written is finished or discarded by its writer
        pool.shutdown(wait=True, cancel_futures=True)
    return broken


@contextmanager
def _main_hidden() -> Iterator[None]:
    """Let spawned processes not import this process's main script: that may be Dagster, 100 MB in each of them."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _start() -> None:
    import cv2

    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # a pool's worker waits on a pipe that it holds open itself, so it would outlive a parent that was killed
    parent = parent_process()
    assert parent is not None  # noqa: S101  only spawned processes come here
    parent.join()
    os._exit(1)
