"""Steps: WebDataset shards of aligned AFEW faces and of DFEW's face pictures, and DFEW's folds as lists of ids."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from nrdfer.config import ShardsConfig
from nrdfer.emotions import EMOTIONS
from nrdfer.errors import CorpusError
from nrdfer.records import ClipRecord, FrameRecord
from nrdfer.shards.reader import ShardReader
from nrdfer.shards.writer import write_shards
from nrdfer.stages.clip_files import SET_ASIDE, list_clips, read_clips, write_reasons

Progress = Callable[[int, int], None]
FOLDS = "folds.json"


def shard_aligned(enhanced: Path, out: Path, config: ShardsConfig, progress: Progress | None = None) -> dict[str, Any]:
    """Write shards of a folder of aligned clips; returns counts.

    Raises:
        CorpusError: not one clip could be used.
    """
    if not list_clips(enhanced):
        raise CorpusError(
            f"no clip of AFEW could be used: every one was set aside; the reasons are in {enhanced / SET_ASIDE}"
        )
    (out / SET_ASIDE).write_bytes((enhanced / SET_ASIDE).read_bytes())
    write_shards(
        read_clips(enhanced),
        out,
        prefix="afew",
        clips_per_shard=config.clips_per_shard,
        jpeg_quality=config.jpeg_quality,
        progress=_of(progress, len(list_clips(enhanced))),
    )
    return count_clips(ShardReader(out))


def shard_dfew(
    listing: Mapping[str, Any], out: Path, config: ShardsConfig, progress: Progress | None = None
) -> dict[str, Any]:
    """Write shards of DFEW's pictures, resized once to the shard's image size; returns counts.

    A clip with a picture that cannot be read is set aside with its reason.
    """
    aside = [(clip_id, reason) for clip_id, reason in listing["set_aside"]]

    def clips() -> Iterator[tuple[ClipRecord, npt.NDArray[np.uint8]]]:
        for row in listing["clips"]:
            frames = []
            for path, _ in row["frames"]:
                picture = cv2.imread(path, cv2.IMREAD_COLOR)
                if picture is None:
                    aside.append((row["clip_id"], f"unreadable picture {path}"))
                    break
                size = (config.image_size, config.image_size)
                resized = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
                frames.append(cv2.cvtColor(resized, cv2.COLOR_BGR2RGB))
            else:
                yield _dfew_record(row, len(frames)), np.stack(frames)

    write_shards(
        clips(),
        out,
        prefix="dfew",
        clips_per_shard=config.clips_per_shard,
        jpeg_quality=config.jpeg_quality,
        progress=_of(progress, len(listing["clips"])),
    )
    write_reasons(out / SET_ASIDE, aside)
    return {**count_clips(ShardReader(out)), "set_aside": len(aside)}


def _dfew_record(row: Mapping[str, Any], n_frames: int) -> ClipRecord:
    return ClipRecord(
        corpus="dfew",
        clip_id=row["clip_id"],
        emotion=row["emotion"],
        split="fold",
        n_frames=n_frames,
        source_sha256=row["sha256"],
        frames=tuple(FrameRecord(index=i, has_face=True) for i in range(n_frames)),
    )


def count_clips(reader: ShardReader) -> dict[str, Any]:
    """Clips, frames and clips per emotion in a set of shards."""
    records = [reader.record(clip_id) for clip_id in reader.clip_ids]
    emotions = Counter(record.emotion for record in records)
    return {
        "clips": len(records),
        "frames": sum(record.n_frames for record in records),
        "emotions": {emotion: emotions[emotion] for emotion in EMOTIONS},
    }


def write_folds(listing: Mapping[str, Any], shards: Path, out: Path) -> dict[str, Any]:
    """Write the folds as lists of clip ids that are in the shards.

    Raises:
        CorpusError: a fold's train and test lists share a clip, or a fold is left without clips.
    """
    present = set(ShardReader(shards).clip_ids)
    folds: dict[str, dict[str, list[str]]] = {}
    for k, fold in sorted(listing["folds"].items()):
        train, test = ([clip for clip in fold[part] if clip in present] for part in ("train", "test"))
        shared = set(train) & set(test)
        if shared:
            raise CorpusError(f"fold {k}: {len(shared)} clips are in both train and test, e.g. {min(shared)}")
        if not train or not test:
            raise CorpusError(f"fold {k} has {len(train)} training and {len(test)} test clips with frames; need both")
        folds[k] = {"train": sorted(train), "test": sorted(test)}
    (out / FOLDS).write_text(json.dumps(folds, indent=1))
    return {"folds": {k: {part: len(ids) for part, ids in fold.items()} for k, fold in folds.items()}}


def read_folds(folder: Path) -> dict[str, dict[str, list[str]]]:
    """The folds: number -> train and test clip ids."""
    folds: dict[str, dict[str, list[str]]] = json.loads((folder / FOLDS).read_text())
    return folds


def _of(progress: Progress | None, total: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, _: progress(done, total)
