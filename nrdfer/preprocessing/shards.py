"""Steps: WebDataset shards of aligned faces and of face pictures.

Everything that a group's bytes depend on is in its job. Writing a group as a shard belongs to `nrdfer.shards.writer`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from nrdfer.config.profile import ShardsConfig
from nrdfer.core.errors import CorpusError, UnreadablePictureError
from nrdfer.core.plain_text import one_line
from nrdfer.core.progress import Progress
from nrdfer.core.records import ClipRecord, FrameRecord
from nrdfer.corpora.base import Corpus
from nrdfer.corpora.picture_file import read_picture
from nrdfer.preprocessing.clip_files import EXCLUDED_CSV, list_clips, read_clip, write_reasons
from nrdfer.preprocessing.picture_listing import ListedClip, PictureListing, read_group
from nrdfer.shards.index import ShardIndex
from nrdfer.shards.writer import EncodedClip, ExcludedClip, build_shards, shard_name
from nrdfer.video.jpeg import encode_jpeg


@dataclass(frozen=True, slots=True)
class AlignedGroup:
    """Some aligned clips of a corpus of videos."""

    name: str  # of the shard
    enhanced: Path
    clip_ids: tuple[str, ...]
    jpeg_quality: int

    @property
    def count(self) -> int:
        """Clips."""
        return len(self.clip_ids)

    def clips(self) -> Iterator[EncodedClip]:
        """Encode the frames of each clip."""
        for clip_id in self.clip_ids:
            record, frames = read_clip(self.enhanced, clip_id)
            yield record, [encode_jpeg(frame, self.jpeg_quality) for frame in frames]


@dataclass(frozen=True, slots=True)
class PictureGroup:
    """Some clips of a corpus of face pictures, which are resized once."""

    name: str  # of the shard
    corpus: str
    count: int  # clips
    listing: Path
    offset: int  # of its first line in the listing
    image_size: int
    jpeg_quality: int

    def clips(self) -> Iterator[EncodedClip | ExcludedClip]:
        """Read, resize and encode the pictures of each clip; a clip with an unreadable picture is excluded.

        Raises:
            CorpusError: a picture is gone since it was listed.
        """
        for clip in read_group(self.listing, self.offset, self.count):
            try:
                jpegs = [self._resized(_picture(Path(clip.folder, name))) for name, _ in clip.frames]
                yield _record(clip, self.corpus), jpegs
            except UnreadablePictureError as error:
                yield ExcludedClip(clip.clip_id, str(error))

    def _resized(self, picture: NDArray[np.uint8]) -> bytes:
        """A picture (H, W, 3) BGR at the shards' size, as JPEG."""
        resized = cv2.resize(picture, (self.image_size, self.image_size), interpolation=cv2.INTER_AREA)
        return encode_jpeg(np.asarray(cv2.cvtColor(resized, cv2.COLOR_BGR2RGB), np.uint8), self.jpeg_quality)


def shard_aligned(
    corpus: Corpus, enhanced: Path, work: Path, out: Path, config: ShardsConfig, progress: Progress | None = None
) -> dict[str, Any]:
    """Write shards of a folder of aligned clips; returns counts.

    Args:
        corpus: that the clips belong to.
        enhanced: folder of the clips.
        work: folder that survives a crash; finished shards found there are kept.
        out: folder that receives the shards.
        config: how shards are cut and compressed.
        progress: called with (clips done, clips).

    Raises:
        CorpusError: not one clip could be used.
    """
    ids, size = list_clips(enhanced), config.clips_per_shard
    if size < 1:
        raise ValueError(f"a shard needs room: clips_per_shard={size}")
    if not ids:
        raise CorpusError(
            f"no clip of {corpus.title} could be used: every one was excluded; the reasons are in "
            f"{enhanced / EXCLUDED_CSV}"
        )
    (out / EXCLUDED_CSV).write_bytes((enhanced / EXCLUDED_CSV).read_bytes())
    jobs = [
        AlignedGroup(shard_name(corpus.name, number), enhanced, tuple(ids[start : start + size]), config.jpeg_quality)
        for number, start in enumerate(range(0, len(ids), size))
    ]
    what = f"shards of {corpus.title}"
    index, _ = build_shards(jobs, work, out, workers=0, what=what, progress=progress)
    return count_clips(index, corpus.emotions)


def shard_pictures(
    corpus: Corpus,
    listing: PictureListing,
    work: Path,
    out: Path,
    config: ShardsConfig,
    *,
    workers: int = 2,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write shards of a corpus of pictures, resized once to the shard's image size; returns counts.

    Every `clips_per_shard` clips of the listing are one shard, independent of process and time. A clip with an
    unreadable picture is excluded with its reason, and its shard holds fewer clips.

    Args:
        corpus: that was listed.
        listing: its clips.
        work: folder that survives a crash; finished shards found there are kept.
        out: folder that receives the shards.
        config: how shards are cut and compressed.
        workers: processes; the bytes do not depend on their number.
        progress: called with (clips done, clips).

    Raises:
        CorpusError: a picture is gone since it was listed, or not one clip could be used.
        NrdferError: worker processes keep dying.
    """
    jobs = [
        PictureGroup(
            shard_name(corpus.name, number),
            corpus.name,
            count,
            listing.folder,
            offset,
            config.image_size,
            config.jpeg_quality,
        )
        for number, (offset, count) in enumerate(listing.groups(config.clips_per_shard))
    ]
    what = f"shards of {corpus.title}"
    index, unusable = build_shards(jobs, work, out, workers=workers, what=what, progress=progress)
    if not index.clips:
        example = f"{unusable[0].clip_id}: {unusable[0].reason}" if unusable else "the listing names none"
        raise CorpusError(f"no clip of {corpus.title} could be used, e.g. {example}; copy or unpack its pictures again")
    excluded = [*listing.excluded, *((clip.clip_id, clip.reason) for clip in unusable)]
    write_reasons(out / EXCLUDED_CSV, excluded)
    return {**count_clips(index, corpus.emotions), "set_aside": len(excluded)}


def count_clips(index: ShardIndex, emotions: Sequence[str]) -> dict[str, Any]:
    """Clips, frames and clips of each emotion of a label set in a set of shards."""
    counted = Counter(clip.emotion for clip in index.clips.values())
    return {
        "clips": len(index.clips),
        "frames": sum(clip.n_frames for clip in index.clips.values()),
        "emotions": {emotion: counted[emotion] for emotion in emotions},
    }


def _picture(path: Path) -> NDArray[np.uint8]:
    try:
        return read_picture(path)
    except FileNotFoundError as error:  # not a defect of the clip
        raise CorpusError(
            f"{one_line(str(path))} was there when it was listed and is gone; is the disk still mounted? Run the same "
            "command again"
        ) from error


def _record(clip: ListedClip, corpus: str) -> ClipRecord:
    return ClipRecord(
        corpus=corpus,
        clip_id=clip.clip_id,
        emotion=clip.emotion,
        split="fold",
        n_frames=len(clip.frames),
        source_sha256=clip.sha256,
        frames=tuple(FrameRecord(index=i, has_face=True) for i in range(len(clip.frames))),
        scene=clip.scene,
    )
