"""Real faces with the real detector: boxes lie where the faces are, and nobody is found where nobody is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nrdfer.predict.crops import Cropper
from nrdfer.predict.model import TrainedModel
from nrdfer.predict.predictor import Predictor

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


def test_nobody_is_found_in_an_animated_title(with_real_weights: Predictor, shared_dir: Path) -> None:
    found = with_real_weights.predict(shared_dir / "clips" / "pyfeat_no_face.mp4")
    assert (found.status, found.answer, len(found.records)) == ("no_face", None, 95)
    assert {row.status for row in found.windows} == {"no_face"}
    assert found.windows[-1].window.end == pytest.approx(95 / 24)
