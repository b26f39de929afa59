"""Limits of a served model: sizes, times, and the folders whose videos it opens."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nrdfer.core.errors import NrdferError, UnreadableVideoError

MIB = 1 << 20


class RequestError(NrdferError):
    """A rejected request, whose sender can correct it.

    Attributes:
        status: of HTTP, 4xx.
    """

    def __init__(self, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """Upper bounds of requests. A request beyond one of them is refused with a message, before or during processing.

    Attributes:
        request_bytes: of a request's body.
        values: JSON values in a request: numbers, texts, lists. A clip of 16 crops of 112 pixels has 602,112.
        side: pixels of a crop's side.
        videos: in a request.
        video_bytes: of a video's file, sent or opened by its path.
        frames: of a video.
        pixels: of a video's picture.
        duration: seconds of a video.
        seconds: for a request, from its first byte to its answer.
        at_once: requests that are held at the same time; more are sent away.
    """

    request_bytes: int = 64 * MIB
    values: int = 20_000_000
    side: int = 512
    videos: int = 16
    video_bytes: int = 512 * MIB
    frames: int = 20_000
    pixels: int = 4096 * 2304
    duration: float = 600.0
    seconds: float = 600.0
    at_once: int = 16


def allowed_file(path: str, folders: Sequence[str]) -> Path:
    """The resolved path of a video that may be opened: inside one of `folders`, links and ``..`` followed first.

    Errors do not reveal whether a file outside of them exists.

    Raises:
        RequestError: it is elsewhere, or no folder was named.
        UnreadableVideoError: it is not a plain file.
    """
    if not folders:
        raise RequestError(
            "this server opens no files by their path: send the file's bytes (video: base64), or let its operator "
            "name a folder (nrdfer serve --videos FOLDER)",
            403,
        )
    try:
        place = Path(os.path.realpath(path))
        roots = [Path(os.path.realpath(folder)) for folder in folders]
        inside = any(place.is_relative_to(root) for root in roots)
    except (OSError, ValueError) as error:  # a zero byte, a name that is too long, bytes that no file system has
        raise UnreadableVideoError(f"{ascii(path)[:200]} is not the name of a file that can be opened here") from error
    if not inside:
        raise RequestError(f"{ascii(path)[:200]} is outside the folders from which this server opens videos", 403)
    try:
        plain = place.is_file()
    except (OSError, ValueError) as error:
        raise UnreadableVideoError(f"{ascii(path)[:200]} cannot be opened") from error
    if place.exists() and not plain:
        raise UnreadableVideoError(f"{ascii(path)[:200]} is not a plain file, so it cannot be opened")
    return place
