"""Contact sheets: what is shown, and how missing frames stand out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrdfer.core.records import FrameRecord
from nrdfer.faces.contact_sheet import (
    FACE_RGB,
    MAX_TILES,
    MISSING_RGB,
    SheetCollector,
    contact_sheet,
    thinned,
    tile_frames,
)


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


def passed(records: list[FrameRecord]) -> tuple[list[np.ndarray], SheetCollector, np.ndarray]:
    """Crops as they came through a collector, whose buffer is used again for each; the collector; the crops."""
    crops = np.random.default_rng(1).integers(0, 256, (len(records), 64, 64, 3), dtype=np.uint8)
    buffer = np.zeros((64, 64, 3), np.uint8)

    def source() -> Iterator[np.ndarray]:
        for crop in crops:
            buffer[...] = crop
            yield buffer

    collector = SheetCollector(records)
    return [crop.copy() for crop in collector.passing(source())], collector, crops


@pytest.mark.parametrize("frames", [1, 30, MAX_TILES, 4 * MAX_TILES])
def test_a_collector_lets_all_pass_and_its_sheet_is_that_of_all(frames: int) -> None:
    records = [FrameRecord(i, has_face=i % 3 != 1) for i in range(frames)]
    came, collector, crops = passed(records)
    np.testing.assert_array_equal(np.stack(came), crops)
    np.testing.assert_array_equal(collector.sheet("clip"), contact_sheet(crops, records, title="clip"))


def test_a_collector_keeps_only_what_its_sheet_shows() -> None:
    records = [FrameRecord(i, has_face=i % 5 == 0) for i in range(1000)]
    came, collector, _ = passed(records)
    assert len(came) == 1000
    assert sorted(collector._tiles) == tile_frames(records)
    assert len(collector._tiles) == MAX_TILES
