"""The look of a face: the same whatever the light, another for another person; and networks that a user has."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from nrdfer.core.errors import WeightsError
from nrdfer.faces.alignment import TEMPLATE_112
from nrdfer.faces.appearance import ColourCue, FaceEmbedding, below, look_of_crop, similarity
from nrdfer.faces.detector import Face
from nrdfer.runtime.onnx_session import export

FACE = Face(np.array([20, 20, 92, 100], np.float32), 0.9, TEMPLATE_112.astype(np.float32))


def picture(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(30, 220, (14, 14, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (224, 224), interpolation=cv2.INTER_CUBIC), np.uint8)


def test_light_hardly_changes_a_look() -> None:
    one, other = picture(1)[:112, :112], picture(2)[:112, :112]
    darker = (one * 0.6).astype(np.uint8)
    assert float(look_of_crop(one).face @ look_of_crop(darker).face) > 0.95
    assert similarity([look_of_crop(one)], [look_of_crop(one)]) == pytest.approx(1)
    assert similarity([look_of_crop(one)], [look_of_crop(other)]) < 0.62


def test_what_is_too_small_or_flat_is_not_described() -> None:
    cue, rgb = ColourCue(), picture(1)
    assert cue.look(rgb, FACE) is not None
    assert cue.look(np.full_like(rgb, 20), FACE) is None
    small = Face(np.array([50, 50, 60, 62], np.float32), 0.9, (TEMPLATE_112 / 10 + 50).astype(np.float32))
    assert cue.look(rgb, small) is None
    assert cue.look(rgb, Face(FACE.box, 0.9, np.full((5, 2), 7, np.float32))) is None


def test_clothes_are_below_and_may_be_out_of_the_picture() -> None:
    rgb = picture(1)
    assert below(rgb, FACE) is not None
    assert below(rgb[:105], FACE) is None


@pytest.fixture
def network(tmp_path: Path) -> Path:
    model = nn.Sequential(nn.AvgPool2d(28), nn.Flatten())
    path = tmp_path / "network.onnx"
    path.write_bytes(export(model, torch.zeros(1, 3, 112, 112), ("y",), {"x": {0: "N"}, "y": {0: "N"}}))
    return path


def test_a_users_network_is_asked_instead(network: Path) -> None:
    cue = FaceEmbedding(network)
    one, other = cue.look(picture(1), FACE), cue.look(picture(2), FACE)
    assert one is not None and other is not None and one.face.shape == (48,)
    assert cue.similarity([one], [one]) == pytest.approx(1)
    assert cue.similarity([one], [other]) < 0.9


def test_what_is_no_such_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be used as a network for face recognition"):
        FaceEmbedding(tmp_path / "nowhere.onnx")
    small = tmp_path / "small.onnx"
    small.write_bytes(export(nn.Flatten(), torch.zeros(1, 3, 8, 8), ("y",), {"x": {0: "N"}}))
    with pytest.raises(WeightsError, match="not one batch of faces"):
        FaceEmbedding(small)
