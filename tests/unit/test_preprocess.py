"""From videos to crops: bookkeeping with a scripted detector, and the real clips with the real weights."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from nrdfer.errors import CorpusError
from nrdfer.faces.alignment import TEMPLATE_112
from nrdfer.faces.detector import Face, FaceDetector, load_detector
from nrdfer.preprocess import (
    AlignSettings,
    align_clip,
    middle_square,
    nearest_matrices,
    preprocess_videos,
)
from nrdfer.video.encode import VideoWriter


class ScriptedDetector:
    """Finds a face of the template's shape where the script says; frames are numbered as they come."""

    threshold, max_side = 0.7, 640

    def __init__(self, script: dict[int, np.ndarray]) -> None:
        self.script, self.seen = script, 0

    def detect_batch(self, pictures: list[np.ndarray]) -> list[list[Face]]:
        found = []
        for _ in pictures:
            points = self.script.get(self.seen)
            self.seen += 1
            box = np.array([60, 40, 140, 120], np.float32)
            found.append([] if points is None else [Face(box, 0.9, points.astype(np.float32))])
        return found


class DyingDetector(FaceDetector):
    """Kills its process when it meets a picture that is all white."""

    def detect_batch(self, pictures):  # type: ignore[no-untyped-def]
        if any(picture.min() > 240 for picture in pictures):
            os._exit(9)
        return super().detect_batch(pictures)


def points_at(x: float, y: float, scale: float = 0.6) -> np.ndarray:
    return (TEMPLATE_112 - 56) * scale + [x, y]


def write_video(path: Path, levels: list[int], size: tuple[int, int] = (200, 160)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, *size, 25, "mjpeg") as writer:
        for level in levels:
            frame = np.full((size[1], size[0], 3), level, np.uint8)
            frame[:, : size[0] // 2] = level // 2
            writer.write(frame)
    return path


def test_every_frame_is_kept_and_gaps_take_the_nearest_matrix(tmp_path: Path) -> None:
    levels = [60 + 10 * i for i in range(9)]
    video = write_video(tmp_path / "a.avi", levels)
    broken = np.full((5, 2), np.nan)
    mirrored = points_at(100, 80)[[1, 0, 2, 4, 3]]
    script = {1: points_at(100, 80), 2: broken, 3: np.full((5, 2), 3.0), 4: mirrored, 6: points_at(106, 80)}
    clip = align_clip(video, ScriptedDetector(script), AlignSettings(size=64))  # type: ignore[arg-type]
    assert clip.status == "ok"
    assert clip.frames.shape == (9, 64, 64, 3)
    assert [r.index for r in clip.records] == list(range(9))
    assert [r.has_face for r in clip.records] == [i in (1, 6) for i in range(9)]
    assert clip.records[2].points is None  # not numbers, and JSON has none for them
    assert clip.records[2].score == 0.9
    assert clip.records[4].residual is not None
    assert clip.records[4].residual > 10
    assert clip.records[0].box is None
    json.dumps([r.points for r in clip.records], allow_nan=False)
    # right of the middle every crop shows its own frame's level
    assert np.abs(clip.frames[:, :, -8:].mean((1, 2, 3)) - levels).max() < 4
    # the edge between dark and light lies where the nearest good frame's matrix puts it
    step = [int(np.argmax(np.diff(f[32, :, 0].astype(int)))) for f in clip.frames]
    assert max(step[:4]) - min(step[:4]) <= 1
    assert step[8] < step[0] - 3


def test_nearest_matrix_prefers_the_earlier_of_two() -> None:
    a, b = np.zeros((2, 3)), np.ones((2, 3))
    filled = nearest_matrices([None, a, None, None, None, b, None])
    assert filled is not None
    assert [float(m[0, 0]) for m in filled] == [0, 0, 0, 0, 1, 1, 1]
    assert nearest_matrices([None, None]) is None


def test_middle_square_fills_the_crop() -> None:
    matrix = middle_square(200, 100, 50)
    corners = np.array([[50, 0], [149, 99]]) @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(corners, [[0.25 - 0.5, 0.25 - 0.5], [49.25, 49.25]], atol=0.01)


def test_a_clip_without_faces_says_so(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.avi", [100] * 4)
    clip = align_clip(video, ScriptedDetector({}), AlignSettings())  # type: ignore[arg-type]
    assert (clip.status, len(clip.frames), len(clip.records)) == ("no_face", 4, 4)
    assert "any of 4 frames" in clip.reason
    mirrored = points_at(100, 80)[[1, 0, 2, 4, 3]]
    clip = align_clip(video, ScriptedDetector({0: mirrored, 1: mirrored}), AlignSettings())  # type: ignore[arg-type]
    assert clip.status == "no_face"
    assert "2 of 4 frames" in clip.reason


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="margin"):
        AlignSettings(margin=1.0)
    with pytest.raises(ValueError, match="max_residual"):
        AlignSettings(max_residual=0)


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


def test_aligned_faces_are_upright_centred_and_level(shared_dir: Path, weights: Path) -> None:
    detector = load_detector(weights)
    clip = align_clip(shared_dir / "clips" / "pyfeat_single_face.mp4", detector, AlignSettings(margin=0.3, size=224))
    found = [detector.detect(crop) for crop in clip.frames[::12]]
    assert all(len(faces) == 1 for faces in found)
    for (face,) in found:
        eyes = face.points[1] - face.points[0]
        assert abs(np.degrees(np.arctan2(eyes[1], eyes[0]))) < 5
        centre = (face.box[:2] + face.box[2:]) / 2
        assert np.abs(centre - 112).max() < 15


def test_the_face_that_leaves_is_marked_missing(shared_dir: Path, weights: Path) -> None:
    clip = align_clip(shared_dir / "clips" / "pyfeat_face_noface.mov", load_detector(weights), AlignSettings())
    assert len(clip.frames) == len(clip.records) == 169
    has_face = [record.has_face for record in clip.records]
    assert has_face == [True] * 72 + [False] * 97


def test_the_speaker_is_followed_but_not_across_cuts(shared_dir: Path, weights: Path) -> None:
    clip = align_clip(shared_dir / "clips" / "short_hamilton_clip.mp4", load_detector(weights), AlignSettings())
    with_face = [record.index for record in clip.records if record.has_face]
    assert len(clip.records) == 275
    # the speaker's shot is frames 82 to 210; audience before and after
    assert (min(with_face), max(with_face)) == (82, 210)
    assert len(with_face) >= 125


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
