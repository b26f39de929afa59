"""Training of the sample network: what is stored, what its card says, and the whole command on tiny corpora."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from devtools.pretraining.nrdfernet import card, stored, train_sample_network
from devtools.tiny_project import make_project
from nrdfer.config.profile import load_profile
from nrdfer.models.saved_model import load_model
from nrdfer.weights.sample_network import CARD, listed, sample_network


def test_matrices_are_stored_in_half_precision_and_vectors_in_single() -> None:
    kept = stored({"weight": torch.full((2, 2), 1 / 3), "bias": torch.full((2,), 1 / 3)})
    assert {name: value.dtype for name, value in kept.items()} == {"weight": torch.float16, "bias": torch.float32}


def test_the_card_says_what_the_weights_are_for() -> None:
    text = card({"command": "python -m it", "sha256": {"model.json": "abc"}, "held_out": {"war": 0.5}, "bytes": 3})
    for words in ("rendered faces only", "**Do not use** for conclusions", "python -m it", "abc", "| war | 0.5 |"):
        assert words in text


@pytest.mark.slow
def test_the_command_fills_a_folder_that_opens_and_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_project(tmp_path)
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / ".nrdfer"))
    profile, out = load_profile(tmp_path / "profiles" / "tiny.yaml"), tmp_path / "out"
    result = train_sample_network(out, tmp_path / "work", profile=profile)
    assert sample_network(out) == out
    assert result["sha256"] == listed(out)
    assert result["held_out"]["clips"] == 7
    assert result["sha256"]["last.safetensors"] in (out / CARD).read_text()
    load_model(out / "model.json", out / "last.safetensors")
    again = train_sample_network(out, tmp_path / "work", profile=profile)  # every step is in the store
    assert again["sha256"] == result["sha256"]
