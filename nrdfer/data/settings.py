"""Settings of sampling, augmentation and reading.

What they do belongs to ``sampling`` and ``augment``, and to ``nrdfer.shards`` for reading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from nrdfer.core.stored_settings import later

METHODS = ("ti", "linear")  # of time interpolation
STRATEGIES = ("ds", *METHODS)
PICKS = ("consecutive", "random")
READERS = ("indexed", "stream")


@dataclass(frozen=True)
class AugmentSettings:
    """Ranges of the random changes.

    Raises:
        ValueError: a range that is empty or a share outside 0 to 1.
    """

    area: Annotated[tuple[float, float], "share of the picture that a crop keeps, from, to"] = (0.9, 1.0)
    ratio: Annotated[tuple[float, float], "width to height of the crop, from, to"] = (5 / 7, 7 / 5)
    flip: Annotated[float, "probability of a mirror image"] = 0.5
    rotation: Annotated[float, "degrees, either way"] = 4.0
    brightness: Annotated[float, "factor from 1 - b to 1 + b"] = 0.6
    contrast: Annotated[float, "factor from 1 - c to 1 + c around the clip's mean"] = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise ValueError(f"area must be a range inside 0 to 1, not {self.area}")
        if not 0 < self.ratio[0] <= self.ratio[1]:
            raise ValueError(f"ratio must be a range of positive numbers, not {self.ratio}")
        for name in ("flip", "brightness", "contrast"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in 0 to 1, not {getattr(self, name)}")
        if not 0 <= self.rotation < 180:
            raise ValueError(f"rotation must be in 0 to 180 degrees, not {self.rotation}")


@dataclass(frozen=True)
class Sampling:
    """Sampling of T = segments x duration frames from a clip of any length.

    Raises:
        ValueError: unknown strategy, or a count below 1.
    """

    strategy: Annotated[str, "ds; ti: time interpolation of Zhou et al.; linear: a blend of neighbours"] = "ds"
    segments: Annotated[int, "U, equal parts of a clip"] = 8
    duration: Annotated[int, "V, frames of each segment"] = 2
    pick: Annotated[str, "of a segment's frames in training: consecutive, or random"] = later("consecutive")

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise ValueError(f"strategy must be one of {', '.join(STRATEGIES)}, not {self.strategy!r}")
        if self.pick not in PICKS:
            raise ValueError(f"pick must be one of {', '.join(PICKS)}, not {self.pick!r}")
        for name in ("segments", "duration"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")

    @property
    def frames(self) -> int:
        """T."""
        return self.segments * self.duration


_SCHEMES = ("http", "https", "s3")


@dataclass(frozen=True)
class DataSettings:
    """How a training and its tests read shards; which clips they read is the split's.

    Raises:
        ValueError: a value that is not valid.
    """

    reader: Annotated[str, "indexed: any clip, in any order, from a folder; stream: shard by shard"] = "indexed"
    source: Annotated[str, "of a stream: folder, http(s):// or s3:// address; empty: the shards' own folder"] = ""
    streams: Annotated[int, "of a stream: shards read at the same time, from which clips are taken in turn"] = 4
    buffer: Annotated[int, "of a stream: clips among which the next is drawn, over all streams"] = 512
    ahead: Annotated[int, "of a stream: shards that each stream reads before they are needed"] = 1

    def __post_init__(self) -> None:
        if self.reader not in READERS:
            raise ValueError(f"reader must be one of {', '.join(READERS)}, not {self.reader!r}")
        for name, least in (("streams", 1), ("buffer", 1), ("ahead", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if self.source and self.reader != "stream":
            raise ValueError("source is where a stream is read from; set reader: stream, or leave source empty")
        _check_source(self.source)

    @property
    def streamed(self) -> bool:
        """Whether shards are read as streams."""
        return self.reader == "stream"

    def order(self) -> dict[str, Any]:
        """The settings on which the order of clips depends, and so the bytes of trained weights; none if indexed."""
        return {"reader": self.reader, "streams": self.streams, "buffer": self.buffer} if self.streamed else {}


def _check_source(source: str) -> None:
    """Refuse what is neither a folder nor a plain address; the message never repeats a password.

    WebDataset and fsspec know further schemes, some of which run commands or chain others.
    """
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.\-]+):", source)
    if scheme is None:
        return
    if scheme[1] not in _SCHEMES or not source.startswith(f"{scheme[1]}://") or "::" in source:
        raise ValueError(f"source must be a folder or an address of {', '.join(_SCHEMES)}, not of {scheme[1]!r}")
    parts = urlsplit(source)
    if not parts.netloc or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "source must be an address without user, password and question mark: scheme://place/folder; give keys in "
            "the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"
        )
