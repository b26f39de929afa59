"""When each frame of a video is shown: the file's own timestamps, frame by frame.

The video is decoded once more for this, because a container's packets need not all become frames, and pictures
(`nrdfer.video.decode`) carry no time. Choosing frames does not belong here.
"""

from __future__ import annotations

import itertools
import re
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path

from nrdfer.errors import UnreadableVideoError
from nrdfer.video.ffmpeg import ffmpeg_executable, last_lines, passthrough_option, refuse_what_is_no_video
from nrdfer.video.probe import probe

_BASE = re.compile(rb"config in time_base: (\d+)/(\d+)")
_FRAME = re.compile(rb"\bn: *\d+ pts: *(-?\d+|NOPTS) ")
_DEFAULT_RATE = 25.0  # where neither timestamps nor a rate are stated: raw streams


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


def frame_times(path: Path, n_frames: int) -> FrameTimes:
    """The times of a video that decodes to `n_frames` frames.

    A file whose frames state no usable times (raw streams; times that do not rise) is said to run at its stated rate.

    Raises:
        UnreadableVideoError: the video cannot be read any more, or has another number of frames by now.
        ValueError: `n_frames` is not positive.
    """
    if n_frames < 1:
        raise ValueError(f"a video of {n_frames} frames has no times")
    refuse_what_is_no_video(path)
    executable = ffmpeg_executable()
    command = [
        *(executable, "-hide_banner", "-nostdin", "-nostats", "-v", "info", "-threads", "1"),
        *("-protocol_whitelist", "file", "-i", f"file:{path}", "-map", "0:V:0", "-vf", "showinfo=checksum=0"),
        *(f"-{passthrough_option(executable)}", "passthrough", "-f", "null", "-"),
    ]
    # showinfo counts frames before any are dropped or repeated
    answer = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - no shell, fixed options
    stamps = _FRAME.findall(answer.stderr)
    if len(stamps) != n_frames:
        raise UnreadableVideoError(
            f"{path}: {n_frames} frames when it was decoded, {len(stamps)} when their times were read "
            f"({last_lines(answer.stderr, 1)}); do not write to it"
        )
    base = _BASE.search(answer.stderr)
    times = None
    if base is not None and b"NOPTS" not in stamps:
        times = [int(stamp) * int(base[1]) / int(base[2]) for stamp in stamps]
    if times is None or any(b <= a for a, b in itertools.pairwise(times)):
        fps = probe(path).fps or _DEFAULT_RATE
        note = f"the frames state no usable times; {fps:g} frames a second are assumed"
        return FrameTimes(tuple(i / fps for i in range(n_frames)), n_frames / fps, fps, even=True, note=note)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    length = statistics.median(gaps) if gaps else 1 / (probe(path).fps or _DEFAULT_RATE)
    tick = int(base[1]) / int(base[2]) if base is not None else 0.0
    even = all(abs(gap - length) <= 1.5 * tick for gap in gaps)
    end = times[-1] + length
    return FrameTimes(tuple(times), end, n_frames / (end - times[0]), even)
