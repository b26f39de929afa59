"""The input example of a version: of as many frames as its network takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nrdfer.core.errors import WeightsError
from nrdfer.models.saved_model import read_frames
from nrdfer.publish.model_files import SIDE, example_clip


@pytest.mark.parametrize("frames", [2, 5, 16, 33])
def test_the_example_has_the_frames_of_the_network(frames: int) -> None:
    clip = example_clip(frames)
    assert clip.shape == (1, frames, 3, SIDE, SIDE)
    assert 0 <= clip.min() < clip.max() <= 1


def test_the_frames_are_those_of_the_settings(tmp_path: Path) -> None:
    settings = tmp_path / "model.json"
    for given, frames in (({}, 16), ({"frames": 8}, 8)):
        settings.write_text(json.dumps({"settings": given}))
        assert read_frames(settings) == frames
    settings.write_text(json.dumps({"settings": {"frames": "many"}}))
    with pytest.raises(WeightsError, match="does not name its network's settings: frames"):
        read_frames(settings)
