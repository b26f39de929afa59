"""Spans of a clip's pictures behave as the tuples that they replace, in an eighth of the memory."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrdfer.shards.index import ClipEntry, ShardEntry, ShardIndex
from nrdfer.shards.spans import Spans

NUMBER = st.integers(0, 2**63 - 1)


@given(st.lists(st.tuples(NUMBER, NUMBER), max_size=8), st.integers(-9, 9), st.slices(8))
def test_they_are_the_tuples_that_were_given(spans: list[tuple[int, int]], at: int, part: slice) -> None:
    made = Spans(spans)
    assert list(made) == spans and len(made) == len(spans)
    assert made == spans == made and made == Spans(spans) and hash(made) == hash(Spans(spans))
    assert made[part] == spans[part] and made != [*spans, (0, 0)]
    assert made.end == max((offset + size for offset, size in spans), default=0)
    if -len(spans) <= at < len(spans):
        assert made[at] == spans[at]
    else:
        with pytest.raises(IndexError):
            made[at]


@pytest.mark.parametrize(
    "wrong", [[(0,)], [(0, 1, 2)], [(0, -1)], [(0, True)], [(0, 2**63)], [(0, 0.5)], [("0", 1)], [7]]
)
def test_what_is_no_span_is_refused(wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        Spans(wrong)


def test_an_index_is_the_same_text_and_small_in_memory() -> None:
    frames = tuple((1024 * i, 500) for i in range(100))
    index = ShardIndex(
        (ShardEntry("a-000000.tar", "0" * 64, 10**6, 2),),
        {"one": ClipEntry(0, (110_000, 9), frames, "fear"), "frames": ClipEntry(0, (120_000, 9), ())},
    )
    text = index.to_json()
    assert text == json.dumps(index.to_dict(), separators=(",", ":"))
    again = ShardIndex.parse(text.encode(), "here")
    assert again == index and again.to_json() == text
    assert sys.getsizeof(again.clips["one"].frames._flat) < 100 * 17 + 100
