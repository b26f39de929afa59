from __future__ import annotations

import csv
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nrdfer.corpora.afew import find_videos
from nrdfer.corpora.synthetic.render import CorpusSettings, render_corpus
from nrdfer.preprocess import AlignSettings
from nrdfer.stages import align
from nrdfer.weights import sample_weights

SETTINGS = AlignSettings(max_side=360)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Three rendered videos, one file that is none, and one that is missing."""
    folder = tmp_path_factory.mktemp("corpus")
    tiny = dataclasses.replace(CorpusSettings.tiny(), afew_frames=(4, 5), n1_clips=0.0)
    videos = find_videos(render_corpus(folder / "corpus", tiny) / "AFEW")[:3]
    listed = [
        {"clip_id": v.clip_id, "path": str(v.path), "emotion": v.emotion, "split": v.split, "sha256": "0" * 64}
        for v in videos
    ]
    (folder / "text.avi").write_text("not a video")
    for name in ("text", "gone"):
        path = str(folder / f"{name}.avi")
        listed.append({"clip_id": name, "path": path, "emotion": "fear", "split": "val", "sha256": "0" * 64})
    return listed


@pytest.fixture(scope="module")
def aligned(rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, Any]]:
    folder = tmp_path_factory.mktemp("aligned")
    (folder / "out").mkdir()
    counts = align.align_corpus(
        rows, sample_weights("retinaface"), SETTINGS, folder / "work", folder / "out", workers=2
    )
    return folder, counts


def test_a_bad_clip_is_set_aside_with_its_reason(aligned: tuple[Path, Mapping[str, Any]]) -> None:
    folder, counts = aligned
    assert (counts["clips"], counts["set_aside"]) == (3, 2)
    with (folder / "out" / align.SET_ASIDE).open() as handle:
        reasons = {row["clip_id"]: row["reason"] for row in csv.DictReader(handle)}
    assert "this is a text file, not a video" in reasons["text"]
    assert "cannot be opened" in reasons["gone"]


def test_every_frame_has_a_crop_and_a_record(aligned: tuple[Path, Mapping[str, Any]]) -> None:
    folder, counts = aligned
    clips = list(align.read_clips(folder / "out"))
    assert len(clips) == 3
    for record, frames in clips:
        assert frames.shape == (record.n_frames, 112, 112, 3)
        assert [frame.index for frame in record.frames] == list(range(record.n_frames))
        assert record.corpus == "afew"
    assert counts["frames"] == sum(record.n_frames for record, _ in clips)
    assert counts["frames_with_face"] == counts["frames"]


def test_finished_clips_are_not_repeated(
    rows: list[dict[str, Any]], aligned: tuple[Path, Mapping[str, Any]], tmp_path: Path
) -> None:
    folder, counts = aligned
    moved = [{**row, "path": "/nowhere"} for row in rows]  # opening any video would fail
    assert align.align_corpus(moved, Path("no weights"), SETTINGS, folder / "work", tmp_path) == counts


def test_enhancing_brightens_and_says_so(aligned: tuple[Path, Mapping[str, Any]], tmp_path: Path) -> None:
    source = aligned[0] / "out"
    (tmp_path / "on").mkdir()
    (tmp_path / "off").mkdir()
    counts = align.enhance_corpus(source, sample_weights("enlightengan"), tmp_path / "on")
    assert counts["mean_level_after"] > counts["mean_level_before"]
    assert {record.enhanced for record, _ in align.read_clips(tmp_path / "on")} == {"enlightengan-crop"}
    align.enhance_corpus(source, None, tmp_path / "off")
    for (record, frames), (before, crops) in zip(
        align.read_clips(tmp_path / "off"), align.read_clips(source), strict=True
    ):
        assert record == before
        assert np.array_equal(frames, crops)
