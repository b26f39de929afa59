"""Detectors of other packages: called with what they take, answers in pixels of the source, or refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from nrdfer.config.alignment import AlignSettings
from nrdfer.core.errors import PluginError, WeightsError
from nrdfer.core.plugins import DETECTORS
from nrdfer.faces.other_detector import OtherDetector
from nrdfer.preprocessing.spec import Preprocessing, WeightsFile, detector_code
from tests.unit.packages import install

SOURCE = """
from types import SimpleNamespace
import numpy as np

class Middle:
    def __init__(self, threshold=0.5):
        self.threshold = threshold

    def detect(self, picture):
        h, w = picture.shape[:2]
        box, points, score = np.array([w / 4, h / 4, w / 2, h / 2]), np.full((5, 2), w / 3), self.threshold + 0.1
        CHANGE
        low = SimpleNamespace(box=box, points=points, score=0.1)
        return [low, SimpleNamespace(box=box, points=points, score=score)]
"""
PICTURE = np.zeros((200, 400, 3), np.uint8)


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, change: str = "pass") -> None:
    install(folder, monkeypatch, "face-finders", SOURCE.replace("CHANGE", change), {DETECTORS: {"middle": "Middle"}})


def test_faces_come_back_in_pixels_of_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, monkeypatch)
    detector = pickle.loads(pickle.dumps(OtherDetector("middle", threshold=0.6, max_side=100)))  # noqa: S301
    ((face,),) = detector.detect_batch([PICTURE])
    assert face.box.tolist() == [100, 50, 200, 100]
    assert face.points == pytest.approx(np.full((5, 2), 400 / 3), rel=0.01)
    assert face.score == pytest.approx(0.7)
    assert len(detector.detect_in(PICTURE, [(0, 0, 32, 32)])) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("box = box[:3]", r"gives a face a box of shape \(3,\); it must be \(4,\) \(x1, y1, x2, y2\)"),
        ("points = points[:2]", r"gives a face a points of shape \(2, 2\); it must be \(5, 2\)"),
        ("score = 7", r"gives a face the score 7\.0; scores are 0 to 1"),
        ("box = 'here'", "whose box cannot be read: ValueError"),
        ("return 5", r"fails on a picture of shape \(200, 400, 3\).*TypeError: 'int' object is not iterable"),
        ("raise MemoryError('full')", r"MemoryError: full \(face_finders\.py, line 12\)"),
    ],
)
def test_another_answer_is_refused(change: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, monkeypatch, change)
    with pytest.raises(PluginError, match=words):
        OtherDetector("middle").detect_batch([PICTURE])


def test_preprocessing_records_the_detector_and_needs_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = WeightsFile("sample", "0" * 64)
    ours = Preprocessing(AlignSettings(), weights)
    assert "detector" not in ours.to_dict()
    assert "detector" not in ours.to_dict()["align"]
    with monkeypatch.context() as patch:
        installed(tmp_path, patch)
        code = detector_code("middle")
        used, changes = ours.overridden(detector="middle")
        assert changes == ("detector middle instead of retinaface",)
        used.write(tmp_path / "preprocessing.json")
    read = Preprocessing.read(tmp_path / "preprocessing.json")
    assert read == used
    assert (read.detector, read.retinaface) == (code, None)
    from nrdfer.predict.crops import Cropper

    with pytest.raises(PluginError, match=r"detector 'middle' of the package face-finders 1\.0 is needed, and it"):
        Cropper.load(read, device="cpu")
    back, _ = read.overridden(retinaface="sample")
    assert (back.detector, back.align.detector) == (None, "retinaface")
    with pytest.raises((ValueError, WeightsError), match="contradict"):
        Preprocessing(AlignSettings(detector="middle"), weights)
