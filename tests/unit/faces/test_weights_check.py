"""The self-test refuses what would fail silently: other colours, another mean, other anchors, no network at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nrdfer.core.errors import WeightsError
from nrdfer.faces import priors
from nrdfer.faces.detector import FaceDetector
from nrdfer.faces.input_conventions import PYTORCH_RETINAFACE, RETINAFACE_PYTORCH
from nrdfer.faces.load_detector import load_detector
from nrdfer.faces.network import RetinaFaceNet
from nrdfer.faces.weights_check import answers, built_in_scenes, check_detector, swapped
from nrdfer.weights.catalogue import sample_weights

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def official(shared_dir: Path) -> Path:
    return shared_dir / "weights" / "retinaface_mobilenet0.25.pth"


def _resaved(official: Path, path: Path, *, red_for_blue: bool = False, ternaus: bool = False) -> Path:
    """The official weights as a file of unknown content; or with a first layer that wants its input in another way."""
    state = torch.load(official, map_location="cpu", weights_only=True)
    first = next(name for name, value in state.items() if value.ndim == 4 and value.shape[1] == 3)
    if red_for_blue:
        state[first] = state[first].flip(1).contiguous()
    if ternaus:
        # (rgb - imagenet) / std must reach the layer as (bgr - mean) did, but for the constant at the borders
        std = torch.tensor(RETINAFACE_PYTORCH.std).view(1, 3, 1, 1)
        state[first] = state[first].flip(1).contiguous() * std
    torch.save(state, path)
    return path


def test_the_scenes_are_always_the_same_and_hold_faces() -> None:
    scenes = built_in_scenes()
    assert len(scenes) == 12
    assert all(1 <= len(scene.faces) <= 3 for scene in scenes)
    built_in_scenes.cache_clear()
    np.testing.assert_array_equal(built_in_scenes()[3].rgb, scenes[3].rgb)


def test_real_weights_of_unknown_content_pass_with_their_convention(official: Path, tmp_path: Path) -> None:
    detector = load_detector(_resaved(official, tmp_path / "w.pth"), convention="pytorch_retinaface")
    logits, elsewhere = answers(detector, detector.convention)
    assert (logits > 0).mean() > 0.7
    assert elsewhere == 0


def test_the_other_familys_convention_is_refused_with_the_right_one(official: Path, tmp_path: Path) -> None:
    path = _resaved(official, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"not trained with .*'retinaface_pytorch'.* as 'pytorch_retinaface'"):
        load_detector(path, convention="retinaface_pytorch")
    path = _resaved(official, tmp_path / "ternaus.pth", ternaus=True)
    assert load_detector(path, convention="retinaface_pytorch").convention is RETINAFACE_PYTORCH
    with pytest.raises(WeightsError, match=r"not trained with .*'pytorch_retinaface'.* as 'retinaface_pytorch'"):
        load_detector(path, convention="pytorch_retinaface")


def test_another_colour_order_is_refused(official: Path, tmp_path: Path) -> None:
    path = _resaved(official, tmp_path / "w.pth", red_for_blue=True)
    with pytest.raises(WeightsError, match="needs another colour order than 'pytorch_retinaface' gives"):
        load_detector(path, convention="pytorch_retinaface")


def test_other_anchors_are_refused(official: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights trained with one set of anchors and read with another: as the look-alike file would be."""
    path = _resaved(official, tmp_path / "w.pth")
    monkeypatch.setattr(priors, "MIN_SIZES", ((10, 20), (32, 64), (128, 256)))
    priors.prior_boxes.cache_clear()
    try:
        with pytest.raises(WeightsError, match=r"where there are none: so do weights of a network with other anchors"):
            load_detector(path, convention="pytorch_retinaface")
    finally:
        priors.prior_boxes.cache_clear()


def test_a_network_that_learnt_nothing_is_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(RetinaFaceNet("mobilenet0.25").state_dict(), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="not a working face detector here"):
        load_detector(tmp_path / "w.pth", convention="pytorch_retinaface")
    assert load_detector(tmp_path / "w.pth", convention="pytorch_retinaface", self_test=False)


def test_the_shipped_detector_passes_and_does_not_care_for_the_order_of_colours() -> None:
    detector = load_detector(sample_weights("retinaface"))
    check_detector(detector, Path("sample"))
    check_detector(FaceDetector(detector.net, swapped(PYTORCH_RETINAFACE)), Path("sample"))
    with pytest.raises(WeightsError, match="use that convention"):
        check_detector(FaceDetector(detector.net, RETINAFACE_PYTORCH), Path("sample"))
