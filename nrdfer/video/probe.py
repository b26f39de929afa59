"""What a video says about itself: size, rotation, frame rate, codec, duration.

ffmpeg's own listing of the file is parsed, because the static ffmpeg has no ffprobe beside it. How many
frames there are does not belong here: headers are often wrong about that, only decoding tells
(`nrdfer.video.decode`).
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from nrdfer.errors import UnreadableVideoError
from nrdfer.video.ffmpeg import ffmpeg_executable, last_lines, refuse_what_is_no_video

_STREAM = re.compile(r"^\s*Stream #\d+:\d+")
_VIDEO = re.compile(r"^\s*Stream #\d+:\d+.*?: Video: (?P<codec>[^\s,(]+)(?P<rest>.*)$")
_SIZE = re.compile(r"(?<![\w.])(\d{1,5})x(\d{1,5})(?![\w.])")
_SAR = re.compile(r"SAR (\d+):(\d+)")
_RATE = re.compile(r"([\d.]+)(k?) (fps|tbr)")
_DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_ROTATION = re.compile(r"rotation of (-?[\d.]+) degrees")


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Facts of one video stream, as its frames are shown (and as `iter_frames` yields them)."""

    width: int  # pixels after rotation and after widening non-square pixels
    height: int  # pixels after rotation
    rotation: int  # clockwise turn in degrees (0, 90, 180 or 270) that sets the coded picture upright
    fps: float  # mean frames a second; 0 if the file does not say
    codec: str
    duration_s: float | None


def probe(path: Path) -> VideoInfo:
    """Read a video's facts without decoding it.

    Raises:
        UnreadableVideoError: the file is missing, empty, no video, or holds no picture stream.
    """
    refuse_what_is_no_video(path)
    command = [
        ffmpeg_executable(),
        "-hide_banner",
        "-nostdin",
        "-protocol_whitelist",
        "file",
        "-i",
        f"file:{path}",
    ]
    # ffmpeg always fails here ("at least one output file must be specified"); the listing is what counts
    answer = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - no shell, fixed options
    info = parse_listing(answer.stderr.decode(errors="replace"))
    if info is None:
        raise UnreadableVideoError(
            f"{path}: ffmpeg finds no video stream in it ({last_lines(answer.stderr, 2)}); check that it is a video"
        )
    return info


def parse_listing(listing: str) -> VideoInfo | None:
    """The first video stream (cover pictures aside) in what `ffmpeg -i` prints, or None."""
    lines = listing.splitlines()
    for number, line in enumerate(lines):
        found = _VIDEO.match(line)
        if found is None or "(attached pic)" in line:
            continue
        size = _SIZE.search(found["rest"])
        if size is None:
            continue
        width, height = int(size[1]), int(size[2])
        rotation = _rotation(lines[number + 1 :])
        sar = _SAR.search(found["rest"])
        wide = int(sar[1]) / int(sar[2]) if sar and int(sar[1]) and int(sar[2]) else 1.0
        if rotation % 180:
            width, height, wide = height, width, 1 / wide
        rates = {kind: float(value) * (1000 if kilo else 1) for value, kilo, kind in _RATE.findall(found["rest"])}
        return VideoInfo(
            width=round(width * wide),
            height=height,
            rotation=rotation,
            fps=rates.get("fps", rates.get("tbr", 0.0)),
            codec=found["codec"],
            duration_s=_duration(listing),
        )
    return None


def _rotation(following: list[str]) -> int:
    for line in following:
        if _STREAM.match(line):
            break
        found = _ROTATION.search(line)
        if found:
            # ffmpeg prints the counter-clockwise turn; phones write multiples of 90
            return round(-float(found[1]) / 90) * 90 % 360
    return 0


def _duration(listing: str) -> float | None:
    found = _DURATION.search(listing)
    return None if found is None else int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])
