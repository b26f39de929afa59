"""Clips per second from disk to a training's batches: this project's loader and the usual one, on one core.

The usual one is what published code does: a folder of 224 x 224 JPEGs a clip, opened one by one with PIL; each picture
is cropped, resized to 112, flipped, turned and brightened by PIL; the clip is stacked, made a float tensor and divided
by 255; clips are stacked to a batch. Ours are the same pictures, resized once into shards of 112 x 112 JPEGs. Both take
16 frames of a clip by dynamic sampling and draw from the same `AugmentSettings`. Three ways take turns, epoch by epoch:
the usual one; ours straight from the shards (a first epoch); ours with the cache of decoded frames (every later one).

``python -m bench.loader [--clips DIR] [--count 64] [--frames 60] [--rounds 7]`` prints one line of JSON. Without
``--clips`` (videos, of which the middle square is taken) the clips are rendered. Files are in the page cache. Rates are
by the wall clock; ``cpu`` has the same by the process's own seconds, which a busy machine disturbs less. ``recipe`` is
the ratio over all epochs of dfew-paper, with the decoding of every frame into the cache.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL
import torch
from numpy.typing import NDArray

from devtools.picture_folders import SIDE, PictureFolders, cut_pictures, render_pictures, shard_folders
from nrdfer.config.recipe import RECIPES
from nrdfer.core.emotions import EMOTIONS
from nrdfer.data.augment import AugmentSettings, colours, warp
from nrdfer.data.dataset import ClipDataset, size_of
from nrdfer.data.frame_cache import open_cache
from nrdfer.data.loader import BatchLoader
from nrdfer.shards.reader import ShardReader
from nrdfer.video.jpeg import decode_jpeg

BATCH = 16
CPU = torch.device("cpu")
EPOCHS = RECIPES["dfew-paper"].epochs


def usual_epoch(data: PictureFolders, parts: Sequence[NDArray[np.int64]], epoch: int) -> None:
    for part in parts:
        torch.stack([data[int(number)] for number in part])


def our_epoch(loader: BatchLoader, parts: Sequence[NDArray[np.int64]], epoch: int) -> None:
    for _ in loader.batches(parts, epoch):
        pass


def stages(data: ClipDataset, reader: ShardReader, epoch: int) -> dict[str, float]:
    """The process's seconds in the parts of one epoch straight from shards."""
    took = dict.fromkeys(("plan", "read", "decode", "warp", "colour"), 0.0)
    x_TSSC = data.empty()
    rows = (-1, SIDE * 3)
    for position in range(len(data)):
        clock = [time.process_time()]
        planned = data.plan(position, epoch)
        clock.append(time.process_time())
        entry = reader.index.clips[planned.clip_id]
        jpegs = [reader._read(entry.shard, entry.frames[i]) for i in planned.indices or ()]
        clock.append(time.process_time())
        frames_THWC = np.stack([decode_jpeg(jpeg) for jpeg in jpegs])
        clock.append(time.process_time())
        change = data.change(planned, size_of(frames_THWC))
        warped_TSSC = warp(frames_THWC, change, SIDE)
        clock.append(time.process_time())
        cv2.LUT(warped_TSSC.reshape(rows), colours(change, 0.0), dst=x_TSSC.reshape(rows))
        clock.append(time.process_time())
        for stage, begun, ended in zip(took, clock, clock[1:], strict=False):
            took[stage] += ended - begun
    return took


def in_turns(ways: dict[str, Callable[[int], None]], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Wall and process seconds of each way in every round, after one to warm up."""
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for epoch in range(rounds + 1):
        for name, run in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run(epoch)
            took[name].append((time.perf_counter() - wall, time.process_time() - cpu))
        print(f"round {epoch}: " + ", ".join(f"{n} {t[-1][0]:.2f} s" for n, t in took.items()), file=sys.stderr)
    return {name: seconds[1:] for name, seconds in took.items()}


def measure(folders: Sequence[Path], shards: Path, rounds: int) -> dict[str, Any]:
    """Every figure of the bench."""
    settings = AugmentSettings()
    reader = shard_folders(folders, shards)
    data = ClipDataset(reader, reader.clip_ids, image_size=SIDE, emotions=EMOTIONS, augment=settings)
    usual = PictureFolders(folders, settings)
    began = time.process_time()
    cache = open_cache(reader, reader.clip_ids, "ram", CPU, workers=0)
    filling = time.process_time() - began
    assert cache is not None
    straight, cached = (BatchLoader(data, CPU, workers=0, cache=kept) for kept in (None, cache))
    order = data.order(0)
    parts = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    apart: list[dict[str, float]] = []
    took = in_turns(
        {
            "usual": lambda epoch: usual_epoch(usual, parts, epoch),
            "straight": lambda epoch: our_epoch(straight, parts, epoch),
            "cached": lambda epoch: our_epoch(cached, parts, epoch),
            "stages": lambda epoch: apart.append(stages(data, reader, epoch)),
        },
        rounds,
    )
    per_second = [
        {name: len(data) / statistics.median(pair[clock] for pair in took[name]) for name in took if name != "stages"}
        for clock in (0, 1)
    ]
    usual_s, cached_s = (len(data) / per_second[1][name] for name in ("usual", "cached"))
    each = {stage: statistics.median(seconds[stage] for seconds in apart[1:]) for stage in apart[0]}
    return {
        "clips": len(data),
        "frames": cache.frames,
        "clips_per_second": rounded(per_second[0]),
        "ratio": rounded({name: per_second[0][name] / per_second[0]["usual"] for name in ("straight", "cached")}),
        "cpu": {
            "clips_per_second": rounded(per_second[1]),
            "ratio": rounded({name: per_second[1][name] / per_second[1]["usual"] for name in ("straight", "cached")}),
        },
        "recipe": {
            "epochs": EPOCHS,
            "cpu_seconds_to_fill_the_cache": round(filling, 2),
            "ratio": round(EPOCHS * usual_s / (filling + EPOCHS * cached_s), 2),
        },
        "share_of_straight": rounded({stage: seconds / sum(each.values()) for stage, seconds in each.items()}),
        "cache_megabytes": round(cache.bytes / 1e6, 1),
        "bytes_a_picture": {
            "usual": round(statistics.mean(Path(path).stat().st_size for clip in usual.clips for path in clip)),
            "ours": round(sum(shard.bytes for shard in reader.index.shards) / cache.frames),
        },
    }


def rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(figure, 2) for name, figure in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--count", type=int, default=64, help="clips at most")
    parser.add_argument("--frames", type=int, default=60, help="of a clip")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if given.clips is None:
            folders = render_pictures(root / "pictures", given.count, given.frames)
        else:
            folders = cut_pictures(given.clips, root / "pictures", given.count, given.frames)
        (root / "shards").mkdir()
        figures = measure(folders, root / "shards", given.rounds)
    print(
        json.dumps(
            {
                "bench": "loader",
                "pictures": "rendered" if given.clips is None else str(given.clips),
                **figures,
                "machine": platform.machine(),
                "python": platform.python_version(),
                "opencv": cv2.__version__,
                "pillow": PIL.__version__,
                "numpy": np.__version__,
                "torch": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
