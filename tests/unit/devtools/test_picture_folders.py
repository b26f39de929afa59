"""The usual data set and this project's shards show a network the same clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from devtools.picture_folders import SIDE, PictureFolders, render_pictures, shard_folders
from nrdfer.core.emotions import EMOTIONS
from nrdfer.data.dataset import ClipDataset
from nrdfer.data.settings import AugmentSettings


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    made: list[Path] = render_pictures(tmp_path_factory.mktemp("pictures"), 3, 20)
    assert [len(list(folder.glob("*.jpg"))) for folder in made] == [20, 20, 20]
    return made


def test_both_halves_make_the_same_clips(folders: list[Path], tmp_path: Path) -> None:
    reader = shard_folders(folders, tmp_path)
    ours = ClipDataset(reader, reader.clip_ids, image_size=SIDE, emotions=EMOTIONS)
    usual = PictureFolders(folders, None)
    clips = [usual[number] for number in range(3)]
    for number, theirs in enumerate(clips):
        clip = torch.from_numpy(ours.get(number))
        assert (theirs.shape, theirs.dtype) == (clip.shape, clip.dtype)
        difference = (theirs - clip).abs().mean()
        assert difference < 4 / 255
        # and it is this clip, not just any
        assert all((other - clip).abs().mean() > 2 * difference for other in clips if other is not theirs)


def test_both_halves_augment_alike(folders: list[Path], tmp_path: Path) -> None:
    settings = AugmentSettings()
    reader = shard_folders(folders, tmp_path)
    ours = ClipDataset(reader, reader.clip_ids, image_size=SIDE, emotions=EMOTIONS, augment=settings)
    usual = PictureFolders(folders, settings)
    assert usual[0].shape == (16, 3, 112, 112)
    assert not torch.equal(usual[0], usual[0])
    means = [[float(usual[0].mean()) for _ in range(40)], [float(ours.get(0, epoch).mean()) for epoch in range(40)]]
    spread = [np.std(part) / np.mean(part) for part in means]
    # brightness is drawn from 0.4 to 1.6: a deviation of 0.35, less where values are cut at white
    assert all(0.2 < part < 0.45 for part in spread)
