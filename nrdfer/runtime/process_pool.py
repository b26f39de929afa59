"""Pool of spawned processes for independent work: results as they complete, and never a hang when a process dies.

The standard library's pool hangs when a process dies while another is being started, and cannot say which piece of
work killed it. What a piece of work is belongs to its caller; processes here import nothing that it does not need.
"""

from __future__ import annotations

import logging
import os
import pickle
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any, TypeVar

from nrdfer.core.errors import NrdferError

Unit = TypeVar("Unit")
Result = TypeVar("Result")
_SHORT = 200  # characters of a unit in a message
_log = logging.getLogger(__name__)


def completed(
    work: Callable[..., Result],
    units: Sequence[Unit],
    *,
    workers: int,
    what: str,
    shared: Any = None,
    on_death: Callable[[Unit], Result] | None = None,
) -> Iterator[tuple[Unit, Result]]:
    """Yield (unit, ``work(unit)``) as units end, in any order.

    A unit whose process dies (killed, out of memory, a crash in a decoder) is tried once more at the end, with no
    other beside it. `work` must therefore be safe to repeat.

    Args:
        work: a function of a module, with a result that can be pickled.
        units: what to call it with.
        workers: processes, of one thread each.
        what: for messages: what is being made.
        shared: sent to each process once; if given, ``work(unit, shared)`` is called.
        on_death: the result of a unit whose process died twice; without it that is an error.

    Raises:
        NrdferError: a process died twice over one unit, or cannot even start.
        Exception: any error that `work` raises; nothing new is begun then.
    """
    if work.__module__ == "__main__":
        raise ValueError(f"{work.__qualname__} belongs to the main script, which workers do not import")
    dead: list[int] = []
    for key, result in _rounds(work, units, range(len(units)), workers, what, shared, dead):
        yield units[key], result
    for key in list(dead):
        _log.warning("%s: the process that worked on %s died; trying it again, alone", what, _short(units[key]))
        dead.clear()
        for _, result in _rounds(work, units, [key], 1, what, shared, dead):
            yield units[key], result
        if dead and on_death is not None:
            yield units[key], on_death(units[key])
        elif dead:
            raise NrdferError(
                f"{what}: a worker process died twice on {_short(units[key])}. Was it killed for lack of memory, or "
                "does a file crash the decoder? What is finished is kept: free some memory or use fewer workers, and "
                "run the same command again"
            )


@dataclass(eq=False, slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    key: int | None = None  # of the unit it works on; None before it has reported that it is ready


def _rounds(
    work: Callable[..., Result],
    units: Sequence[Unit],
    keys: Sequence[int],
    n_workers: int,
    what: str,
    shared: Any,
    dead: list[int],
) -> Iterator[tuple[int, Result]]:
    """Work on the units of these keys; those whose process died are added to `dead`."""
    left = deque(keys)
    workers: list[_Worker] = []
    try:
        while left or any(worker.key is not None for worker in workers):
            while len(workers) < min(n_workers, len(left) + sum(worker.key is not None for worker in workers)):
                workers.append(_start(work, shared))
            for pipe in connection.wait([worker.pipe for worker in workers]):
                worker = next(worker for worker in workers if worker.pipe is pipe)
                try:
                    kind, value = worker.pipe.recv()
                except (EOFError, ConnectionError):
                    workers.remove(worker)
                    worker.process.join()
                    if worker.key is None:
                        raise NrdferError(
                            f"{what}: a worker process could not start (exit code {worker.process.exitcode}); is there "
                            "enough memory?"
                        ) from None
                    dead.append(worker.key)
                    continue
                if kind == "failed":
                    raise value
                done, worker.key = worker.key, None
                if left:
                    worker.key = left.popleft()
                    worker.pipe.send(units[worker.key])
                else:
                    workers.remove(worker)
                    _end(worker)
                if done is not None:
                    yield done, value
    finally:
        for worker in workers:
            _end(worker)


def _start(work: Callable[..., Any], shared: Any) -> _Worker:
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(theirs, work, shared), daemon=True)
    with _main_hidden():
        process.start()
    theirs.close()
    return _Worker(process, ours)


def _end(worker: _Worker) -> None:
    """Let a worker finish its current write, then end it."""
    worker.pipe.close()
    worker.process.join()


@contextmanager
def _main_hidden() -> Iterator[None]:
    """Keep spawned processes from importing this process's main script: it may be Dagster, 150 MB in each of them."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _serve(pipe: Connection, work: Callable[..., Any], shared: Any) -> None:
    """Main loop of a worker: one unit after another, until none is left."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    one_thread()
    pipe.send(("ready", None))
    while True:
        try:
            unit = pipe.recv()
        except EOFError:
            return
        answer: tuple[str, Any]
        try:
            answer = "done", work(unit) if shared is None else work(unit, shared)
        except Exception as error:
            answer = "failed", _picklable(error)
        try:
            pipe.send(answer)
        except (BrokenPipeError, ConnectionResetError):  # the other end is closed
            return


def _short(unit: object) -> str:
    text = str(unit)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}..."


def one_thread() -> None:
    """Limit this process to one core: threads of several such processes would only compete.

    Nothing is imported for this but OpenCV; what uses torch has imported it.
    """
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    import cv2

    cv2.setNumThreads(1)


def _picklable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  (made here)
        return error
    except Exception:  # its constructor may raise anything
        return RuntimeError(f"{type(error).__name__}: {error}")


def _end_with_parent() -> None:
    # blocked in its work, a worker would not notice that its parent was killed
    parent = parent_process()
    assert parent is not None  # noqa: S101  only spawned processes come here
    parent.join()
    os._exit(1)
