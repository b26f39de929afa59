"""One video to crops: bookkeeping with a scripted detector, and the real clips with the real weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nrdfer.config.alignment import AlignSettings
from nrdfer.core.errors import NoFaceError, UnreadableVideoError
from nrdfer.faces.align_clip import ClipPlan, crops, plan_clip, plan_from_records
from nrdfer.faces.alignment import TEMPLATE_112, middle_square, nearest_matrices
from nrdfer.faces.detector import Face, FaceDetector
from nrdfer.faces.load_detector import load_detector
from nrdfer.video.constant_rate_writer import VideoWriter

pytestmark = pytest.mark.slow


class ScriptedDetector:
    """Finds a face of the template's shape where the script says; frames are numbered as they come."""

    threshold, max_side, on_gpu = 0.7, 640, False

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


def aligned(video: Path, detector: FaceDetector, settings: AlignSettings) -> tuple[ClipPlan, NDArray[np.uint8]]:
    """The plan of a video, and all its crops (T, S, S, 3)."""
    plan = plan_clip(video, detector, settings)
    return plan, np.stack(list(crops(plan, settings.size)))


def test_every_frame_is_kept_and_gaps_take_the_nearest_matrix(tmp_path: Path) -> None:
    levels = [60 + 10 * i for i in range(9)]
    video = write_video(tmp_path / "a.avi", levels)
    broken = np.full((5, 2), np.nan)
    mirrored = points_at(100, 80)[[1, 0, 2, 4, 3]]
    script = {1: points_at(100, 80), 2: broken, 3: np.full((5, 2), 3.0), 4: mirrored, 6: points_at(106, 80)}
    clip, frames = aligned(video, ScriptedDetector(script), AlignSettings(size=64, every=1, min_track=2))
    assert clip.status == "ok"
    assert frames.shape == (9, 64, 64, 3)
    assert [r.index for r in clip.records] == list(range(9))
    assert [r.has_face for r in clip.records] == [i in (1, 6) for i in range(9)]
    assert clip.records[2].points is None  # not numbers, and JSON has none for them
    assert clip.records[2].score == 0.9
    assert clip.records[4].residual is not None
    assert clip.records[4].residual > 10
    assert clip.records[0].box is None
    json.dumps([r.points for r in clip.records], allow_nan=False)
    # right of the middle every crop shows its own frame's level
    assert np.abs(frames[:, :, -8:].mean((1, 2, 3)) - levels).max() < 4
    # the edge between dark and light lies where the nearest good frame's matrix puts it
    step = [int(np.argmax(np.diff(f[32, :, 0].astype(int)))) for f in frames]
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
    clip, frames = aligned(video, ScriptedDetector({}), AlignSettings(every=1))
    assert (clip.status, len(frames), len(clip.records)) == ("no_face", 4, 4)
    assert "any of 4 frames" in clip.reason
    mirrored = points_at(100, 80)[[1, 0, 2, 4, 3]]
    clip, frames = aligned(video, ScriptedDetector({0: mirrored, 1: mirrored}), AlignSettings(every=1))
    assert clip.status == "no_face"
    assert "2 of 4 frames" in clip.reason


def test_a_track_that_is_too_short_is_told_as_such(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.avi", [100] * 24)
    script = {3: points_at(100, 80), 4: points_at(100, 80)}
    plan = plan_clip(video, ScriptedDetector(script), AlignSettings(every=1))  # type: ignore[arg-type]
    assert (plan.status, plan.usable, plan.tracks) == ("no_face", False, (2,))
    assert "the longest of 1 tracks has 2 of 24 frames, fewer than 5" in plan.reason
    kept = plan_clip(video, ScriptedDetector(script), AlignSettings(every=1, min_track=2))  # type: ignore[arg-type]
    assert kept.status == "ok"


def test_clips_without_a_face_follow_the_settings(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.avi", [100] * 6)
    centred = plan_clip(video, ScriptedDetector({}), AlignSettings(no_face="centre"))  # type: ignore[arg-type]
    assert (centred.status, centred.usable, len(centred.matrices)) == ("centred", True, 6)
    assert not any(record.has_face for record in centred.records)
    assert "any of 6 frames" in centred.reason
    with pytest.raises(NoFaceError, match=r"a\.avi.*any of 6 frames.*no_face"):
        plan_clip(video, ScriptedDetector({}), AlignSettings(no_face="fail"))  # type: ignore[arg-type]


def test_records_alone_give_the_same_crops_again(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.avi", [60 + 10 * i for i in range(9)])
    settings = AlignSettings(size=64, every=1, min_track=1)
    for script in ({1: points_at(100, 80), 6: points_at(106, 80)}, {}):
        plan = plan_clip(video, ScriptedDetector(script), settings)  # type: ignore[arg-type]
        again = plan_from_records(video, plan.records, settings)
        for a, b in zip(crops(plan, 64), crops(again, 64), strict=True):
            assert np.array_equal(a, b)


def test_frames_may_be_changed_before_they_are_cropped(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.avi", [100] * 5)
    plan = plan_clip(video, ScriptedDetector({}), AlignSettings())  # type: ignore[arg-type]
    plain, dark = (list(crops(plan, 32, change)) for change in (None, lambda frames: (f // 2 for f in frames)))
    assert len(dark) == 5
    assert np.abs(np.stack(dark).astype(int) - np.stack(plain) // 2).max() <= 1


def test_a_video_that_changes_between_the_readings_is_told(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.avi", [100] * 5)
    plan = plan_clip(video, ScriptedDetector({}), AlignSettings())  # type: ignore[arg-type]
    write_video(video, [100] * 7)
    with pytest.raises(UnreadableVideoError, match="5 frames at the first reading, 7 at the second"):
        list(crops(plan, 32))


@pytest.mark.parametrize(
    ("setting", "value"), [("every", 0), ("min_track", 0), ("target", "nearest"), ("no_face", "skip"), ("size", 4)]
)
def test_each_setting_out_of_range_is_named(setting: str, value: object) -> None:
    with pytest.raises(ValueError, match=setting):
        AlignSettings(**{setting: value})  # type: ignore[arg-type]


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="margin"):
        AlignSettings(margin=1.0)
    with pytest.raises(ValueError, match="max_residual"):
        AlignSettings(max_residual=0)


@pytest.fixture(scope="module")
def weights(shared_dir: Path) -> Path:
    return shared_dir / "weights" / "retinaface_mobilenet0.25.pth"


def test_aligned_faces_are_upright_centred_and_level(shared_dir: Path, weights: Path) -> None:
    detector = load_detector(weights)
    _, frames = aligned(shared_dir / "clips" / "pyfeat_single_face.mp4", detector, AlignSettings(margin=0.3, size=224))
    found = [detector.detect(crop) for crop in frames[::12]]
    assert all(len(faces) == 1 for faces in found)
    for (face,) in found:
        eyes = face.points[1] - face.points[0]
        assert abs(np.degrees(np.arctan2(eyes[1], eyes[0]))) < 5
        centre = (face.box[:2] + face.box[2:]) / 2
        assert np.abs(centre - 112).max() < 15


def test_the_face_that_leaves_is_marked_missing(shared_dir: Path, weights: Path) -> None:
    clip, frames = aligned(shared_dir / "clips" / "pyfeat_face_noface.mov", load_detector(weights), AlignSettings())
    assert len(frames) == len(clip.records) == 169
    has_face = [record.has_face for record in clip.records]
    assert has_face == [True] * 72 + [False] * 97


def test_the_speaker_is_followed_but_not_across_cuts(shared_dir: Path, weights: Path) -> None:
    clip, _ = aligned(shared_dir / "clips" / "short_hamilton_clip.mp4", load_detector(weights), AlignSettings())
    with_face = [record.index for record in clip.records if record.has_face]
    assert len(clip.records) == 275
    # the speaker's shot is frames 82 to 210; audience before and after
    assert (min(with_face), max(with_face)) == (82, 210)
    assert len(with_face) >= 125
