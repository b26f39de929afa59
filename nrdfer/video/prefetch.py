"""Reading ahead: a thread fills a short queue while the caller works on what was read before.

So decoding overlaps with detection and enhancement, on a GPU above all. What is read does not matter here.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

T = TypeVar("T")
_Entry = tuple[T | None, BaseException | None]


def prefetched(items: Generator[T, None, None] | Iterator[T], ahead: int = 4) -> Iterator[T]:
    """The same items in the same order, read ahead by a thread: at most `ahead` items wait, plus one in progress.

    An error of the items is raised where it would have been. Ending early closes them.
    """
    entries: queue.Queue[_Entry[T]] = queue.Queue(maxsize=ahead)
    stopped = threading.Event()

    def put(entry: _Entry[T]) -> bool:
        while not stopped.is_set():
            try:
                entries.put(entry, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        try:
            for item in items:
                if not put((item, None)):
                    return
            put((None, StopIteration()))
        except BaseException as error:  # any error is passed to the caller
            put((None, error))
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()

    thread = threading.Thread(target=read, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item, error = entries.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        stopped.set()
        thread.join()
