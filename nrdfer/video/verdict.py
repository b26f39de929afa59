"""Was a video decoded whole? What ffmpeg's complaints and the container's own numbers say about that.

ffmpeg ends with status 0 however much of a file it had to leave out. Here a file that is cut, or of which more than
`MAX_LOST` cannot be decoded, is refused in words; smaller losses become notes. Running ffmpeg belongs to `decode`.
"""

from __future__ import annotations

import shlex
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nrdfer.errors import UnreadableVideoError
from nrdfer.video.containers import stated_bytes, stated_frames
from nrdfer.video.ffmpeg import last_lines

MAX_LOST = 0.1  # share of a video's frames that may be damaged beyond decoding

_CUT_SHORT = (b"partial file", b"File ended prematurely")
_NO_INDEX = b"moov atom not found"
_NO_PICTURES = b"matches no streams"
#: The reader lost its way inside the file; how much it left out is not known.
_LOST_TRACK = (b"exceeds containing master element", b"exceeds max length", b"Error during demuxing")
#: One packet, one frame, that is not among the decoded; the second is what ffmpeg said before 6.1.
_LOST_FRAME = (b"Error submitting packet to decoder", b"Error while decoding stream", b"Decoding error")


@dataclass(frozen=True, slots=True)
class Complaints:
    """ffmpeg's messages, boiled down; they may be many times as long as the video."""

    cut_short: bool
    no_index: bool
    no_pictures: bool
    lost_track: bool
    lost_frames: int
    last: str


def read_complaints(stderr: IO[bytes]) -> Complaints:
    """Boil down ffmpeg's messages, line by line."""
    seen = dict.fromkeys(("cut_short", "no_index", "no_pictures", "lost_track"), False)
    lost = 0
    last: deque[bytes] = deque(maxlen=3)
    for line in stderr:
        seen["cut_short"] |= any(mark in line for mark in _CUT_SHORT)
        seen["no_index"] |= _NO_INDEX in line
        seen["no_pictures"] |= _NO_PICTURES in line
        seen["lost_track"] |= any(mark in line for mark in _LOST_TRACK)
        lost += any(mark in line for mark in _LOST_FRAME)
        last.append(line)
    return Complaints(**seen, lost_frames=lost, last=last_lines(b"".join(last)))


def refuse_cut(path: Path) -> None:
    """Refuse a file that has fewer bytes than its container states: ffmpeg plays it to its end without a word.

    Raises:
        UnreadableVideoError: the file is cut short.
    """
    stated, size = stated_bytes(path), path.stat().st_size
    if stated is not None and stated > size + 1:  # a pad byte may be missing
        raise UnreadableVideoError(
            f"{path}: the file is cut short ({size:,} of {stated:,} bytes); copy it again from its source"
        )


def judge(path: Path, code: int, count: int, complaints: Complaints) -> str:
    """Refuse what was not decoded whole; returns a note on what is missing, "" if nothing is.

    Args:
        path: the video.
        code: ffmpeg's exit status.
        count: frames that were decoded.
        complaints: what it said.

    Raises:
        UnreadableVideoError: says which defect, and what to do.
    """
    if complaints.no_index:
        raise UnreadableVideoError(
            f"{path}: the file has no index (moov atom): it is cut short, its recording was never finished, or it is "
            "no MP4 at all; copy it again from its source"
        )
    if complaints.no_pictures:
        raise UnreadableVideoError(f"{path}: there is no video stream in it, only sound or a cover picture")
    if code != 0:
        raise UnreadableVideoError(
            f"{path}: ffmpeg stopped with exit status {code} after {count} frames: {complaints.last}"
        )
    if complaints.cut_short:
        raise UnreadableVideoError(
            f"{path}: the file is cut short ({count} frames were decoded before its end); copy it again from its source"
        )
    advice = f"copy it again, or accept the loss and convert it (ffmpeg -i {shlex.quote(str(path))} ...)"
    if complaints.lost_track:
        raise UnreadableVideoError(
            f"{path}: the file is damaged: what follows {count} frames could not be read ({complaints.last}); {advice}"
        )
    if count == 0:
        raise UnreadableVideoError(f"{path}: not one frame could be decoded: {complaints.last or 'there is none'}")
    lost = complaints.lost_frames
    if lost > MAX_LOST * (lost + count):
        raise UnreadableVideoError(
            f"{path}: the file is damaged: {lost} of {lost + count} frames could not be decoded ({complaints.last}); "
            f"{advice}"
        )
    return _note(path, count, lost)


def _note(path: Path, count: int, lost: int) -> str:
    if lost:
        return f"damaged: {lost} of {lost + count} frames could not be decoded and are left out"
    stated = stated_frames(path)
    if stated is not None and stated > count:
        return f"the file's header states {stated} frames, {count} decode"
    return ""
