"""Clips per second of a training's batches: shards read through their index, and as streams from folder, HTTP and S3.

Prints one line of JSON. ``python -m bench.streaming [--clips 96] [--frames 60] [--workers 2] [--rounds 3]``; 16 frames
of each clip are decoded and augmented. Files are in the page cache; both servers run in this process, on the loopback
interface, and take their share of its processors, so a stream from them costs more here than one from elsewhere. The
ways take turns, epoch by epoch; a rate is that of the median epoch, ``first_batch_seconds`` the median wait for an
epoch's first batch.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from bench.shards import made_up
from devtools.shard_files import write_shards
from devtools.shard_servers import in_environment, serve_folder, serve_s3
from nrdfer.core.emotions import EMOTIONS
from nrdfer.data.dataset import ClipDataset
from nrdfer.data.loader import BatchLoader
from nrdfer.data.settings import AugmentSettings, DataSettings
from nrdfer.shards.stream import open_clips

BATCH, SIDE = 16, 112


def epoch_seconds(data: ClipDataset, workers: int, epoch: int) -> tuple[float, float]:
    """Seconds to an epoch's first batch, and to its last."""
    started = time.perf_counter()
    order = data.order(epoch)
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    first, clips = 0.0, 0
    for batch in BatchLoader(data, torch.device("cpu"), workers=workers).batches(batches, epoch):
        first = first or time.perf_counter() - started
        clips += len(batch.positions)
    assert clips == len(data)
    return first, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=96)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        root = Path(folder)
        write_shards(list(made_up(given.clips, given.frames, SIDE)), root, prefix="b", clips_per_shard=12)
        s3, environment = stack.enter_context(serve_s3(root))
        stack.enter_context(in_environment(environment))
        http = stack.enter_context(serve_folder(root)).address
        settings = {
            "indexed": DataSettings(),
            "stream_folder": DataSettings("stream"),
            "stream_http": DataSettings("stream", http),
            "stream_s3": DataSettings("stream", s3),
        }
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in settings}
        for epoch in range(given.rounds + 1):
            for name, how in settings.items():
                source = open_clips(root, how)
                data = ClipDataset(
                    source, sorted(source.clip_ids), image_size=SIDE, emotions=EMOTIONS, augment=AugmentSettings()
                )
                took[name].append(epoch_seconds(data, given.workers, epoch))
            print(f"round {epoch}: { ({n: round(t[-1][1], 2) for n, t in took.items()}) }", file=sys.stderr)
        size = sum(shard.bytes for shard in source.index.shards)
    median = {name: statistics.median(whole for _, whole in seconds[1:]) for name, seconds in took.items()}
    print(
        json.dumps(
            {
                "bench": "streaming",
                "clips": given.clips,
                "frames": given.frames,
                "megabytes": round(size / 1e6, 1),
                "workers": given.workers,
                "rounds": given.rounds,
                "clips_per_second": {name: round(given.clips / seconds, 1) for name, seconds in median.items()},
                "ratio_to_indexed": {name: round(median["indexed"] / seconds, 2) for name, seconds in median.items()},
                "first_batch_seconds": {
                    name: round(statistics.median(first for first, _ in seconds[1:]), 2)
                    for name, seconds in took.items()
                },
                "processors": os.cpu_count(),
                "machine": platform.machine(),
                "python": platform.python_version(),
                "torch": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
