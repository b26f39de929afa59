"""Bounds on decoding, for videos of unknown origin: headers may be false, and frames compress well.

Each process decodes one video at a time within bounds. The bounds themselves are set by the callers.
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
    """Upper bounds for one video."""

    frames: int
    pixels: int  # of a picture
    duration: float  # seconds, as far as its header states any
    size: int = 1 << 30  # bytes of the file


class OutOfBoundsError(UnreadableVideoError):
    """A video is larger than the bounds allow."""


@dataclass
class Watch:
    """Outcome of decoding within bounds."""

    bounds: Bounds
    refused: str = ""  # why a video was not decoded to its end
    frame: int = 0  # the last that was decoded, from 1
    passes: int = 0  # times that decoding began at the first frame
    cancelled: bool = False  # set from another thread: decoding ends at the next frame


_one = threading.Lock()
_now: list[Watch] = []


@contextlib.contextmanager
def bounded(bounds: Bounds, watch: Watch | None = None) -> Iterator[None]:
    """Context in which this process decodes no video beyond `bounds`; a second call waits until the first has ended.

    Args:
        bounds: what is decoded at most.
        watch: to look at from another thread meanwhile.

    Raises:
        OutOfBoundsError: at the end, if a video exceeds them, even if its beginning was used.
    """
    with _one:
        watch = watch or Watch(bounds)
        _now.append(watch)
        try:
            yield
        finally:
            _now.clear()
    if watch.refused:
        raise OutOfBoundsError(watch.refused)


def check_frame(path: Path, number: int, width: int, height: int) -> None:
    """Refuse a frame beyond the bounds, before memory is allocated for it.

    Args:
        path: of the video, for the message.
        number: of the frame, from 1.
        width: of the picture.
        height: of the picture.

    Raises:
        OutOfBoundsError: there are bounds, and it exceeds them.
    """
    for watch in _now:
        watch.frame, watch.passes = number, watch.passes + (number == 1)
        try:
            if watch.cancelled:
                raise OutOfBoundsError(f"{path}: nobody waits for it any more")
            if number > watch.bounds.frames:
                raise OutOfBoundsError(f"{path}: more than {watch.bounds.frames:,} frames, the most allowed here")
            check_picture(path, width, height, watch.bounds)
        except OutOfBoundsError as error:
            watch.refused = str(error)
            raise


def check_picture(path: Path, width: int, height: int, bounds: Bounds) -> None:
    """Refuse a picture that is too large.

    Raises:
        OutOfBoundsError: it is.
    """
    if width * height > bounds.pixels:
        raise OutOfBoundsError(
            f"{path}: pictures of {width} x {height} pixels, more than the {bounds.pixels:,} pixels allowed here"
        )


def check_size(path: Path, bounds: Bounds) -> None:
    """Refuse a file that is too large; one that is missing is left to who opens it.

    Raises:
        OutOfBoundsError: it is.
    """
    with contextlib.suppress(OSError):
        size = path.stat().st_size
        if size > bounds.size:
            raise OutOfBoundsError(f"{path}: {size:,} bytes, more than the {bounds.size:,} allowed here")


def check_header(path: Path, bounds: Bounds) -> None:
    """Refuse a video by its file's size and its header, before anything is decoded.

    Raises:
        OutOfBoundsError: it says more than the bounds allow.
        UnreadableVideoError: it is no video.
    """
    from nrdfer.video.probe import probe

    check_size(path, bounds)
    info = probe(path)
    check_picture(path, info.width, info.height, bounds)
    seconds = info.duration_s or 0.0
    if seconds > bounds.duration:
        raise OutOfBoundsError(f"{path}: {seconds:,.0f} seconds, more than the {bounds.duration:,.0f} allowed")
    if seconds * info.fps > bounds.frames and info.fps < 1000:  # a thousand means "unknown"
        raise OutOfBoundsError(
            f"{path}: about {seconds * info.fps:,.0f} frames, more than the {bounds.frames:,} allowed here"
        )
