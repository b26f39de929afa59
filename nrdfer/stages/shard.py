"""Steps: WebDataset shards of aligned AFEW faces and of DFEW's face pictures, and DFEW's folds as lists of ids.

What a worker does with DFEW's pictures is `pictures`' business.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nrdfer import pool
from nrdfer.config import ShardsConfig
from nrdfer.convert import brief
from nrdfer.emotions import EMOTIONS
from nrdfer.errors import CorpusError
from nrdfer.faces.stats import luma_of
from nrdfer.files import open_plain
from nrdfer.shards.groups import publish_groups, read_group
from nrdfer.shards.index import ShardIndex
from nrdfer.shards.reader import ShardReader
from nrdfer.shards.tar import remove_unfinished
from nrdfer.shards.writer import shard_name, write_shards
from nrdfer.stages.clip_files import SET_ASIDE, list_clips, read_clips, read_reasons, write_reasons
from nrdfer.stages.listing import DfewListing
from nrdfer.stages.pictures import GroupJob, shard_pictures
from nrdfer.stages.quality import ClipQuality, write_quality

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
    index = write_shards(
        read_clips(enhanced),
        out,
        prefix="afew",
        clips_per_shard=config.clips_per_shard,
        jpeg_quality=config.jpeg_quality,
        progress=_of(progress, len(list_clips(enhanced))),
    )
    return count_clips(index)


def shard_dfew(
    listing: DfewListing,
    work: Path,
    out: Path,
    config: ShardsConfig,
    *,
    workers: int = 2,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write shards of DFEW's pictures, resized once to the shard's image size; returns counts.

    Every `clips_per_shard` clips of the listing are one shard, whoever writes it and whenever. A clip with a picture
    that cannot be read is set aside with its reason, and its shard holds fewer clips.

    Args:
        listing: DFEW's clips.
        work: folder that survives a crash; finished shards found there are kept.
        out: folder that receives the shards.
        config: how shards are cut and compressed.
        workers: processes; the bytes do not depend on their number.
        progress: called with (clips done, clips).

    Raises:
        CorpusError: a picture is gone since it was listed, or not one clip could be used.
        NrdferError: worker processes keep dying.
    """
    remove_unfinished(work)
    jobs = [
        GroupJob(
            listing.folder, offset, count, work, shard_name("dfew", number), config.image_size, config.jpeg_quality
        )
        for number, (offset, count) in enumerate(listing.groups(config.clips_per_shard))
    ]
    left = [job for job in jobs if read_group(work, job.name) is None]
    total = sum(job.count for job in jobs)
    done = total - sum(job.count for job in left)
    _tell(progress, done, total)
    for job, _ in pool.completed(shard_pictures, left, workers=workers, what="shards of DFEW"):
        done += job.count
        _tell(progress, done, total)
    index, unusable = publish_groups(work, [job.name for job in jobs], out)
    if not index.clips:
        told = f"{unusable[0].clip_id}: {unusable[0].reason}" if unusable else "the listing names none"
        raise CorpusError(f"no clip of DFEW could be used, e.g. {told}; copy or unpack DFEW's pictures again")
    aside = [*listing.set_aside, *((clip.clip_id, clip.reason) for clip in unusable)]
    write_reasons(out / SET_ASIDE, aside)
    return {**count_clips(index), "set_aside": len(aside)}


def count_clips(index: ShardIndex) -> dict[str, Any]:
    """Clips, frames and clips per emotion in a set of shards."""
    emotions = Counter(clip.emotion for clip in index.clips.values())
    return {
        "clips": len(index.clips),
        "frames": sum(clip.n_frames for clip in index.clips.values()),
        "emotions": {emotion: emotions[emotion] for emotion in EMOTIONS},
    }


def write_folds(
    labelled: Mapping[str, Mapping[str, Sequence[str]]], shards: Path, out: Path, progress: Progress | None = None
) -> dict[str, Any]:
    """Write the folds as lists of clip ids that are in the shards, and DFEW's quality page.

    Args:
        labelled: fold -> ``train`` and ``test`` -> clip ids, as labelled.
        shards: folder of DFEW's shards.
        out: folder that receives the folds and the page.
        progress: called with (clips looked at, clips).

    Returns:
        Clips of each fold, and the page's summary.

    Raises:
        CorpusError: a fold's train and test lists share a clip, or a fold is left without clips.
        StoreError: a shard is missing or damaged.
    """
    folds: dict[str, dict[str, list[str]]] = {}
    with ShardReader(shards) as reader:
        present = reader.index.clips
        for k, fold in sorted(labelled.items()):
            train, test = ([clip for clip in fold[part] if clip in present] for part in ("train", "test"))
            shared = set(train) & set(test)
            if shared:
                raise CorpusError(f"fold {k}: {len(shared)} clips are in both train and test, e.g. {min(shared)}")
            if not train or not test:
                raise CorpusError(
                    f"fold {k} has {len(train)} training and {len(test)} test clips with frames; need both"
                )
            folds[k] = {"train": sorted(train), "test": sorted(test)}
        (out / FOLDS).write_text(json.dumps(folds, indent=1))
        tested = {clip: f"fd{k}" for k, fold in folds.items() for clip in fold["test"]}
        rows = _looked_at(reader, tested, progress)
    summary = write_quality("DFEW: face pictures and folds", rows, read_reasons(shards / SET_ASIDE), out)
    return {"folds": {k: {part: len(ids) for part, ids in fold.items()} for k, fold in folds.items()}, **summary}


def _looked_at(reader: ShardReader, tested: Mapping[str, str], progress: Progress | None) -> list[ClipQuality]:
    """The quality page's rows; of each clip one picture is read."""
    rows = []
    for clip_id, entry in reader.index.clips.items():
        middle = reader.frames(clip_id, [entry.n_frames // 2])
        split = tested.get(clip_id, "in no test fold")
        rows.append(ClipQuality(clip_id, entry.emotion, split, entry.n_frames, luma=round(luma_of(middle), 2)))
        _tell(progress, len(rows), len(reader.index.clips))
    return rows


def read_folds(place: Path) -> dict[str, dict[str, list[str]]]:
    """The folds: number -> ``train`` and ``test`` -> clip ids.

    Args:
        place: the folder that `write_folds` filled, or the file in it.

    Raises:
        CorpusError: there is no such file, or it holds something else.
    """
    path = place / FOLDS if place.is_dir() else place
    try:
        with open_plain(path) as file:
            folds: dict[str, dict[str, list[str]]] = json.load(file)
        parts = [fold[part] for fold in folds.values() for part in ("train", "test")]
        if not all(isinstance(part, list) and all(isinstance(clip, str) for clip in part) for part in parts):
            raise ValueError("train and test must be lists of clip ids")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CorpusError(
            f"{path} does not hold folds as the step dfew/folds writes them, "
            f'{{"1": {{"train": [...], "test": [...]}}}}: {brief(str(error) or error)}'
        ) from error
    return folds


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def _of(progress: Progress | None, total: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, _: progress(done, total)
