"""The functions for users: found in the package, cheap until they are called, and clear about bad input."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nrdfer
from nrdfer.core.errors import CorpusError, ProfileError, UnreadableVideoError
from nrdfer.predict.predictor import Predictor
from nrdfer.predict.result import Prediction
from tests.unit.acting import act

CODE = """
import sys, nrdfer
print(callable(nrdfer.predict), "predict" in dir(nrdfer), "preprocess_video" in dir(nrdfer))
print(*(name for name in ("torch", "cv2", "mlflow", "pandas", "numpy") if name in sys.modules))
"""


def test_the_package_can_be_called_and_loads_nothing_for_that() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["True True True", ""], done.stderr
    with pytest.raises(AttributeError, match="nothing"):
        _ = nrdfer.nothing


@pytest.fixture(scope="module")
def predictor(network_folder: Path, sample_shell: None) -> Predictor:
    return nrdfer.load_predictor(network_folder, people="main", enhance="none", device="cpu")


def test_a_video_is_predicted(predictor: Predictor, tmp_path: Path) -> None:
    video = act(tmp_path / "a.mp4", face=12, empty=0)
    prediction = nrdfer.predict(str(video), predictor=predictor)
    assert isinstance(prediction, Prediction)
    assert prediction.status == "ok" and prediction.answer is not None
    assert predictor.cropper.preprocessing.enhance == "none"
    (tmp_path / "b.mp4").write_bytes(b"\0nonsense" * 500)
    assert nrdfer.predict(tmp_path / "b.mp4", predictor=predictor).status == "unreadable"


def test_what_cannot_be_meant_is_refused(predictor: Predictor, network_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="there is no such file"):
        nrdfer.predict(tmp_path / "nowhere.mp4", predictor=predictor)
    with pytest.raises(CorpusError, match="is a folder; give one video"):
        nrdfer.predict(tmp_path, predictor=predictor)
    (tmp_path / "a.mp4").touch()
    with pytest.raises(TypeError, match="people belong to load_predictor"):
        nrdfer.predict(tmp_path / "a.mp4", predictor=predictor, people=2)
    with pytest.raises(ValueError, match="people must be all, main or a number"):
        nrdfer.load_predictor(network_folder, people="nobody")
    with pytest.raises(ProfileError, match="bigness"):
        nrdfer.load_predictor(network_folder, bigness=3)


def test_crops_of_a_video(tmp_path: Path, sample_shell: None) -> None:
    video = nrdfer.preprocess_video(act(tmp_path / "a.mp4", face=10, empty=5), device="cpu", size=64)
    assert video.status == "ok" and video.crops.shape == (15, 64, 64, 3) and video.crops.dtype == np.uint8
    assert video.has_face.tolist() == [True] * 10 + [False] * 5
    assert len(video.times.starts) == len(video.records) == 15
    nobody = nrdfer.preprocess_video(act(tmp_path / "b.mp4", face=0, empty=5), device="cpu")
    assert nobody.status == "no_face" and nobody.reason and nobody.crops.shape == (0, 112, 112, 3)


def test_videos_without_crops(tmp_path: Path, sample_shell: None) -> None:
    (tmp_path / "b.mp4").write_bytes(b"\0nonsense" * 500)
    with pytest.raises(UnreadableVideoError):
        nrdfer.preprocess_video(tmp_path / "b.mp4", device="cpu")
    with pytest.raises(CorpusError, match="no such file"):
        nrdfer.preprocess_video(tmp_path / "c.mp4")
    with pytest.raises(ProfileError, match="preprocess_video"):
        nrdfer.preprocess_video(tmp_path / "b.mp4", target="tallest")
