"""What the network sees, and what it learns, whoever computes it: threads, ranks, and processes that died."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from devtools.shard_files import write_shards
from nrdfer.config.recipe import Recipe
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import TrainingError
from nrdfer.data.dataset import ClipDataset
from nrdfer.data.in_memory import MemorySource
from nrdfer.data.loader import BatchLoader
from nrdfer.data.settings import DataSettings
from nrdfer.runtime.distributed import Ranks
from nrdfer.shards.stream import ShardStream
from nrdfer.tracking.training_log import LOG, last_of_each, read_all
from nrdfer.training.epochs import epoch_batches
from tests.unit.training.tiny import ENGINE, RECIPE, KilledError, after_step, bytes_of, run, spots

pytestmark = pytest.mark.slow

STEPS = 12  # 3 epochs of 14 clips in batches of 4


@pytest.fixture(scope="module")
def source() -> MemorySource:
    return spots()


def _seen(source: MemorySource, recipe: Recipe, workers: int, world: int, begin: int) -> list[dict[int, str]]:
    """Of every batch: which clips all ranks together learn from, and what of them, as digests."""
    data = ClipDataset(source, source.clip_ids[:14], image_size=32, emotions=EMOTIONS, seed=3, augment=recipe.augment)
    whole = epoch_batches(data, 2, recipe)[begin:]
    seen: list[dict[int, str]] = [{} for _ in whole]
    for rank in range(world):
        ranks = Ranks(rank, world)
        loader = BatchLoader(data, torch.device("cpu"), workers=workers)
        for number, batch in enumerate(loader.batches(ranks.shares(whole), 2)):
            own = len(ranks.share(whole[number]))
            for position, x_TCHW in zip(batch.positions[:own], batch.x_BTCHW, strict=False):
                assert int(position) not in seen[number] or recipe.oversample
                seen[number][int(position)] = hashlib.sha256(x_TCHW.contiguous().numpy().tobytes()).hexdigest()
    assert [sorted(clips) for clips in seen] == [sorted(set(batch.tolist())) for batch in whole]
    return seen


@pytest.mark.parametrize("oversample", [False, True])
@pytest.mark.parametrize("world", [1, 2, 3])
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_clips_and_augmentations_are_the_same_for_any_workers_and_world(
    source: MemorySource, workers: int, world: int, oversample: bool
) -> None:
    recipe = dataclasses.replace(RECIPE, oversample=oversample)
    reference = _seen(source, recipe, workers=0, world=1, begin=0)
    assert _seen(source, recipe, workers, world, begin=0) == reference
    assert _seen(source, recipe, workers, world, begin=2) == reference[2:]  # continued within the epoch
    assert len({digest for batch in reference for digest in batch.values()}) > 7


def test_another_epoch_and_another_seed_show_other_clips(source: MemorySource) -> None:
    data = [
        ClipDataset(source, source.clip_ids, image_size=32, emotions=EMOTIONS, seed=s, augment=RECIPE.augment)
        for s in (0, 1)
    ]
    orders = [data[0].order(1), data[0].order(2), data[1].order(1)]
    assert len({tuple(order) for order in orders}) == 3
    looks = [data[0].get(5, 1), data[0].get(5, 2), data[1].get(5, 1)]
    assert not any(np.array_equal(looks[a], looks[b]) for a, b in ((0, 1), (0, 2), (1, 2)))


@pytest.fixture(scope="module")
def straight(source: MemorySource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("straight")
    run(source, folder)
    return folder


def _losses(folder: Path) -> dict[int, float]:
    return {step: line["loss"] for step, line in last_of_each(read_all(folder / "work" / LOG), "batch").items()}


@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_continued_at_any_batch_the_losses_are_the_straight_runs(
    source: MemorySource, straight: Path, tmp_path: Path, step: int
) -> None:
    engine = dataclasses.replace(ENGINE, checkpoint_every_batches=1, workers=step % 3)
    with pytest.raises(KilledError):
        run(source, tmp_path, engine=engine, **after_step(step))
    seen: list[int] = []
    run(source, tmp_path, engine=engine, on_batch=lambda now: seen.append(now.step))
    assert seen[0] == max(step, 1)  # the batch it died after had not been saved; no batch before it is repeated
    assert _losses(tmp_path) == _losses(straight)
    assert list(_losses(tmp_path)) == list(range(1, STEPS + 1))
    for name, content in bytes_of(straight).items():
        assert bytes_of(tmp_path)[name] == content, name


@pytest.mark.parametrize("step", [2, 6, 11])
def test_a_stream_continued_within_an_epoch_ends_in_the_straight_runs_bytes(
    source: MemorySource, tmp_path: Path, step: int
) -> None:
    (tmp_path / "shards").mkdir()
    clips = ((source.record(clip_id), source.frames(clip_id)) for clip_id in source.clip_ids)
    write_shards(clips, tmp_path / "shards", prefix="spots", clips_per_shard=4)
    data = DataSettings("stream", streams=2, buffer=6)
    engine = dataclasses.replace(ENGINE, checkpoint_every_batches=1, workers=step % 3)
    streamed = ShardStream(tmp_path / "shards", data)
    run(streamed, tmp_path / "straight", data=data)
    with pytest.raises(KilledError):
        run(streamed, tmp_path / "killed", data=data, engine=engine, **after_step(step))
    with pytest.raises(TrainingError, match=r"data.reader is stream there, not set here"):
        run(source, tmp_path / "killed", engine=engine)  # never taken for another's
    run(streamed, tmp_path / "killed", data=data, engine=engine)
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "straight")
