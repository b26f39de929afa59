"""A video in which a rendered face comes and goes, and a small network without training, for tests of predictions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from nrdfer.models.nrdfernet import NRDFERNet, NRDFERNetSettings
from nrdfer.models.saved_model import cpu_weights, write_description, write_weights
from nrdfer.models.trained_files import LAST
from tests.unit.odd_videos import HEIGHT, WIDTH, X264, Picture, encode, portrait

SMALL = {"image_size": 32, "widths": [4, 6, 8], "spatial_depth": 1, "spatial_mlp": 8, "temporal_depth": 1}
FACE, EMPTY = 50, 50  # frames with and without the face, at 25 a second


def write_network(folder: Path) -> Path:
    """A folder with a network that tells clips apart, though it has learned nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(3)
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in SMALL.items()}
    network = NRDFERNet(NRDFERNetSettings(**settings))  # type: ignore[arg-type]
    write_weights(folder / LAST, cpu_weights(network))
    write_description(folder, "nr-dfernet", SMALL, {"sampling": {}})
    return folder


def pictures(face: int = FACE, empty: int = EMPTY) -> Iterator[Picture]:
    """The portrait, which wanders to the right and becomes darker, and then a wall."""
    for i in range(face):
        shifted = np.roll(portrait(), i // 4, axis=1)
        yield np.ascontiguousarray((shifted * (1 - 0.3 * i / max(face, 1))).astype(np.uint8))
    wall = np.linspace(60, 160, WIDTH, dtype=np.uint8)
    for _ in range(empty):
        yield np.ascontiguousarray(np.broadcast_to(wall[None, :, None], (HEIGHT, WIDTH, 3)))


def act(path: Path, face: int = FACE, empty: int = EMPTY) -> Path:
    """Write such a video."""
    return encode(path, pictures(face, empty), *X264)
