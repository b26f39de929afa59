"""The network that ships with the project: it is there, small, described, and refused if it was changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from nrdfer.core.errors import WeightsError
from nrdfer.models.registry import resolve_settings
from nrdfer.models.saved_model import load_model
from nrdfer.weights.sample_network import CARD, CONTENT, FIGURES, FOLDER, sample_network


def test_it_loads_is_small_and_its_card_names_its_content() -> None:
    folder = sample_network()
    network = load_model(folder / "model.json", folder / "last.safetensors")
    assert network.settings == resolve_settings("nr-dfernet", {}, "sample")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 5_000_000
    card, figures = (folder / CARD).read_text(), json.loads((folder / FIGURES).read_text())
    assert figures["sha256"] == dict(CONTENT)
    assert all(digest in card for digest in CONTENT.values())
    assert "rendered faces only" in card
    assert "Do not use** for conclusions" in card
    assert figures["held_out"]["changed_predictions"] == 0
    assert figures["held_out"]["war"] > 3 / 7


@pytest.mark.parametrize("name", sorted(CONTENT))
def test_a_missing_or_changed_file_is_named(name: str, tmp_path: Path) -> None:
    folder = shutil.copytree(FOLDER, tmp_path / "copy")
    data = bytearray((folder / name).read_bytes())
    data[-2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(WeightsError, match=rf"{name} is not the file that ships.*install the project again"):
        sample_network(folder)
    (folder / name).unlink()
    with pytest.raises(WeightsError, match=rf"{name}, of the sample network, is missing"):
        sample_network(folder)
