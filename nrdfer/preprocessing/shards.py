"""Steps: WebDataset shards of aligned AFEW faces and of DFEW's face pictures, and DFEW's folds as lists of ids.

What a worker does with DFEW's pictures is `dfew_shards`' business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nrdfer.config.profile import ShardsConfig
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import CorpusError
from nrdfer.preprocessing.clip_files import SET_ASIDE, list_clips, read_clips, write_reasons
from nrdfer.preprocessing.dfew_listing import DfewListing
from nrdfer.preprocessing.dfew_shards import GroupJob, shard_pictures
from nrdfer.runtime import process_pool
from nrdfer.shards.groups import publish_groups, read_group
from nrdfer.shards.index import ShardIndex
from nrdfer.shards.tar import remove_unfinished
from nrdfer.shards.writer import shard_name, write_shards

Progress = Callable[[int, int], None]


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
    for job, _ in process_pool.completed(shard_pictures, left, workers=workers, what="shards of DFEW"):
        done += job.count
        _tell(progress, done, total)
    index, unusable = publish_groups(work, [job.name for job in jobs], out)
    if not index.clips:
        example = f"{unusable[0].clip_id}: {unusable[0].reason}" if unusable else "the listing names none"
        raise CorpusError(f"no clip of DFEW could be used, e.g. {example}; copy or unpack DFEW's pictures again")
    excluded = [*listing.set_aside, *((clip.clip_id, clip.reason) for clip in unusable)]
    write_reasons(out / SET_ASIDE, excluded)
    return {**count_clips(index), "set_aside": len(excluded)}


def count_clips(index: ShardIndex) -> dict[str, Any]:
    """Clips, frames and clips per emotion in a set of shards."""
    emotions = Counter(clip.emotion for clip in index.clips.values())
    return {
        "clips": len(index.clips),
        "frames": sum(clip.n_frames for clip in index.clips.values()),
        "emotions": {emotion: emotions[emotion] for emotion in EMOTIONS},
    }


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def _of(progress: Progress | None, total: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, _: progress(done, total)
