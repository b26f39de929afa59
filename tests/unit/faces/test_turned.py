"""Footage that lies on its side or stands on its head is told; upright footage is not looked at again."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from nrdfer.config.alignment import AlignSettings
from nrdfer.faces import turned
from nrdfer.faces.align_clip import plan_clip
from nrdfer.faces.detector import FaceDetector
from nrdfer.faces.load_detector import load_detector
from nrdfer.faces.turned import SAMPLES, Samples
from nrdfer.video.constant_rate_writer import VideoWriter
from nrdfer.video.decode import iter_frames

TURNS = {1: ("left side", "transpose=clock"), 2: ("upside down", "hflip,vflip"), 3: ("right side", "transpose=cclock")}
CLIPS = ("pyfeat_single_face.mp4", "short_hamilton_clip.mp4", "pyfeat_WolfgangLanger_Pexels.mp4")


@pytest.fixture(scope="module")
def detector(shared_dir: Path) -> FaceDetector:
    return load_detector(shared_dir / "weights" / "retinaface_mobilenet0.25.pth", max_side=320)


def turned_clip(source: Path, quarters: int, out: Path) -> Path:
    """A few frames of a clip, turned counter-clockwise."""
    frames = [
        np.ascontiguousarray(np.rot90(frame, quarters)) for frame in islice(iter_frames(source, notes=[]), 0, 36, 3)
    ]
    height, width = frames[0].shape[:2]
    with VideoWriter(out, width - width % 2, height - height % 2, 10, "mjpeg") as writer:
        for frame in frames:
            writer.write(np.ascontiguousarray(frame[: height - height % 2, : width - width % 2]))
    return out


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_footage_that_is_turned_without_a_flag_is_told(
    clip: str, quarters: int, detector: FaceDetector, shared_dir: Path, tmp_path: Path
) -> None:
    if clip != CLIPS[0] and quarters != 2:
        pytest.skip("one clip on its sides is enough")
    video = turned_clip(shared_dir / "clips" / clip, quarters, tmp_path / "turned.avi")
    note = plan_clip(video, detector, AlignSettings()).note
    assert all(words in note for words in TURNS[quarters]), note


@pytest.mark.parametrize("clip", CLIPS)
def test_upright_footage_is_neither_told_nor_looked_at_again(
    clip: str, detector: FaceDetector, shared_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = turned_clip(shared_dir / "clips" / clip, 0, tmp_path / "upright.avi")
    looks = []
    real = turned._standing
    monkeypatch.setattr(turned, "_standing", lambda *a: looks.append(1) or real(*a))
    plan = plan_clip(video, detector, AlignSettings())
    assert plan.note == ""
    assert not looks or sum(record.has_face for record in plan.records) < len(plan.records) / 2


def test_samples_are_few_small_and_spread() -> None:
    samples = Samples(max_side=32)
    for index in range(1000):
        samples.add(np.full((64, 128, 3), index // 4, np.uint8))
    pictures = samples.pictures()
    assert 4 <= len(pictures) <= SAMPLES
    assert {picture.shape for picture in pictures} == {(16, 32, 3)}
    assert len({int(picture[0, 0, 0]) for picture in pictures}) == len(pictures)
    assert Samples(32).pictures() == []
