"""Real faces with the real detector: boxes lie where the faces are, and nobody is found where nobody is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nrdfer.config.alignment import AlignSettings
from nrdfer.faces.align_clip import plan_clip
from nrdfer.predict.crops import Cropper
from nrdfer.predict.model import TrainedModel
from nrdfer.predict.predictor import Predictor
from tests.unit.odd_videos import X264, ffmpeg

BOX, NOSE = (218, 70, 368, 290), (295, 205)  # pixels


@pytest.fixture(scope="module")
def with_real_weights(shared_dir: Path, trained: TrainedModel) -> Predictor:
    published = shared_dir / "weights" / "retinaface_mobilenet0.25.pth"
    preprocessing, told = trained.preprocessing.overridden(retinaface=str(published), enhance="none")
    assert "RetinaFace retinaface_mobilenet0.25.pth instead of sample" in told
    return Predictor(trained, Cropper.load(preprocessing, device="cpu"), device="cpu")


def test_the_box_lies_on_the_face(with_real_weights: Predictor, shared_dir: Path) -> None:
    """The man's face fills the middle of the picture, 640 x 360; where was read off the picture by eye."""
    found = with_real_weights.predict(shared_dir / "clips" / "pyfeat_single_face.mp4")
    assert (found.status, len(found.records), found.frames_with_face) == ("ok", 72, 72)
    boxes = np.array([record.box for record in found.records])
    assert np.abs(boxes - BOX).max() < 25
    noses = np.array([record.points[2] for record in found.records if record.points is not None])
    assert np.abs(noses - NOSE).max() < 25
    assert found.times is not None
    assert (found.times.fps, found.duration) == (pytest.approx(30), pytest.approx(2.4))
    assert [row.status for row in found.windows] == ["ok"]


def test_a_glimpse_of_a_face_is_no_answer(with_real_weights: Predictor, shared_dir: Path, tmp_path: Path) -> None:
    """Six frames of a face and 600 of a wall: whoever is seen so briefly has no emotion, and the status says why."""
    glimpse = tmp_path / "glimpse.mp4"
    wall = "color=gray:s=640x360:r=30:d=20"
    joined = "[0:v]trim=end_frame=6,setsar=1[a];[1:v]setsar=1[b];[a][b]concat"
    source = shared_dir / "clips" / "pyfeat_single_face.mp4"
    ffmpeg("-i", source, "-f", "lavfi", "-i", wall, "-filter_complex", joined, *X264, glimpse)
    found = with_real_weights.predict(glimpse)
    assert (found.status, found.answer) == ("too_few_faces", None)
    assert "the face is in 6 of 606 frames, too few for an answer" in found.reason
    assert [row.answer for row in found.windows] == [None] * len(found.windows)


def test_footage_upside_down_is_turned(with_real_weights: Predictor, shared_dir: Path, tmp_path: Path) -> None:
    source, over = shared_dir / "clips" / "pyfeat_single_face.mp4", tmp_path / "over.mp4"
    ffmpeg("-i", source, "-vf", "hflip,vflip", "-t", "1", "-an", *X264, over)
    found = with_real_weights.predict(over)
    assert (found.status, found.turned, found.frames_with_face) == ("ok", 2, 30)
    assert "the footage is upside down, without a flag that says so; it was turned upright" in found.note
    boxes = np.array([record.box for record in found.records])
    assert np.abs(boxes - BOX).max() < 30
    points = np.array([record.points for record in found.records])
    assert (points[:, 0, 1] < points[:, 3, 1]).all()  # eyes above mouths


@pytest.mark.parametrize(("turn", "quarters", "words"), [("cclock", 3, "left"), ("clock", 1, "right")])
def test_footage_on_its_side_is_turned(
    with_real_weights: Predictor, shared_dir: Path, tmp_path: Path, turn: str, quarters: int, words: str
) -> None:
    source, side = shared_dir / "clips" / "pyfeat_single_face.mp4", tmp_path / "side.mp4"
    ffmpeg("-i", source, "-vf", f"transpose={turn}", "-t", "0.3", "-an", *X264, side)
    found = with_real_weights.predict(side)
    assert (found.status, found.turned, found.frames_with_face, found.size) == ("ok", quarters, 9, (640, 360))
    assert f"the footage is on its {words} side" in found.note
    assert np.abs(np.array([record.box for record in found.records]) - BOX).max() < 30


def test_the_size_that_is_searched_is_the_detectors(
    with_real_weights: Predictor, trained: TrainedModel, shared_dir: Path, tmp_path: Path
) -> None:
    """The shipped model's is smaller: its faces are large. A clear face of an old film is lost at that size."""
    assert trained.preprocessing.align.max_side < with_real_weights.cropper.detector.max_side == 640
    source, far = shared_dir / "clips" / "pyfeat_single_face.mp4", tmp_path / "far.mp4"
    ffmpeg("-i", source, "-vf", "scale=88:50,setsar=1,pad=640:360:260:150:gray", "-t", "0.4", "-an", *X264, far)
    found = with_real_weights.predict(far)
    as_preprocessed = plan_clip(far, with_real_weights.cropper.detector, AlignSettings())
    assert (found.status, found.frames_with_face) == ("ok", 12)
    assert [record.box for record in found.records] == [record.box for record in as_preprocessed.records]
    smaller = with_real_weights.cropper.preprocessing.overridden(max_side=trained.preprocessing.align.max_side)[0]
    lost = Predictor(trained, Cropper.load(smaller, device="cpu"), device="cpu").predict(far)
    assert lost.status == "no_face" and "(--max-side 640)" in lost.reason


def test_nobody_is_found_in_an_animated_title(with_real_weights: Predictor, shared_dir: Path) -> None:
    found = with_real_weights.predict(shared_dir / "clips" / "pyfeat_no_face.mp4")
    assert (found.status, found.answer, len(found.records)) == ("no_face", None, 95)
    assert {row.status for row in found.windows} == {"no_face"}
    assert found.reason.endswith("and the video has 960: a larger max_side finds smaller faces (--max-side 960)")
    assert found.windows[-1].window.end == pytest.approx(95 / 24)
