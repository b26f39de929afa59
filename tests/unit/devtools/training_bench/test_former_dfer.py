"""The network of a folder that is laid out as Former-DFER's released code is; here one written for this test."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from devtools.training_bench.former_dfer import NotFormerDferError, load_former_dfer

NETWORK = """
import torch
from torch import nn
from models.S_Former import Spatial


class GenerateModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.spatial, self.head = Spatial(), nn.Linear(4, {classes})

    def forward(self, x):
        return self.head(self.spatial(x.flatten(0, 1)).unflatten(0, (x.shape[0], {frames})).mean(1))
"""
SPATIAL = """
from torch import nn


class Spatial(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 4, 3, stride=8), nn.BatchNorm2d(4)

    def forward(self, x):
        return self.norm(self.convolution(x)).mean((2, 3))
"""


def released(folder: Path, classes: int = 7, frames: int = 16) -> Path:
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "ST_Former.py").write_text(NETWORK.format(classes=classes, frames=frames))
    (folder / "models" / "S_Former.py").write_text(SPATIAL)
    return folder


def test_a_folder_of_its_layout_is_loaded_and_leaves_no_name(tmp_path: Path) -> None:
    path = list(sys.path)
    network = load_former_dfer(released(tmp_path / "one"))
    assert network.training and network(torch.rand(2, 16, 3, 112, 112)).shape == (2, 7)
    assert int(network.get_buffer("spatial.norm.num_batches_tracked")) == 1  # the trial before left nothing behind
    assert sys.path == path and not any(name.split(".")[0] == "models" for name in sys.modules)
    load_former_dfer(released(tmp_path / "two"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"classes": 8}, r"answers with \(1, 8\), not with logits \(B, 7\)"),
        ({"frames": 12}, r"does not take clips \(B, 16, 3, 112, 112\)"),
    ],
)
def test_another_network_is_refused(tmp_path: Path, change: dict[str, int], told: str) -> None:
    with pytest.raises(NotFormerDferError, match=told):
        load_former_dfer(released(tmp_path / "other", **change))


def test_a_folder_without_it_and_code_that_fails_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFormerDferError, match=r"does not hold models/ST_Former\.py"):
        load_former_dfer(tmp_path)
    broken = released(tmp_path / "broken")
    (broken / "models" / "S_Former.py").write_text("raise OSError('nothing here')")
    with pytest.raises(NotFormerDferError, match="cannot be used: OSError: nothing here"):
        load_former_dfer(broken)
    assert not any(name.split(".")[0] == "models" for name in sys.modules)
