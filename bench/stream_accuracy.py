"""WAR of networks trained on a stream and through the index, over several seeds: does the order of a stream matter?

Prints one line of JSON. ``python -m bench.stream_accuracy [--seeds 4] [--clips 112] [--epochs 8] [--per-shard 8]``.
Each emotion is a spot at a place of its own, in noise, and clips are written emotion by emotion, so that a shard holds
one or two emotions only: the worst case for a stream, whose batches are mixed by its streams and its buffer alone. Both
ways take the same seeds, clips and augmentations; the test clips are other ones.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from devtools.shard_files import write_shards
from nrdfer.config.recipe import Recipe
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.records import ClipRecord
from nrdfer.data.settings import AugmentSettings, DataSettings
from nrdfer.runtime.engine import Engine
from nrdfer.shards.index import ShardIndex
from nrdfer.training.loop import train
from nrdfer.training.request import TrainingRequest

SIDE, FRAMES = 32, 18
NETWORK = {
    "image_size": SIDE,
    "widths": (4, 6, 8),
    "spatial_depth": 1,
    "spatial_mlp": 8,
    "temporal_depth": 1,
    "temporal_mlp": 8,
}


def spots(count: int) -> Iterator[tuple[ClipRecord, npt.NDArray[np.uint8]]]:
    """Clips, ordered by emotion."""
    for number in range(count):
        emotion = number * len(EMOTIONS) // count
        rng = np.random.default_rng(number)
        frames = rng.integers(0, 120, (FRAMES, SIDE, SIDE, 3), dtype=np.uint8)
        angle = 2 * np.pi * emotion / len(EMOTIONS) + rng.normal(0, 0.2)
        y, x = int(16 + 10 * np.sin(angle)), int(16 + 10 * np.cos(angle))
        frames[:, y - 3 : y + 3, x - 3 : x + 3] = 200
        yield ClipRecord("dfew", f"{number:05d}", EMOTIONS[emotion], "", FRAMES, "0" * 64), frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--clips", type=int, default=112)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--per-shard", type=int, default=8)
    given = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, list[float]] = {"indexed": [], "stream": []}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "shards").mkdir()
        write_shards(list(spots(given.clips)), root / "shards", prefix="s", clips_per_shard=given.per_shard)
        ids = tuple(ShardIndex.load(root / "shards").clips)
        tested = ids[::4]
        learnt = tuple(clip_id for clip_id in ids if clip_id not in set(tested))
        for seed in range(given.seeds):
            recipe = Recipe(
                epochs=given.epochs,
                batch=8,
                lr=0.01,
                optimizer="adamw",
                schedule="onecycle",
                clip_norm=1.0,
                seed=seed,
                augment=AugmentSettings(flip=0.0, brightness=0.1),
            )
            for name, data in (("indexed", DataSettings()), ("stream", DataSettings("stream", streams=4, buffer=32))):
                place = root / f"{name}-{seed}"
                request = TrainingRequest(
                    "nr-dfernet",
                    NETWORK,
                    recipe,
                    Engine(device="cpu", threads=1, workers=1),
                    root / "shards",
                    learnt,
                    tested,
                    place / "work",
                    place / "out",
                    data=data,
                )
                found[name].append(round(train(request).last.test_war, 4))
                print(f"seed {seed}, {name}: WAR {found[name][-1]}", file=sys.stderr)
    print(
        json.dumps(
            {
                "bench": "stream_accuracy",
                "clips": [len(learnt), len(tested)],
                "clips_per_shard": given.per_shard,
                "epochs": given.epochs,
                "war_last_epoch": found,
                "mean": {name: round(statistics.mean(wars), 4) for name, wars in found.items()},
                "deviation": {name: round(statistics.stdev(wars), 4) for name, wars in found.items() if len(wars) > 1},
            }
        )
    )


if __name__ == "__main__":
    main()
