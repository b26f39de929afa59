"""Presentation times of a video's frames, from the file's own timestamps.

The video is decoded once more for this, because a container's packets need not all become frames, and pictures
(`nrdfer.video.decode`) carry no time. Choosing frames does not belong here.
"""

from __future__ import annotations

import bisect
import itertools
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nrdfer.core.errors import UnreadableVideoError
from nrdfer.video.ffmpeg import ffmpeg_executable, ffmpeg_for, passthrough_option
from nrdfer.video.formats import video_format
from nrdfer.video.inputs import executable_for, global_options, input_options, start
from nrdfer.video.messages import FRAME_LINES, MESSAGES, Complaints, Listener
from nrdfer.video.probe import probe

_DEFAULT_RATE = 25.0  # where neither timestamps nor a rate are stated: raw streams
MAX_BAD = 0.1  # share of frames whose stamps may be missing, equal or out of order


@dataclass(frozen=True)
class FrameTimes:
    """T frames, in seconds from the file's beginning (where its sound begins too)."""

    starts: tuple[float, ...]  # T, strictly rising
    end: float  # when the last frame leaves
    fps: float  # frames a second, in the mean
    even: bool  # all frames stay equally long, as far as the file's ticks can say it
    note: str = ""

    @property
    def duration(self) -> float:
        """Seconds from the first frame's appearance to the last one's end."""
        return self.end - self.starts[0]


def frame_times(path: Path, n_frames: int, heard: Complaints | None = None) -> FrameTimes:
    """The times of a video that decodes to `n_frames` frames.

    Single stamps that are missing, equal to the one before or out of order are set between their neighbours. A file
    whose frames state no usable times (raw streams; many that do not rise) is treated as running at its stated rate.

    Args:
        path: the video.
        n_frames: that it decodes to.
        heard: ffmpeg's messages while it was decoded, if they were kept; otherwise it is decoded once more.

    Raises:
        UnreadableVideoError: the video cannot be read any more, or has another number of frames by now.
        ValueError: `n_frames` is not positive.
    """
    if n_frames < 1:
        raise ValueError(f"a video of {n_frames} frames has no times")
    heard = _listen(path) if heard is None else heard
    stamps = heard.stamps
    if len(stamps) != n_frames:
        raise UnreadableVideoError(
            f"{path}: {n_frames} frames when it was decoded, {len(stamps)} when their times were read "
            f"({heard.last or 'without a complaint'}); do not write to it"
        )
    tick = heard.base[0] / heard.base[1] if heard.base is not None and heard.base[1] else 0.0
    kept = rising(stamps) if tick else []
    bad = n_frames - len(kept)
    if not kept or bad > max(1, MAX_BAD * n_frames) or (len(kept) == 1 and n_frames > 1):
        return _at_a_rate(path, n_frames)
    times = filled([None if stamp is None else stamp * tick for stamp in stamps], kept)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    length = statistics.median(gaps) if gaps else 1 / (probe(path).fps or _DEFAULT_RATE)
    even = all(abs(gap - length) <= 1.5 * tick for gap in gaps)
    end = times[-1] + length
    note = f"the times of {bad} of {n_frames} frames do not rise; they are set between their neighbours" if bad else ""
    return FrameTimes(tuple(times), end, n_frames / (end - times[0]), even, note)


def _at_a_rate(path: Path, n_frames: int) -> FrameTimes:
    info = probe(path)
    fps = info.fps
    if not fps:
        fps = n_frames / info.duration_s if info.duration_s else _DEFAULT_RATE
    note = f"the frames state no usable times; {fps:g} frames a second are assumed"
    return FrameTimes(tuple(i / fps for i in range(n_frames)), n_frames / fps, fps, even=True, note=note)


def _listen(path: Path) -> Complaints:
    """Decode a video for ffmpeg's messages about its frames."""
    demuxer = video_format(path)
    executable = executable_for(path, demuxer, ffmpeg_executable())
    executable = ffmpeg_for("codecs", [probe(path).codec], executable) or executable
    command = [
        *(executable, "-v", MESSAGES, *global_options(), *input_options(path, demuxer)),
        *("-map", "0:V:0", "-vf", FRAME_LINES),
        *(f"-{passthrough_option(executable)}", "passthrough", "-f", "null", "-"),
    ]
    # frames are counted before any are dropped or repeated
    process = start(command, stdout=subprocess.DEVNULL)
    if process.stderr is None:  # cannot be: it is a pipe
        raise UnreadableVideoError(f"{path}: no pipe to ffmpeg")
    with process:
        return Listener(process.stderr).complaints()  # type: ignore[arg-type]


def rising(stamps: Sequence[int | None]) -> list[int]:
    """Positions of a longest strictly increasing subsequence of the time stamps."""
    tails: list[int] = []  # the last stamp of the best choice of each length
    places: list[int] = []
    before: list[int] = [-1] * len(stamps)
    for place, stamp in enumerate(stamps):
        if stamp is None:
            continue
        length = bisect.bisect_left(tails, stamp)
        if length == len(tails):
            tails.append(stamp)
            places.append(place)
        elif stamp < tails[length]:  # of equal ones the first stays
            tails[length], places[length] = stamp, place
        before[place] = places[length - 1] if length else -1
    chosen = []
    place = places[-1] if places else -1
    while place >= 0:
        chosen.append(place)
        place = before[place]
    return chosen[::-1]


def filled(times: Sequence[float | None], kept: Sequence[int]) -> list[float]:
    """Strictly increasing times: those at the positions `kept`, the others evenly spaced between, before and after."""
    known = {place: float(time) for place in kept if (time := times[place]) is not None}
    gaps = [(known[b] - known[a]) / (b - a) for a, b in itertools.pairwise(kept)]
    usual = statistics.median(gaps) if gaps else 1 / _DEFAULT_RATE
    if kept[0] > 0:  # never before the file's beginning: the first frames share what there is
        first = known[kept[0]] - usual * kept[0]
        if first < 0 and known[kept[0]] <= 0:
            first = known.pop(kept[0])
        known[0] = max(first, 0.0) if kept[0] in known else first
    if kept[-1] < len(times) - 1:
        known[len(times) - 1] = known[kept[-1]] + usual * (len(times) - 1 - kept[-1])
    anchors = sorted(known)
    found = [known[anchors[0]]]
    for a, b in itertools.pairwise(anchors):
        found += [known[a] + (known[b] - known[a]) * step / (b - a) for step in range(1, b - a)]
        found.append(known[b])
    return found
