"""Clips per second: shards read map-style through the index, and the same shards read by WebDataset itself.

Prints one line of JSON. ``python -m bench.shards [--clips 96] [--frames 70] [--size 112] [--rounds 3]``; one process,
files in the page cache, pictures decoded in both cases.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import webdataset as wds

from devtools.shard_files import write_shards
from nrdfer.core.records import ClipRecord
from nrdfer.shards.reader import ShardReader
from nrdfer.shards.verify import verify

SAMPLED = 16  # frames that training takes of a clip


def made_up(clips: int, frames: int, size: int) -> Iterator[tuple[ClipRecord, npt.NDArray[np.uint8]]]:
    """Clips of blurred noise, which JPEG codes about as well as faces."""
    for number in range(clips):
        rng = np.random.default_rng(number)
        noise = rng.integers(0, 256, (frames, size // 8, size // 8, 3), np.uint8)
        pictures = np.stack([cv2.resize(frame, (size, size), interpolation=cv2.INTER_CUBIC) for frame in noise])
        yield ClipRecord("bench", f"{number:05d}", "fear", "train", frames, ""), np.asarray(pictures, np.uint8)


def seconds(run: Callable[[], object], rounds: int) -> float:
    """Median wall time of `run`."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=96)
    parser.add_argument("--frames", type=int, default=70)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    source = list(made_up(given.clips, given.frames, given.size))
    sampled = np.linspace(0, given.frames - 1, SAMPLED).astype(int).tolist()
    order = np.random.default_rng(0).permutation(given.clips).tolist()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        writing = seconds(lambda: write_shards(source, root, prefix="b", clips_per_shard=32), 1)
        reader = ShardReader(root)
        tars = [str(root / shard.name) for shard in reader.index.shards]
        ids = [reader.clip_ids[i] for i in order]
        took = {
            f"map_style_{SAMPLED}_frames_shuffled": lambda: [reader.frames(c, sampled) for c in ids],
            "map_style_all_frames_shuffled": lambda: [reader.frames(c) for c in ids],
            "webdataset_all_frames_in_order": lambda: [
                None for _ in wds.WebDataset(tars, shardshuffle=False).decode("rgb8")
            ],
            "verify": lambda: verify(root),
        }
        figures = {name: round(given.clips / seconds(run, given.rounds), 1) for name, run in took.items()}
        size = sum(shard.bytes for shard in reader.index.shards)
    print(
        json.dumps(
            {
                "bench": "shards",
                "clips": given.clips,
                "frames": given.frames,
                "size": given.size,
                "megabytes": round(size / 1e6, 1),
                "clips_per_second": {"write": round(given.clips / writing, 1), **figures},
                "machine": platform.machine(),
                "python": platform.python_version(),
                "opencv": cv2.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
