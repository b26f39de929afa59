"""Memory of trainings side by side: a copy of the decoded frames each, and one file that they share; one line of JSON.

    python -m bench.shared_cache [--processes 4] [--clips 40] [--frames 40] [--json FILE]

Each process opens the cache as a training does, `ram` or `shared`, reads every clip, and waits for the others; then all
say what the kernel counts for them (``/proc/self/smaps_rollup``): PSS divides a page by the number of its users, so the
sum over processes is what they take together. What a process took before it opened the cache is subtracted. The first
`shared` one makes the file: its seconds are those of decoding, the others' of waiting, and `again` of verifying.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import torch

from devtools.own_places import json_file
from devtools.shard_files import write_shards
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.own_files import write_made
from nrdfer.core.records import ClipRecord
from nrdfer.corpora.published import DFEW_FRAMES
from nrdfer.data.frame_cache import FrameCache, open_cache
from nrdfer.shards.decoded_frames import shared_cache
from nrdfer.shards.reader import ShardReader

SIDE = 112
_PATIENCE = 600.0  # seconds for a process to arrive


def drawn_shards(out: Path, clips: int, frames: int) -> int:
    """Shards of noise; returns the bytes of their decoded frames."""
    rng = np.random.default_rng(0)
    out.mkdir()
    write_shards(
        (
            (
                ClipRecord("bench", f"{number:06d}", EMOTIONS[number % 7], "", frames, ""),
                rng.integers(0, 256, (frames, SIDE, SIDE, 3), dtype=np.uint8),
            )
            for number in range(clips)
        ),
        out,
        prefix="b",
        clips_per_shard=64,
    )
    return clips * frames * SIDE * SIDE * 3


def counted() -> dict[str, int]:
    """Bytes that the kernel counts for this process: ``Rss``, ``Pss``, ``Pss_Anon`` ..."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    words = [line.split() for line in lines]
    return {name.rstrip(":"): int(number) * 1024 for name, number, *_ in words}


def hold(shards: Path, kind: str, together: Barrier, answers: Any) -> None:
    """Open a cache in this process, read all of it, and count while the others hold theirs."""
    reader, cpu = ShardReader(shards), torch.device("cpu")
    before = counted()
    together.wait(_PATIENCE)
    started, own = time.perf_counter(), time.process_time()
    cache: FrameCache | None
    if kind == "shared":
        cache = shared_cache(reader, reader.clip_ids, cpu, workers=1)
    else:
        cache = open_cache(reader, reader.clip_ids, kind, cpu, workers=1)
    took, own = time.perf_counter() - started, time.process_time() - own
    assert cache is not None
    total = sum(int(cache.read(clip_id).sum(dtype=np.int64)) for clip_id in reader.clip_ids)
    together.wait(_PATIENCE)
    now = counted()
    together.wait(_PATIENCE)
    more = {name: now[name] - before[name] for name in ("Rss", "Pss", "Private_Dirty") if name in now}
    answers.put({"bytes": more, "open_seconds": round(took, 2), "own_seconds": round(own, 2), "sum": total})


def measure(shards: Path, home: Path, kind: str, processes: int) -> list[dict[str, Any]]:
    """What each of some processes counts that hold the same frames at the same time.

    Raises:
        RuntimeError: one of them failed, or they read other frames.
    """
    os.environ["NRDFER_HOME"] = str(home)  # of the file; the processes that are started have it, too
    context = multiprocessing.get_context("spawn")
    together, answers = context.Barrier(processes), context.Queue()
    started = [context.Process(target=hold, args=(shards, kind, together, answers)) for _ in range(processes)]
    for process in started:
        process.start()
    found = [answers.get(timeout=2 * _PATIENCE) for _ in started]
    for process in started:
        process.join()
    if any(process.exitcode for process in started) or len({answer["sum"] for answer in found}) != 1:
        raise RuntimeError(f"a process failed, or read other frames: {found}")
    return found


def summed(found: list[dict[str, Any]], size: int) -> dict[str, Any]:
    """Figures of all processes together, and as multiples of the decoded frames."""
    pss, private = (sum(answer["bytes"][name] for answer in found) for name in ("Pss", "Private_Dirty"))
    return {
        "pss_megabytes": round(pss / 1e6, 1),
        "copies_by_pss": round(pss / size, 2),
        "private_megabytes": round(private / 1e6, 1),
        "open_seconds": sorted(answer["open_seconds"] for answer in found),
        "own_seconds_median": statistics.median(answer["own_seconds"] for answer in found),
    }


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--frames", type=int, default=40, help="of a clip")
    parser.add_argument("--json", type=json_file, help="file to write")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shared-cache-") as folder:
        shards, home = Path(folder) / "shards", Path(folder) / "home"
        size = drawn_shards(shards, given.clips, given.frames)
        each = {kind: summed(measure(shards, home, kind, given.processes), size) for kind in ("ram", "shared")}
        again = summed(measure(shards, home, "shared", given.processes), size)
    figures = {
        "bench": "shared_cache",
        "processes": given.processes,
        "decoded_megabytes": round(size / 1e6, 1),
        **each,
        "again": again,
        "decoded_gigabytes_at_dfew": round(DFEW_FRAMES * SIDE * SIDE * 3 / 1e9, 1),
        "machine": platform.machine(),
    }
    if given.json:
        write_made(given.json, json.dumps(figures, indent=1).encode())
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
