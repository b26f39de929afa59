"""Probe of a video: size, rotation, frame rate, codec, duration, and pixel format.

ffmpeg's own listing of the file is parsed, because the static ffmpeg has no ffprobe beside it. How many frames there
are does not belong here: headers are often wrong about that, only decoding shows it (`nrdfer.video.decode`).
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from nrdfer.core.errors import UnreadableVideoError
from nrdfer.video.ffmpeg import last_lines
from nrdfer.video.formats import video_format
from nrdfer.video.inputs import executable_for, global_options, input_options, start
from nrdfer.video.integrity import MAX_ASPECT, raise_if_killed
from nrdfer.video.messages import FRAME_LINES, SIGNALLED
from nrdfer.video.patience import LOOK, Patience
from nrdfer.video.refused import refused

PATIENCE = 60.0  # seconds of work on a listing
MOST_RATE = 480.0  # frames a second; a larger "rate" of a file that states none is the tick of its clock

_STREAM = re.compile(r"^\s*Stream #\d+:\d+")
_VIDEO = re.compile(r"^\s*Stream #\d+:\d+.*?: Video: (?P<codec>[^\s,(]+)(?P<rest>.*)$")
# not the 0x0002 of a codec's tag
_SIZE = re.compile(r"(?<![\w.])([1-9]\d{0,4})x([1-9]\d{0,4})(?![\w.])")
_SAR = re.compile(r"SAR (\d+):(\d+)")
_RATE = re.compile(r"([\d.]+)(k?) (fps|tbr)")
_DURATION = re.compile(r"^\s*Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)", re.MULTILINE)
_ROTATION = re.compile(r"rotation of (-?[\d.]+) degrees")
_CODING = re.compile(r", (\w+)\(((?:[^()]|\([^()]*\))*)\)")
_DOLBY = re.compile(r"DOVI configuration record: .*?profile: (\d+)")
_COMBED = re.compile(r"^\[Parsed_showinfo_0 @ [^\]]*\] n: .* i:[TB] ", re.MULTILINE)
_FIELDS = ("top first", "bottom first", "top coded first", "bottom coded first")


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Facts of one video stream, as its frames are shown (and as `iter_frames` yields them)."""

    width: int  # pixels after rotation and after widening non-square pixels
    height: int  # pixels after rotation
    rotation: int  # clockwise turn in degrees (0, 90, 180 or 270) that sets the coded picture upright
    fps: float  # mean frames a second; 0 if the file does not say
    codec: str
    duration_s: float | None
    coded: tuple[int, int] = (0, 0)  # width and height of the stored picture
    aspect: float = 1.0  # of its pixels, width to height, as stated
    matrix: str = ""  # of its colours; "" if not stated, as the two that follow
    primaries: str = ""
    transfer: str = ""
    full_range: bool = False
    interlaced: bool = False  # by its header or its first frame; others may differ
    dolby_vision: int | None = None  # profile
    sound: bool = False


def probe(path: Path) -> VideoInfo:
    """Read a video's facts without decoding more than a frame.

    Raises:
        UnreadableVideoError: the file is missing, empty, no video, or holds no picture stream.
    """
    listing = listing_of(path)
    info = parse_listing(listing)
    if info is None:
        raise UnreadableVideoError(
            f"{path}: ffmpeg finds no video stream in it ({last_lines(listing.encode(), 2)}); check that it is a video"
        )
    return info


def listing_of(path: Path) -> str:
    """Ffmpeg's listing of a video and its first frame; the last one is cached as long as the file is the same.

    Raises:
        UnreadableVideoError: the file is missing, empty, or no video.
    """
    demuxer = video_format(path)
    try:
        facts = path.stat()
    except OSError as error:
        raise refused(path, error, "cannot be opened ({})") from error
    mark = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
    return _listing(path, executable_for(path, demuxer), demuxer, mark)


@lru_cache(maxsize=64)
def _listing(path: Path, executable: str, demuxer: str, _mark: tuple[int, ...]) -> str:
    # headers do not always say that fields are interlaced, the first frame does; whether it decodes does not matter
    first = ("-map", "0:V:0", "-frames:v", "1", "-vf", FRAME_LINES, "-f", "null", "-")
    command = [executable, *global_options(), *input_options(path, demuxer), *first]
    process = start(command, stdout=subprocess.DEVNULL)
    patience = Patience(path, process, PATIENCE)
    try:
        while True:
            try:
                _, stderr = process.communicate(timeout=LOOK)
                break
            except subprocess.TimeoutExpired:
                patience.check("listed its content")
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    signalled = any(SIGNALLED.match(line) for line in stderr.splitlines())
    raise_if_killed(path, process.returncode, "while it probed the file", signalled=signalled)
    if process.returncode < 0:
        raise UnreadableVideoError(f"{path}: ffmpeg crashed with signal {-process.returncode} while it probed the file")
    return stderr.decode(errors="replace")


def parse_listing(listing: str) -> VideoInfo | None:
    """The first video stream (except cover pictures) in the output of `ffmpeg -i`, or None."""
    lines = listing.splitlines()
    for number, line in enumerate(lines):
        found = _VIDEO.match(line)
        if found is None or "(attached pic)" in line:
            continue
        size = _SIZE.search(found["rest"])
        if size is None:
            continue
        width, height = int(size[1]), int(size[2])
        following = _following(lines[number + 1 :])
        rotation = _rotation(following)
        sar = _SAR.search(found["rest"])
        aspect = int(sar[1]) / int(sar[2]) if sar and int(sar[1]) and int(sar[2]) else 1.0
        display_aspect = aspect if 1 / MAX_ASPECT <= aspect <= MAX_ASPECT else 1.0
        if rotation % 180:
            width, height, display_aspect = height, width, 1 / display_aspect
        rates = {kind: float(value) * (1000 if kilo else 1) for value, kilo, kind in _RATE.findall(found["rest"])}
        fps = rates.get("fps", rates.get("tbr", 0.0))
        info = VideoInfo(
            width=round(width * display_aspect),
            height=height,
            rotation=rotation,
            fps=fps if fps <= MOST_RATE or "fps" in rates else 0.0,
            codec=found["codec"],
            duration_s=_duration(listing),
            coded=(int(size[1]), int(size[2])),
            aspect=aspect,
            dolby_vision=_dolby_vision(following),
            sound=any(": Audio:" in other and _STREAM.match(other) for other in lines),
        )
        info = _with_coding(info, found["rest"])
        return replace(info, interlaced=True) if _COMBED.search(listing) else info
    return None


def _with_coding(info: VideoInfo, rest: str) -> VideoInfo:
    """Colours and fields, as in ``yuv420p10le(tv, bt2020nc/bt2020/smpte2084, top first)``."""
    found = _CODING.search(rest)
    words = [word.strip() for word in found[2].split(",")] if found else []
    colours = next((word for word in words if "/" in word or word.startswith(("bt", "smpte", "gbr", "ycgco"))), "")
    names = [name if name not in ("unknown", "reserved") else "" for name in colours.split("/")]
    matrix, primaries, transfer = names if len(names) == 3 else [names[0]] * 3
    return replace(
        info,
        matrix=matrix,
        primaries=primaries,
        transfer=transfer,
        full_range="pc" in words,
        interlaced=any(word.startswith(_FIELDS) for word in words),
    )


def _following(lines: list[str]) -> list[str]:
    """The following lines that describe the same stream."""
    end = next((number for number, line in enumerate(lines) if _STREAM.match(line)), len(lines))
    return lines[:end]


def _rotation(following: list[str]) -> int:
    for line in following:
        found = _ROTATION.search(line)
        if found:
            # ffmpeg prints the counter-clockwise turn; phones write multiples of 90
            return round(-float(found[1]) / 90) * 90 % 360
    return 0


def _dolby_vision(following: list[str]) -> int | None:
    return next((int(found[1]) for line in following if (found := _DOLBY.search(line))), None)


def _duration(listing: str) -> float | None:
    found = _DURATION.search(listing)
    return None if found is None else int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])
