"""Contact sheets: what is shown, and how missing frames stand out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrdfer.faces.contact_sheet import FACE_RGB, MISSING_RGB, contact_sheet, thinned
from nrdfer.records import FrameRecord


def count_colour(sheet: np.ndarray, rgb: tuple[int, int, int]) -> int:
    return int((sheet == rgb).all(axis=2).sum())


def test_each_tile_is_framed_by_its_status() -> None:
    crops = np.full((5, 64, 64, 3), 90, np.uint8)
    records = [FrameRecord(i, has_face=i != 2) for i in range(5)]
    sheet = contact_sheet(crops, records, title="clip", columns=3)
    one_frame = 118 * 118 - 112 * 112
    assert count_colour(sheet, FACE_RGB) == 4 * one_frame
    assert count_colour(sheet, MISSING_RGB) == one_frame
    assert count_colour(sheet, (90, 90, 90)) >= 5 * 112 * 112
    assert (sheet[:26] < 128).any()  # the title is written


@given(st.lists(st.booleans(), min_size=1, max_size=300), st.integers(2, 60))
def test_thinning_keeps_order_bounds_and_faces(has_face: list[bool], limit: int) -> None:
    shown = thinned(has_face, limit)
    assert shown == sorted(set(shown))
    assert 0 < len(shown) <= limit
    assert all(0 <= index < len(has_face) for index in shown)
    if len(has_face) <= limit:
        assert shown == list(range(len(has_face)))
    else:
        assert len(shown) == limit
        wanted = min(sum(has_face), round(limit * 2 / 3))
        assert sum(has_face[index] for index in shown) >= wanted


def test_crops_and_records_must_match() -> None:
    with pytest.raises(ValueError, match="record for each"):
        contact_sheet(np.zeros((2, 8, 8, 3), np.uint8), [FrameRecord(0, has_face=True)])
    with pytest.raises(ValueError, match="record for each"):
        contact_sheet(np.zeros((0, 8, 8, 3), np.uint8), [])
