"""The network that ships with the project: it is there, small, described, and refused if it was changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from nrdfer.core.errors import WeightsError
from nrdfer.models.registry import resolve_settings
from nrdfer.models.saved_model import load_model
from nrdfer.weights.sample_network import CARD, FIGURES, FILES, listed, sample_network


def test_it_loads_is_small_and_its_card_names_its_content() -> None:
    folder = sample_network()
    network = load_model(folder / "model.json", folder / "last.safetensors")
    assert network.settings == resolve_settings("nr-dfernet", {}, "sample")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 5_000_000
    card, figures = (folder / CARD).read_text(), json.loads((folder / FIGURES).read_text())
    assert all(digest in card for digest in listed().values())
    assert "rendered faces only" in card
    assert "Do not use** for conclusions" in card
    assert figures["held_out"]["changed_predictions"] == 0
    assert figures["held_out"]["war"] > 3 / 7


def make(folder: Path) -> Path:
    """A folder whose three files are as its list says."""
    from nrdfer.store import file_sha256

    folder.mkdir()
    for name in FILES:
        (folder / name).write_text(f"content of {name}")
    (folder / FIGURES).write_text(json.dumps({"sha256": {name: file_sha256(folder / name) for name in FILES}}))
    return folder


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_changed_file_is_named(name: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "network")
    assert sample_network(folder) == folder
    (folder / name).write_text(f"Content of {name}")
    with pytest.raises(WeightsError, match=rf"{name} is not the file that ships.*install the project again"):
        sample_network(folder)
    (folder / name).unlink()
    with pytest.raises(WeightsError, match=rf"{name}, of the sample network, is missing"):
        sample_network(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sha256": {"model.json": "0"}}'])
def test_a_list_that_cannot_be_read_is_told(text: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "network")
    (folder / FIGURES).write_text(text)
    with pytest.raises(WeightsError, match="does not list the sample network's files"):
        sample_network(folder)
    shutil.rmtree(folder)
    with pytest.raises(WeightsError, match="is missing from this installation"):
        sample_network(folder)
