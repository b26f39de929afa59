from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import ClipError
from nrdfer.models.nrdfernet import NRDFERNet, NRDFERNetSettings
from nrdfer.models.saved_model import cpu_weights, write_description, write_weights
from nrdfer.models.trained_files import LAST
from nrdfer.serving.emotion_model import EmotionModel, signature
from nrdfer.serving.limits import Limits, RequestError
from nrdfer.serving.requests import clips_of
from nrdfer.store import file_sha256


@pytest.fixture
def served(tmp_path: Path) -> EmotionModel:
    tiny = {"image_size": 32, "widths": (4, 6, 8), "spatial_depth": 1, "temporal_depth": 1}
    write_weights(tmp_path / LAST, cpu_weights(NRDFERNet(NRDFERNetSettings(**tiny))))  # type: ignore[arg-type]
    write_description(tmp_path, "nr-dfernet", {**tiny, "widths": [4, 6, 8]}, {})
    model = EmotionModel()
    artifacts = {"settings": tmp_path / "model.json", "weights": tmp_path / LAST}
    config = {"sha256": file_sha256(tmp_path / LAST)}
    model.load_context(SimpleNamespace(artifacts=artifacts, model_config=config))
    return model


def test_one_row_a_clip(served: EmotionModel) -> None:
    clips = np.random.default_rng(0).random((3, 16, 3, 32, 32), dtype=np.float32)
    rows = served.predict(None, {"clip": clips})
    assert len(rows) == 3
    assert set(rows["emotion"]) <= set(EMOTIONS)
    probabilities = rows.filter(like="probability_")
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    best = [name.removeprefix("probability_") for name in probabilities.idxmax(axis=1)]
    assert best == rows["emotion"].tolist()


def test_wrong_arrays_are_refused(served: EmotionModel) -> None:
    with pytest.raises(ValueError, match=r"shape \(B, 16, 3, 32, 32\) .*, got \(16, 3, 32, 32\)"):
        served.predict(None, np.zeros((16, 3, 32, 32), np.float32))
    with pytest.raises(ValueError, match="divide 8-bit values by 255"):
        served.predict(None, np.full((1, 16, 3, 32, 32), 128.0, np.float32))


def test_eight_bit_crops_are_taken_as_they_are(served: EmotionModel) -> None:
    crops = np.random.default_rng(1).integers(0, 256, (2, 16, 3, 40, 40), dtype=np.uint8)
    rows = served.predict(None, crops)
    assert rows.equals(served.predict(None, crops.astype(np.float32) / np.float32(255)))


@pytest.mark.parametrize(
    "given",
    [
        np.full((1, 16, 3, 8, 8), "0.123456789"),
        [[0.123456789], [0.123456789, 0.5]],
        {"clip": np.zeros(1), "other": np.full(9, 0.123456789)},
        np.full((1, 16, 3, 8, 8), 7.123456789),
        np.full((1, 15, 3, 8, 8), 0.123456789),
        np.full((1, 16, 3, 8, 8), 1j * 0.123456789),
    ],
    ids=["text", "ragged", "names", "range", "shape", "complex"],
)
def test_an_error_never_shows_pixels(served: EmotionModel, given: Any) -> None:
    with pytest.raises(ClipError) as raised:
        served.predict(None, given)
    assert "123456789" not in str(raised.value) and len(str(raised.value)) < 400


def test_a_network_of_eight_frames_is_asked_for_eight() -> None:
    inputs = signature(EMOTIONS, 8).inputs
    assert inputs is not None and inputs.inputs[0].shape == (-1, 8, 3, -1, -1)
    pixels = [[[[0.5] * 4] * 4] * 3]
    assert clips_of({"inputs": {"clip": [pixels * 8]}}, Limits(), 8).shape == (1, 8, 3, 4, 4)
    with pytest.raises(RequestError, match=r"have the shape \(B, 8, 3, H, W\)"):
        clips_of({"inputs": {"clip": [pixels * 16]}}, Limits(), 8)
