"""Reading ahead: same items, errors in their place, and no thread left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from nrdfer.video.prefetch import prefetched


class Source:
    """Counts, remembers how far it was read, and whether it was closed."""

    def __init__(self, items: int, error_at: int | None = None) -> None:
        self.read = 0
        self.closed = threading.Event()
        self.thread: threading.Thread | None = None
        self._items, self._error_at = items, error_at

    def items(self) -> Iterator[int]:
        self.thread = threading.current_thread()
        try:
            for i in range(self._items):
                if i == self._error_at:
                    raise OSError(f"item {i} is broken")
                self.read += 1
                yield i
        finally:
            self.closed.set()


def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread is about to do."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.002)


def ended(source: Source) -> bool:
    assert source.thread is not None
    assert source.thread is not threading.current_thread()  # another thread did read
    return not source.thread.is_alive()


@pytest.mark.parametrize("ahead", [1, 4, 100])
def test_the_same_items_in_the_same_order(ahead: int) -> None:
    source = Source(50)
    assert list(prefetched(source.items(), ahead)) == list(range(50))
    assert source.closed.is_set()
    assert ended(source)


def test_nothing_and_plain_iterators_and_none_as_an_item() -> None:
    assert list(prefetched(iter([]))) == []
    assert list(prefetched(iter([None, 3, None]))) == [None, 3, None]


def test_an_error_is_raised_at_its_place() -> None:
    source = Source(10, error_at=6)
    got = []
    with pytest.raises(OSError, match="item 6 is broken"):
        for item in prefetched(source.items(), ahead=2):
            got.append(item)
    assert got == [0, 1, 2, 3, 4, 5]
    assert source.closed.is_set()
    assert ended(source)


@pytest.mark.parametrize("taken", [1, 5])
def test_ending_early_closes_the_source_and_ends_the_thread(taken: int) -> None:
    source = Source(1_000_000)
    items = prefetched(source.items(), ahead=3)
    assert [next(items) for _ in range(taken)] == list(range(taken))
    items.close()  # type: ignore[attr-defined]
    assert source.closed.is_set()
    assert ended(source)
    assert source.read <= taken + 5


def test_a_consumers_error_closes_the_source() -> None:
    source = Source(1_000_000)

    def consume() -> Iterator[int]:
        for item in prefetched(source.items(), ahead=2):
            if item == 3:
                raise ValueError("enough")
            yield item

    with pytest.raises(ValueError, match="enough"):
        list(consume())
    until(lambda: source.closed.is_set() and ended(source))


@pytest.mark.parametrize("ahead", [1, 4])
def test_a_slow_consumer_is_not_overrun(ahead: int) -> None:
    source = Source(40)
    for item in prefetched(source.items(), ahead):
        consumed = item + 1
        # the reader goes as far as it may: the queue is full, and one item is in its hand
        goal = min(40, consumed + ahead)
        until(lambda goal=goal: source.read >= goal)  # type: ignore[misc]
        time.sleep(0.005)  # time in which it could go further
        assert source.read <= consumed + ahead + 1
