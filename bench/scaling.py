"""Growth of index, listing and folds with the size of a corpus, projected to one a hundred times DFEW's.

    python -m bench.scaling [--clips 3000 10000 30000] [--frames 75] [--target 1200000]
                            [--rates listing=9000,shards=1100,training=640] [--machines 1 8]

Prints one line of JSON: for each size and kind of file its bytes, CPU seconds and peak memory of the process that
writes it and of one that reads it, the exponent of growth between the two largest sizes, and the projection to
`--target` clips. Each figure is of a process of its own. No picture is written: the files hold numbers and digests.
With `--rates` (frames a second of a stage on one machine, from the other benches; clips a second for training) it adds
hours of each stage on each number of machines.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from devtools.growth import FOLDS, projected, stage_hours
from nrdfer.config.profile import ShardsConfig
from nrdfer.core.emotions import EMOTIONS
from nrdfer.corpora.base import PictureClip
from nrdfer.preprocessing.corpus_listing import LISTING
from nrdfer.preprocessing.folds import FOLDS_FILE, read_folds
from nrdfer.preprocessing.picture_listing import CLIPS, ListedClip, PictureListing
from nrdfer.shards.index import INDEX, ClipEntry, ShardEntry, ShardIndex

PICTURE = 7_700  # bytes of one JPEG in the shards at 112 px
NAMES = "names.json"
_MIB = 2**20


def clip_id(number: int) -> str:
    """A name like DFEW's, with room for a million."""
    return f"{number:07d}"


def lengths(clips: int, frames: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Frames of each clip: between half and one and a half times the mean, the same for one number of clips."""
    return np.random.default_rng(clips).integers(frames // 2, frames + frames // 2, clips, endpoint=True)


def write_index(folder: Path, clips: int, frames: int) -> None:
    """The index of shards that hold these clips."""
    per_shard = ShardsConfig().clips_per_shard
    entries, ends = {}, [0] * -(-clips // per_shard)
    for number, length in enumerate(lengths(clips, frames).tolist()):
        shard = number // per_shard
        starts = [ends[shard] + 1024 + i * (PICTURE + 512) for i in range(length)]
        record = (starts[-1] + PICTURE + 512, 900)
        ends[shard] = sum(record)
        entries[clip_id(number)] = ClipEntry(shard, record, tuple((s, PICTURE) for s in starts), EMOTIONS[number % 7])
    shards = tuple(
        ShardEntry(f"clips-{n:06d}.tar", hashlib.sha256(b"%d" % n).hexdigest(), end, per_shard)
        for n, end in enumerate(ends)
    )
    ShardIndex(shards, entries).save(folder)


def read_index(folder: Path) -> int:
    """What a training process holds."""
    return len(ShardIndex.load(folder).clips)


def write_listing(folder: Path, clips: int, frames: int) -> None:
    """A listing of face pictures, a line a clip, as the step writes it."""
    (folder / LISTING).write_text(json.dumps({"folds": {}, "set_aside": []}))
    with (folder / CLIPS).open("w") as lines:
        for number, length in enumerate(lengths(clips, frames).tolist()):
            name = clip_id(number)
            pictures = tuple(
                (f"{i:05d}.jpg", hashlib.sha256(b"%d %d" % (number, i)).hexdigest()) for i in range(length)
            )
            listed = ListedClip(name, EMOTIONS[number % 7], pictures[0][1], f"/data/corpus/Clip/{name}", pictures)
            lines.write(listed.to_line() + "\n")


def read_listing(folder: Path) -> int:
    """What the step that writes shards does first: the groups, then every clip once."""
    listing = PictureListing(folder)
    listing.groups(ShardsConfig().clips_per_shard)
    return sum(1 for _ in listing.clips())


def write_fold_lists(folder: Path, clips: int, frames: int) -> None:
    """Five folds, each with all clips."""
    names = [clip_id(number) for number in range(clips)]
    folds = {
        str(k + 1): {"train": [n for i, n in enumerate(names) if i % FOLDS != k], "test": names[k::FOLDS]}
        for k in range(FOLDS)
    }
    (folder / FOLDS_FILE).write_text(json.dumps(folds, indent=1))


def read_fold_lists(folder: Path) -> int:
    """What a training process reads of them."""
    return len(read_folds(folder / FOLDS_FILE))


def write_nothing(folder: Path, clips: int, frames: int) -> None:
    """Say how many clips `hold_names` is to hold."""
    (folder / NAMES).write_text(json.dumps([clips, frames]))


def hold_names(folder: Path) -> int:
    """What the step that lists a corpus holds: every clip and the names of its pictures, as the folders say them."""
    clips, frames = json.loads((folder / NAMES).read_text())
    held = [
        PictureClip(clip_id(n), EMOTIONS[n % 7], folder / clip_id(n), tuple(f"{i:05d}.jpg" for i in range(length)))
        for n, length in enumerate(lengths(clips, frames).tolist())
    ]
    return len(held)


#: Kind of file: its name, its writer, its reader.
KINDS: Mapping[str, tuple[str, Callable[[Path, int, int], None], Callable[[Path], int]]] = {
    "index": (INDEX, write_index, read_index),
    "listing": (CLIPS, write_listing, read_listing),
    "folds": (FOLDS_FILE, write_fold_lists, read_fold_lists),
    "names": (NAMES, write_nothing, hold_names),
}


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _timed(connection: Any, work: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    before, began = _peak(), time.process_time()
    work(*arguments)
    connection.send((time.process_time() - began, _peak() - before))


def in_process(work: Callable[..., object], *arguments: Any) -> tuple[float, int]:
    """CPU seconds and additional bytes of memory of a function in a new process."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_timed, args=(there, work, arguments))
    process.start()
    there.close()
    try:
        seconds, memory = here.recv()
    except EOFError:
        raise SystemExit(f"the process that measured {work.__name__} ended without an answer") from None
    finally:
        process.join()
    return seconds, memory


def measure(clips: int, frames: int) -> dict[str, dict[str, float]]:
    """Every kind at one size."""
    found = {}
    for kind, (name, write, read) in KINDS.items():
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            write_seconds, write_memory = in_process(write, folder, clips, frames)
            read_seconds, read_memory = in_process(read, folder)
            found[kind] = {
                "bytes": (folder / name).stat().st_size,
                "write_seconds": write_seconds,
                "write_memory": write_memory,
                "read_seconds": read_seconds,
                "read_memory": read_memory,
            }
    return found


def _rates(text: str) -> dict[str, float]:
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {name: float(rate) for name, _, rate in pairs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clips", type=int, nargs="+", default=[3_000, 10_000, 30_000])
    parser.add_argument("--frames", type=int, default=75, help="of a clip, on average")
    parser.add_argument("--target", type=int, default=1_200_000, help="clips to project to")
    parser.add_argument("--rates", type=_rates, default={}, help="stage=per second on one machine, with commas")
    parser.add_argument("--machines", type=int, nargs="+", default=[1, 8])
    given = parser.parse_args()
    sizes = sorted(set(given.clips))
    if len(sizes) < 2:
        parser.error("give at least two sizes, so that growth can be seen")
    measured = [measure(clips, given.frames) for clips in sizes]
    shards = -(-given.target // ShardsConfig().clips_per_shard)
    print(
        json.dumps(
            {
                "bench": "scaling",
                "frames": given.frames,
                "measured": dict(zip(map(str, sizes), measured, strict=True)),
                "target": {
                    "clips": given.target,
                    "pictures": given.target * given.frames,
                    "shards": shards,
                    "shard_bytes": given.target * given.frames * (PICTURE + 512),
                    **projected(sizes, measured, given.target),
                },
                "hours": stage_hours(given.rates, given.machines, given.target, given.frames),
            }
        )
    )


if __name__ == "__main__":
    main()
