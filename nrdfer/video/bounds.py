"""How much of a video may be decoded at all, where videos come from strangers: headers lie, and frames pack small.

One video at a time and process is decoded within bounds. What the bounds are belongs to whoever sets them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nrdfer.core.errors import UnreadableVideoError


@dataclass(frozen=True)
class Bounds:
    """The most of everything in one video."""

    frames: int
    pixels: int  # of a picture
    duration: float  # seconds, as far as its header states any


class OutOfBoundsError(UnreadableVideoError):
    """A video is larger than the bounds allow."""


@dataclass
class Watch:
    """What came of decoding within bounds."""

    bounds: Bounds
    refused: str = ""  # why a video was not decoded to its end


_one = threading.Lock()
_now: list[Watch] = []


@contextlib.contextmanager
def bounded(bounds: Bounds) -> Iterator[None]:
    """Within, no video of this process is decoded beyond `bounds`; another call waits until this one has ended.

    Raises:
        OutOfBoundsError: at the end, if a video lies beyond them, whatever was made of its beginning.
    """
    with _one:
        watch = Watch(bounds)
        _now.append(watch)
        try:
            yield
        finally:
            _now.clear()
    if watch.refused:
        raise OutOfBoundsError(watch.refused)


def check_frame(path: Path, number: int, width: int, height: int) -> None:
    """Refuse a frame beyond the bounds, before memory is taken for it.

    Args:
        path: of the video, for the message.
        number: of the frame, from 1.
        width: of the picture.
        height: of the picture.

    Raises:
        OutOfBoundsError: there are bounds, and it lies beyond them.
    """
    for watch in _now:
        try:
            if number > watch.bounds.frames:
                raise OutOfBoundsError(
                    f"{path}: more than {watch.bounds.frames:,} frames, the most that are taken here"
                )
            check_picture(path, width, height, watch.bounds)
        except OutOfBoundsError as error:
            watch.refused = str(error)
            raise


def check_picture(path: Path, width: int, height: int, bounds: Bounds) -> None:
    """Refuse too large a picture.

    Raises:
        OutOfBoundsError: it is.
    """
    if width * height > bounds.pixels:
        raise OutOfBoundsError(
            f"{path}: pictures of {width} x {height} pixels, more than the {bounds.pixels:,} pixels that are taken here"
        )


def check_header(path: Path, bounds: Bounds) -> None:
    """Refuse a video by what its header says, before anything is decoded.

    Raises:
        OutOfBoundsError: it says more than the bounds allow.
        UnreadableVideoError: it is no video.
    """
    from nrdfer.video.probe import probe

    info = probe(path)
    check_picture(path, info.width, info.height, bounds)
    seconds = info.duration_s or 0.0
    if seconds > bounds.duration:
        raise OutOfBoundsError(f"{path}: {seconds:,.0f} seconds, more than the {bounds.duration:,.0f} taken here")
    if seconds * info.fps > bounds.frames and info.fps < 1000:  # a thousand stands for "unknown"
        raise OutOfBoundsError(
            f"{path}: about {seconds * info.fps:,.0f} frames, more than the {bounds.frames:,} that are taken here"
        )
