"""Damaged state dicts and safetensors: tensors by their names, or an error in words; nothing is run."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from nrdfer.enhance.checkpoints import load_generator
from nrdfer.enhance.generator import EnlightenGenerator
from nrdfer.models.saved_model import load_weights
from nrdfer.models.state_dict import read_state_dict
from tests.fuzz.harness import fuzz
from tests.fuzz.mutate import damaged_bytes


def pth(content: object, zipped: bool) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


@pytest.mark.filterwarnings("ignore")
def test_a_damaged_state_dict_gives_tensors_or_words(tmp_path: Path) -> None:
    tensors = {"_orig_mod.a.weight": torch.arange(6.0).reshape(2, 3), "_orig_mod.b": torch.zeros(3)}
    good = [
        pth(content, zipped) for content in (tensors, {"model": {"state_dict": tensors}}) for zipped in (True, False)
    ]
    path = tmp_path / "w.pth"

    def run(data: bytes) -> None:
        path.write_bytes(data)
        found = read_state_dict(path)
        assert all(isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in found.items())

    tally = fuzz("state dict", lambda rng: damaged_bytes(good, rng), run)
    assert tally.words and tally.results


@pytest.mark.filterwarnings("ignore")
def test_damaged_safetensors_give_a_network_or_words(tmp_path: Path) -> None:
    layer = torch.nn.Linear(2, 3)
    small = save({name: value.detach() for name, value in layer.state_dict().items()})
    generator = EnlightenGenerator(1)
    whole = save(generator.state_dict(), {"format": "nrdfer-enlightengan"})
    path = tmp_path / "w.safetensors"

    def run(given: tuple[bool, bytes]) -> None:
        path.write_bytes(given[1])
        if given[0]:
            load_weights(layer, path)
        else:
            assert load_generator(path).base_channels == 1

    def make(rng: random.Random) -> tuple[bool, bytes]:
        first = rng.random() < 0.9
        data = small if first else whole
        # half of the damage where names and shapes stand
        return first, damaged_bytes(data[:200], rng) + data[200:] if rng.random() < 0.5 else damaged_bytes(data, rng)

    tally = fuzz("safetensors", make, run)
    assert tally.words and tally.results
