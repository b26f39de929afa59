"""CPU seconds and memory of the leak report at DFEW's full size, from its parts; prints one line of JSON.

    python -m bench.leaks [--clips 11697] [--read 300] [--asked 200] [--json FILE]

Reading is measured on clips of 70 frames in shards. Hashes and pictures of as many clips as DFEW has are made up (real
ones are of people), so that every lookup compares as many as it would there; they are measured on some test clips, and
scaled to five folds. How many candidates are aligned depends on the clips: the upper bound takes the most for each, all
of them strangers, which take longest. Seconds are of one core.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bench.shards import made_up
from devtools.own_places import json_file
from devtools.shard_files import write_shards
from nrdfer.core.own_files import write_made
from nrdfer.corpora.published import DFEW_CLIPS
from nrdfer.evaluation.frame_hashes import BITS
from nrdfer.evaluation.near_duplicates import (
    CANDIDATES,
    FRAMES,
    Pictures,
    aligned_correlation,
    near_neighbours,
    read_pictures,
)
from nrdfer.shards.reader import ShardReader

_FOLDS, _SIDE = 5, 64
_LONG = 70  # frames of a clip


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=DFEW_CLIPS, help=f"of the corpus ({DFEW_CLIPS})")
    parser.add_argument("--read", type=int, default=300, help="clips that are read (300)")
    parser.add_argument("--asked", type=int, default=200, help="test clips that are looked up (200)")
    parser.add_argument("--json", type=json_file, help="file to write")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    found = measure(given.clips, given.read, given.asked)
    if given.json:
        write_made(given.json, json.dumps(found, indent=1).encode())
    print(json.dumps(found))


def measure(clips: int, read: int, asked: int) -> dict[str, Any]:
    """CPU seconds of reading, looking up and aligning, measured and at full size, and the peak of memory in GiB."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_shards(made_up(read, _LONG, 112), folder, prefix="bench", clips_per_shard=256)
        with ShardReader(folder) as reader:
            lengths = dict.fromkeys(reader.clip_ids, _LONG)
            reading = _seconds(lambda: read_pictures(reader, lengths, workers=1))
    pictures = _made_up(clips)
    names = list(pictures.low)
    cut = clips // _FOLDS  # of one fold's test clips
    whole = _seconds(lambda: near_neighbours(pictures, names[cut:], names[:asked], workers=1))
    begun = _seconds(lambda: near_neighbours(pictures, names[cut:], names[:1], workers=1))  # medians and hashes
    each = (whole - begun) / max(asked - 1, 1)
    pairs = [(pictures.small[a][0], pictures.small[b][1]) for a, b in zip(names[:asked], names[asked:], strict=False)]
    aligning = _seconds(lambda: [aligned_correlation(*pair, [1, 0]) for pair in pairs])
    total = clips * reading / read + clips * each + _FOLDS * begun + clips * CANDIDATES * aligning / len(pairs)
    return {
        "clips": clips,
        "read": {"clips": read, "cpu_seconds": round(reading, 2)},
        "looked_up": {"clips": asked, "among": clips - cut, "cpu_seconds": round(whole, 2)},
        "aligned": {"pairs": len(pairs), "cpu_seconds": round(aligning, 2)},
        "full_size_at_most": {"cpu_seconds": round(total), "minutes_on_two_cores": round(total / 120, 2)},
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "machine": platform.machine(),
    }


def _made_up(clips: int) -> Pictures:
    """Blurred noise, whose hashes lie as near to each other as chance has them."""
    rng = np.random.default_rng(0)
    pictures = Pictures()
    for number in range(clips):
        noise = rng.integers(0, 256, (FRAMES, 8, 8), np.uint8)
        each = [cv2.resize(frame, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC) for frame in noise]
        pictures.small[f"{number:05d}"] = np.stack(each).astype(np.uint8)
        pictures.low[f"{number:05d}"] = rng.normal(size=(FRAMES, BITS)).astype(np.float32)
    return pictures


def _seconds(run: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    started = time.process_time()
    run()
    return time.process_time() - started


if __name__ == "__main__":
    main()
