"""Clips of a file on which an exported network is checked: 8-bit or 0 to 1, and nothing else."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from nrdfer.core.errors import NrdferError
from nrdfer.models.base import NetworkSettings
from nrdfer.models.export_check import Agreement, random_clips, read_clips
from nrdfer.models.export_metadata import read_metadata

SETTINGS = NetworkSettings(image_size=16, frames=2)


def test_eight_bit_and_floating_point_clips(tmp_path: Path) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 16), dtype=np.uint8)
    np.save(tmp_path / "bytes.npy", crops)
    np.save(tmp_path / "floats.npy", crops[None] / 255.0)
    first, second = (read_clips(tmp_path / name, SETTINGS) for name in ("bytes.npy", "floats.npy"))
    assert first.shape == (1, 2, 3, 16, 16) and first.dtype == np.float32
    np.testing.assert_allclose(first, second, atol=1e-7)
    assert random_clips(SETTINGS, 3).shape == (3, 2, 3, 16, 16)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((1, 2, 3, 8, 8), np.float32), r"got \(1, 2, 3, 8, 8\)"),
        (np.zeros((0, 2, 3, 16, 16), np.float32), "holds no clip"),
        (np.full((1, 2, 3, 16, 16), 128.0), "in 0 to 1"),
        (np.full((1, 2, 3, 16, 16), math.nan), "in 0 to 1"),
        (np.zeros((1, 2, 3, 16, 16), np.int64), "floating-point numbers or of uint8"),
        (np.full((1,), "text"), "floating-point numbers or of uint8"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, array: np.ndarray, words: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(NrdferError, match=words):
        read_clips(tmp_path / "a.npy", SETTINGS)


def test_no_array_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(b"nonsense")
    for name in ("a.npy", "b.npy"):
        with pytest.raises(NrdferError, match=rf"{name} is no \.npy file of clips"):
            read_clips(tmp_path / name, SETTINGS)
    np.save(tmp_path / "c.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(NrdferError, match=r"is no \.npy file of clips"):
        read_clips(tmp_path / "c.npy", SETTINGS)
    for name in ("a.onnx", "a.pt2"):
        (tmp_path / name).write_bytes(b"nonsense")
        with pytest.raises(NrdferError, match="is no exported network"):
            read_metadata(tmp_path / name)


def test_what_is_no_number_does_not_agree() -> None:
    assert Agreement(1, 1e-5, 1e-6, 1).whole
    assert not Agreement(1, math.nan, 0.0, 1).whole
    assert not Agreement(1, 2e-4, 0.0, 1).whole
