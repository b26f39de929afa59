"""Clips between two steps: whole or not there, the same bytes read back, tables that keep any words."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from nrdfer.core.records import ClipRecord, FrameRecord
from nrdfer.faces.contact_sheet import SheetCollector
from nrdfer.preprocessing import clip_files
from nrdfer.preprocessing.clip_files import (
    SHEETS,
    is_written,
    link_clip,
    link_sheet,
    list_clips,
    read_clip,
    read_clips,
    read_reasons,
    write_clip,
    write_reasons,
)

SIZE = 16


def make_record(clip_id: str, frames: int) -> ClipRecord:
    told = tuple(FrameRecord(i, has_face=i != 1, score=0.5) for i in range(frames))
    return ClipRecord("afew", clip_id, "fear", "train", frames, "0" * 64, frames=told)


def make_frames(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, SIZE, SIZE, 3), dtype=np.uint8)


def test_a_clip_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    for number, clip_id in enumerate(("b", "a-2", "a")):
        write_clip(tmp_path, make_record(clip_id, 3), iter(make_frames(3, number)), SIZE)
    assert list_clips(tmp_path) == ["a", "a-2", "b"]
    record, frames = read_clip(tmp_path, "b")
    assert record == make_record("b", 3)
    np.testing.assert_array_equal(frames, make_frames(3))
    assert isinstance(frames, np.memmap)  # nothing is read before it is looked at
    np.testing.assert_array_equal(np.load(tmp_path / "b.npy"), make_frames(3))  # a plain file of numpy's
    assert [record.clip_id for record, _ in read_clips(tmp_path)] == ["a", "a-2", "b"]


def test_frames_that_are_not_contiguous_are_written_as_they_look(tmp_path: Path) -> None:
    frames = make_frames(2)
    write_clip(tmp_path, make_record("a", 2), (frame[::-1, :, ::-1] for frame in frames), SIZE)
    np.testing.assert_array_equal(read_clip(tmp_path, "a")[1], frames[:, ::-1, :, ::-1])


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (make_frames(2), "2 frames, but its record says 3"),
        (make_frames(4), "4 frames, but its record says 3"),
        (make_frames(3)[:, 1:], "a frame is \\(15, 16, 3\\)"),
        (make_frames(3).astype(np.float32), "float32"),
    ],
)
def test_what_does_not_fit_its_record_leaves_nothing(tmp_path: Path, frames: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        write_clip(tmp_path, make_record("a", 3), frames, SIZE)
    assert list(tmp_path.iterdir()) == []
    assert not is_written(tmp_path, "a")


def test_a_reader_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> Iterator[np.ndarray]:
        yield make_frames(1)[0]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        write_clip(tmp_path, make_record("a", 3), failing(), SIZE)
    assert list(tmp_path.iterdir()) == []


def test_a_clip_counts_as_written_only_with_its_record(tmp_path: Path) -> None:
    def watched() -> Iterator[np.ndarray]:
        for frame in make_frames(3):
            assert not is_written(tmp_path, "a")
            assert list_clips(tmp_path) == []  # what is being written has a hidden name
            yield frame

    write_clip(tmp_path, make_record("a", 3), watched(), SIZE)
    assert is_written(tmp_path, "a")


def test_the_sheet_is_written_with_the_clip_and_travels_with_it(tmp_path: Path) -> None:
    record = make_record("a", 3)
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    write_clip(one, record, make_frames(3), SIZE, SheetCollector(record.frames))
    picture = cv2.imread(str(one / SHEETS / "a.jpg"))
    assert picture is not None
    assert picture.shape[1] >= 3 * 112
    link_clip(one, two, "a")
    link_sheet(one, two, "a")
    link_sheet(one, two, "without a sheet")
    assert read_clip(two, "a")[0] == record
    assert [path.name for path in (two / SHEETS).iterdir()] == ["a.jpg"]
    assert (one / "a.npy").samefile(two / "a.npy")  # linked: no room is taken


def test_without_links_files_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links on this disk")

    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    write_clip(one, make_record("a", 3), make_frames(3), SIZE)
    monkeypatch.setattr(clip_files.os, "link", refuse)
    link_clip(one, two, "a")
    np.testing.assert_array_equal(read_clip(two, "a")[1], make_frames(3))
    assert not (one / "a.npy").samefile(two / "a.npy")


def test_reasons_keep_commas_quotes_and_lines(tmp_path: Path) -> None:
    rows = [("a", 'no "face", in\nany frame'), ("b", "plain"), ("c", "näher; |")]
    write_reasons(tmp_path / "r.csv", rows)
    assert read_reasons(tmp_path / "r.csv") == rows
    write_reasons(tmp_path / "none.csv", [])
    assert read_reasons(tmp_path / "none.csv") == []


def test_a_clip_or_reason_that_looks_like_a_formula_is_text_in_the_table(tmp_path: Path) -> None:
    rows = [("-2+3", "=HYPERLINK(1)"), ("@a", "+1+1 frames"), ("'=a", "\t=1")]
    write_reasons(tmp_path / "r.csv", rows)
    with (tmp_path / "r.csv").open(newline="", encoding="utf-8") as handle:
        cells = [text for row in csv.reader(handle) for text in row]
    assert not [text for text in cells if text.startswith(("=", "+", "-", "@", "\t"))]
    assert read_reasons(tmp_path / "r.csv") == rows


def test_a_record_is_plain_json(tmp_path: Path) -> None:
    write_clip(tmp_path, make_record("a", 3), make_frames(3), SIZE)
    assert json.loads((tmp_path / "a.json").read_text())["frames"][1]["has_face"] is False
