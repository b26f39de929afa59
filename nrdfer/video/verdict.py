"""Was a video decoded whole? What ffmpeg's complaints and the container's own numbers say about that.

ffmpeg ends with status 0 however much of a file it had to leave out. Here a file that is cut, or of which more than
`MAX_LOST` cannot be decoded, is refused in words; smaller losses become notes. Running ffmpeg belongs to `decode`.
"""

from __future__ import annotations

import re
import shlex
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nrdfer.errors import UnreadableVideoError
from nrdfer.video.containers import stated_bytes, stated_frames
from nrdfer.video.ffmpeg import last_lines

#: What ffmpeg is asked to say (its -v): all, because a change of size is no error to it; with the level in each line.
MESSAGES = "repeat+level+verbose"
MAX_LOST = 0.1  # share of a video's frames that may be damaged beyond decoding

_CUT_SHORT = (b"partial file", b"File ended prematurely")
_NO_INDEX = b"moov atom not found"
_NO_PICTURES = b"matches no streams"
#: The reader lost its way inside the file; how much it left out is not known.
_LOST_TRACK = (b"exceeds containing master element", b"exceeds max length", b"Error during demuxing")
#: One packet, one frame, that is not among the decoded; the second is what ffmpeg said before 6.1.
_SIZE = re.compile(rb"input from stream \S+ @ \S+ (?:\[\w+\] )?w:(\d+) h:(\d+) ")
_ADDRESS = re.compile(rb" @ 0x[0-9a-f]+")  # another one in each run
_LOST_FRAME = (b"Error submitting packet to decoder", b"Error while decoding stream", b"Decoding error")


@dataclass(frozen=True, slots=True)
class Complaints:
    """ffmpeg's messages, boiled down; they may be many times as long as the video."""

    cut_short: bool
    no_index: bool
    no_pictures: bool
    lost_track: bool
    lost_frames: int
    sizes: tuple[str, ...]  # of the coded pictures, each once
    last: str


def read_complaints(stderr: IO[bytes]) -> Complaints:
    """Boil down ffmpeg's messages, line by line."""
    seen = dict.fromkeys(("cut_short", "no_index", "no_pictures", "lost_track"), False)
    lost = 0
    last: deque[bytes] = deque(maxlen=3)
    sizes: dict[str, None] = {}
    for line in stderr:
        size = _SIZE.search(line)
        if size is not None:
            sizes[f"{int(size[1])} x {int(size[2])}"] = None
        if not any(level in line for level in (b"[error]", b"[fatal]", b"[panic]")):
            continue
        seen["cut_short"] |= any(mark in line for mark in _CUT_SHORT)
        seen["no_index"] |= _NO_INDEX in line
        seen["no_pictures"] |= _NO_PICTURES in line
        seen["lost_track"] |= any(mark in line for mark in _LOST_TRACK)
        lost += any(mark in line for mark in _LOST_FRAME)
        last.append(_ADDRESS.sub(b"", line).replace(b"[error] ", b"").replace(b"[fatal] ", b""))
    return Complaints(**seen, lost_frames=lost, sizes=tuple(sizes), last=last_lines(b"".join(last)))


def refuse_cut(path: Path) -> None:
    """Refuse a file that has fewer bytes than its container states: ffmpeg plays it to its end without a word.

    Raises:
        UnreadableVideoError: the file is cut short.
    """
    try:
        stated, size = stated_bytes(path), path.stat().st_size
    except OSError as error:
        raise UnreadableVideoError(f"{path}: cannot be read ({error.strerror}); is its disk whole?") from error
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
    if complaints.cut_short:
        raise UnreadableVideoError(
            f"{path}: the file is cut short ({count} frames were decoded before its end); copy it again from its source"
        )
    if code < 0:
        raise UnreadableVideoError(
            f"{path}: ffmpeg was killed by signal {-code} after {count} frames (out of memory, or a fault of its own): "
            "convert the video elsewhere, or install another ffmpeg"
        )
    if code != 0:
        raise UnreadableVideoError(
            f"{path}: ffmpeg stopped with exit status {code} after {count} frames: {complaints.last}"
        )
    advice = f"copy it again, or accept the loss and convert it (ffmpeg -i {shlex.quote(str(path))} ...)"
    if complaints.lost_track:
        raise UnreadableVideoError(
            f"{path}: the file is damaged: what follows {count} frames could not be read ({complaints.last}); {advice}"
        )
    if count == 0:
        raise UnreadableVideoError(f"{path}: not one frame could be decoded: {complaints.last or 'there is none'}")
    if len(complaints.sizes) > 1:
        raise UnreadableVideoError(
            f"{path}: the picture's size changes within the video ({', then '.join(complaints.sizes)} pixels), which "
            "would squeeze faces; split it there, or convert it to one size"
        )
    missing = (stated_frames(path) or 0) - count
    if not complaints.lost_frames:
        # no damage: editing lists and what recorders write into headers; the frames are those that players show
        return f"the file's header states {missing + count} frames, {count} decode" if missing > 0 else ""
    lost = max(complaints.lost_frames, missing)  # frames built on a lost one may be lost without a word
    told = f"{lost} of {lost + count} frames could not be decoded"
    if lost > MAX_LOST * (lost + count):
        raise UnreadableVideoError(f"{path}: the file is damaged: {told} ({complaints.last}); {advice}")
    return f"damaged: {told} and are left out"
