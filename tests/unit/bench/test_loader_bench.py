"""Both halves of the loader's bench show a network the same clips."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nrdfer.data.augment import AugmentSettings
from nrdfer.data.dataset import ClipDataset
from nrdfer.data.sampling import sample_indices

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def bench() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PROJECT / "bench")
        return import_module("loader")


@pytest.fixture(scope="module")
def folders(bench: Any, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    made: list[Path] = bench.render_pictures(tmp_path_factory.mktemp("pictures"), 3, 20)
    assert [len(list(folder.glob("*.jpg"))) for folder in made] == [20, 20, 20]
    return made


def test_both_halves_make_the_same_clips(bench: Any, folders: list[Path], tmp_path: Path) -> None:
    reader = bench.shard_folders(folders, tmp_path)
    ours = ClipDataset(reader, reader.clip_ids, image_size=bench.SIDE)
    usual = bench.PictureFolders(folders, None)
    clips = [usual[number] for number in range(3)]
    for number, theirs in enumerate(clips):
        clip = torch.from_numpy(ours.get(number))
        assert (theirs.shape, theirs.dtype) == (clip.shape, clip.dtype)
        difference = (theirs - clip).abs().mean()
        assert difference < 4 / 255
        # and it is this clip, not just any
        assert all((other - clip).abs().mean() > 2 * difference for other in clips if other is not theirs)


def test_both_halves_augment_alike(bench: Any, folders: list[Path], tmp_path: Path) -> None:
    settings = AugmentSettings()
    reader = bench.shard_folders(folders, tmp_path)
    ours = ClipDataset(reader, reader.clip_ids, image_size=bench.SIDE, augment=settings)
    usual = bench.PictureFolders(folders, settings)
    assert usual[0].shape == (16, 3, 112, 112)
    assert not torch.equal(usual[0], usual[0])
    means = [[float(usual[0].mean()) for _ in range(40)], [float(ours.get(0, epoch).mean()) for epoch in range(40)]]
    spread = [np.std(part) / np.mean(part) for part in means]
    # brightness is drawn from 0.4 to 1.6: a deviation of 0.35, less where values are cut at white
    assert all(0.2 < part < 0.45 for part in spread)


def test_every_figure_is_measured(bench: Any, folders: list[Path], tmp_path: Path) -> None:
    figures = bench.measure(folders, tmp_path, 1)
    assert (figures["clips"], figures["frames"]) == (3, 60)
    for rates in (figures["clips_per_second"], figures["cpu"]["clips_per_second"]):
        assert set(rates) == {"usual", "straight", "cached"}
        assert min(rates.values()) > 0
    assert set(figures["share_of_straight"]) == {"plan", "read", "decode", "warp", "colour"}
    assert len(sample_indices(20)) == 16
