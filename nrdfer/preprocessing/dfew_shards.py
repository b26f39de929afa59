"""What a worker process does for DFEW's shards: the pictures of one group of clips, resized once, as one shard.

Everything that a group's bytes depend on is in its `GroupJob`. Which groups there are is `shards`'s business.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from nrdfer.core.errors import CorpusError, UnreadablePictureError
from nrdfer.core.plain_text import one_line
from nrdfer.core.records import ClipRecord, FrameRecord
from nrdfer.corpora.picture_file import read_picture
from nrdfer.preprocessing.dfew_listing import ListedClip, read_group
from nrdfer.shards.groups import EncodedClip, SetAside, write_group
from nrdfer.shards.jpeg import encode_jpeg
from nrdfer.shards.writer import clip_members


@dataclass(frozen=True, slots=True)
class GroupJob:
    """One group of clips to write."""

    listing: Path
    offset: int  # of its first line in the listing
    count: int  # clips
    work: Path  # folder that receives it
    name: str  # of the shard
    image_size: int
    jpeg_quality: int


def shard_pictures(job: GroupJob) -> None:
    """Write one group of DFEW's clips.

    Raises:
        CorpusError: a picture is gone since it was listed.
    """
    write_group(_clips(job), job.work, job.name)


def _clips(job: GroupJob) -> Iterator[EncodedClip | SetAside]:
    for clip in read_group(job.listing, job.offset, job.count):
        jpegs: list[bytes] = []
        for name, _ in clip.frames:
            try:
                picture = _picture(Path(clip.folder, name))
            except UnreadablePictureError as error:
                yield SetAside(clip.clip_id, str(error))
                break
            jpegs.append(_resized(picture, job.image_size, job.jpeg_quality))
        else:
            record = _record(clip)
            yield record, clip_members(record, jpegs)


def _picture(path: Path) -> NDArray[np.uint8]:
    try:
        return read_picture(path)
    except FileNotFoundError as error:  # no fault of the clip's
        raise CorpusError(
            f"{one_line(str(path))} was there when DFEW was listed and is gone; is the disk still mounted? Run the "
            "same line again"
        ) from error


def _resized(picture: NDArray[np.uint8], size: int, quality: int) -> bytes:
    """A picture at the shards' size as JPEG."""
    resized = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    return encode_jpeg(np.asarray(cv2.cvtColor(resized, cv2.COLOR_BGR2RGB), np.uint8), quality)


def _record(clip: ListedClip) -> ClipRecord:
    return ClipRecord(
        corpus="dfew",
        clip_id=clip.clip_id,
        emotion=clip.emotion,
        split="fold",
        n_frames=len(clip.frames),
        source_sha256=clip.sha256,
        frames=tuple(FrameRecord(index=i, has_face=True) for i in range(len(clip.frames))),
    )
