"""Many videos to crops on disk: bad ones are set aside, workers change nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from nrdfer.errors import CorpusError
from nrdfer.faces.detector import FaceDetector, load_detector
from nrdfer.preprocess import AlignSettings, preprocess_videos
from nrdfer.video.encode import VideoWriter


class DyingDetector(FaceDetector):
    """Kills its process when it meets a picture that is all white."""

    def detect_batch(self, pictures):  # type: ignore[no-untyped-def]
        if any(picture.min() > 240 for picture in pictures):
            os._exit(9)
        return super().detect_batch(pictures)


def write_video(path: Path, levels: list[int], size: tuple[int, int] = (200, 160)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, *size, 25, "mjpeg") as writer:
        for level in levels:
            frame = np.full((size[1], size[0], 3), level, np.uint8)
            frame[:, : size[0] // 2] = level // 2
            writer.write(frame)
    return path


@pytest.fixture(scope="module")
def weights(shared_dir: Path) -> Path:
    return shared_dir / "weights" / "retinaface_mobilenet0.25.pth"


def test_bad_videos_are_set_aside_and_the_rest_goes_on(tmp_path: Path, shared_dir: Path, weights: Path) -> None:
    corpus = tmp_path / "in"
    single = shared_dir / "clips" / "pyfeat_single_face.mp4"
    (corpus / "deep").mkdir(parents=True)
    (corpus / "deep" / "odd name.v1.mp4").write_bytes(single.read_bytes())
    (corpus / "broken.mp4").write_bytes(single.read_bytes()[:30_000])
    write_video(corpus / "grey.avi", [100] * 6)
    out = tmp_path / "out"
    calls: list[tuple[int, int]] = []
    summaries = preprocess_videos(
        [corpus], weights, AlignSettings(), out, tmp_path / "r.json", lambda a, b: calls.append((a, b))
    )
    assert [(s.clip, s.status) for s in summaries] == [
        ("broken.mp4", "unreadable"),
        ("odd name.v1.mp4", "ok"),
        ("grey.avi", "no_face"),
    ]
    assert calls == [(1, 3), (2, 3), (3, 3)]
    rows = json.loads((tmp_path / "r.json").read_text())
    assert [set(row) >= {"clip", "frames", "frames_with_face", "status", "reason"} for row in rows] == [True] * 3
    assert (rows[1]["frames"], rows[1]["frames_with_face"], rows[1]["reason"]) == (72, 72, "")
    assert rows[0]["reason"]
    assert rows[2]["reason"]
    assert sorted(p.name for p in out.iterdir()) == ["grey.png", "odd-name-v1", "odd-name-v1.png"]
    crops = sorted((out / "odd-name-v1").glob("*.jpg"))
    assert len(crops) == 72
    first = cv2.imread(str(crops[0]))
    assert first is not None
    assert first.shape == (112, 112, 3)
    records = json.loads((out / "odd-name-v1" / "records.json").read_text())
    assert len(records) == 72
    # a second run replaces the first
    again = preprocess_videos([corpus], weights, AlignSettings(size=64), out)
    assert [s.status for s in again] == [s.status for s in summaries]
    small = cv2.imread(str(crops[0]))
    assert small is not None
    assert small.shape == (64, 64, 3)
    assert sorted(p.name for p in out.iterdir()) == ["grey.png", "odd-name-v1", "odd-name-v1.png"]


def test_workers_do_not_change_results_and_may_die(tmp_path: Path, weights: Path, shared_dir: Path) -> None:
    plain = load_detector(weights)
    dying = DyingDetector(plain.net, plain.convention)
    single = shared_dir / "clips" / "pyfeat_single_face.mp4"
    white = tmp_path / "white.avi"
    with VideoWriter(white, 64, 64, 25, "mjpeg") as writer:
        for _ in range(4):
            writer.write(np.full((64, 64, 3), 255, np.uint8))
    two = preprocess_videos([single, white], dying, AlignSettings(), tmp_path / "two", workers=2)
    assert [s.status for s in two] == ["ok", "unreadable"]
    assert "died" in two[1].reason
    one = preprocess_videos([single], plain, AlignSettings(), tmp_path / "one")
    assert one[0].frames_with_face == two[0].frames_with_face == 72
    for path in sorted((tmp_path / "one" / "pyfeat_single_face").glob("*.jpg"))[::10]:
        assert path.read_bytes() == (tmp_path / "two" / "pyfeat_single_face" / path.name).read_bytes()


def test_nothing_to_do_is_an_error(tmp_path: Path, weights: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(CorpusError, match="no video"):
        preprocess_videos([tmp_path / "in"], weights, AlignSettings(), tmp_path / "out")
    with pytest.raises(ValueError, match="workers"):
        preprocess_videos([tmp_path / "in"], weights, AlignSettings(), tmp_path / "out", workers=0)
    assert not (tmp_path / "out").exists()
