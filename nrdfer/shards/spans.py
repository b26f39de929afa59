"""Offsets and sizes of a clip's pictures in 16 bytes each: a corpus has millions, and a tuple of two numbers takes 120.

Keep out: which shard they are in, and whether they are within it (`nrdfer.shards.index`).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

Span = tuple[int, int]  # offset and size in bytes of a member's content


class Spans(Sequence[Span]):
    """Spans that cannot be changed; equal to any sequence of the same spans.

    Args:
        spans: in order.

    Raises:
        TypeError: a number is not whole.
        ValueError: a span is not two numbers, or one of them is negative, or takes more than eight bytes.
    """

    __slots__ = ("_flat",)

    def __init__(self, spans: Iterable[Sequence[int]]) -> None:
        flat: list[int] = []
        for offset, size in spans:
            flat += (offset, size)
        if any(isinstance(number, bool) for number in flat) or (flat and min(flat) < 0):
            raise ValueError("a span is not two numbers from 0 on")
        try:
            self._flat = array("q", flat)
        except OverflowError as error:
            raise ValueError(f"a span is beyond any file: {error}") from error

    @property
    def end(self) -> int:
        """First byte after the last of them; 0 if there are none."""
        return max(map(sum, self), default=0)

    def __len__(self) -> int:
        return len(self._flat) // 2

    @overload
    def __getitem__(self, index: int) -> Span: ...
    @overload
    def __getitem__(self, index: slice) -> Spans: ...
    def __getitem__(self, index: int | slice) -> Span | Spans:
        if isinstance(index, slice):
            return Spans([self[i] for i in range(*index.indices(len(self)))])
        at = range(len(self))[index]  # as a list does: negative ones count from the end, others are refused
        return self._flat[2 * at], self._flat[2 * at + 1]

    def __iter__(self) -> Iterator[Span]:
        return zip(self._flat[::2], self._flat[1::2], strict=True)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Spans):
            return self._flat == other._flat
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Spans({tuple(self)})"
