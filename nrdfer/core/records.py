"""The data contract: what is known of one clip and of each of its frames.

These records travel with the pixels from alignment to evaluation (inside shards as ``<clip_id>.json``). They hold
facts only; ground truth of planted noise never enters them, so training cannot read it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_CLIP_ID = re.compile(r"[A-Za-z0-9_\-]+")
LONGEST_CLIP_ID = 255  # a shard takes fewer, see `nrdfer.shards.writer`


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """One frame of a clip; pixel coordinates are those of the source frame, (x, y) from its top left corner."""

    index: int
    has_face: bool
    score: float | None = None
    box: tuple[float, float, float, float] | None = None  # x1, y1, x2, y2
    points: tuple[tuple[float, float], ...] | None = None  # image-left eye, right eye, nose, left, right mouth corner
    residual: float | None = None  # mean distance of the five points from the template, template pixels


@dataclass(frozen=True, slots=True)
class ClipRecord:
    """One clip: identity, emotion by name, provenance, and one `FrameRecord` for each frame in order."""

    corpus: str
    clip_id: str
    emotion: str | None
    split: str
    n_frames: int
    source_sha256: str
    enhanced: str = "none"  # "none", or the name of the enhancement applied to every frame
    frames: tuple[FrameRecord, ...] = ()
    person: str = ""  # who is filmed, where the corpus says so
    scene: str = ""  # the kind of scene, likewise

    def __post_init__(self) -> None:
        check_clip_id(self.clip_id)
        if self.frames and len(self.frames) != self.n_frames:
            raise ValueError(f"clip {self.clip_id}: n_frames={self.n_frames} but {len(self.frames)} frame records")

    def to_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON; the inverse of `from_dict`. An unknown person or scene is left out."""
        values = dataclasses.asdict(self)
        for name in ("person", "scene"):
            if not values[name]:
                del values[name]
        return values

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ClipRecord:
        """Rebuild a record from parsed JSON."""
        frames = tuple(
            FrameRecord(
                index=f["index"],
                has_face=f["has_face"],
                score=f["score"],
                box=None if f["box"] is None else tuple(f["box"]),
                points=None if f["points"] is None else tuple((float(x), float(y)) for x, y in f["points"]),
                residual=f["residual"],
            )
            for f in data["frames"]
        )
        return cls(**{**data, "frames": frames})


def check_clip_id(clip_id: str) -> str:
    """`clip_id`, if it is valid: it names files and the keys of shards.

    Raises:
        ValueError: it has other characters, or more than a file's name can have.
    """
    if len(clip_id) > LONGEST_CLIP_ID or not _CLIP_ID.fullmatch(clip_id):
        raise ValueError(
            f"clip id {clip_id[:80]!r} has characters outside A-Z a-z 0-9 _ - (a dot would split shard keys), or more "
            f"than {LONGEST_CLIP_ID}"
        )
    return clip_id
