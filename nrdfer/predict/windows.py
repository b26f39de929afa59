"""Windows over a video: which frames each holds, such that together they cover it to its end.

Times are seconds from the file's beginning, as a player counts them. A frame is on screen from its own time until the
next one's; a window holds every frame that is on screen for some of its time. What is answered for a window belongs to
`predictor`.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

#: DFEW's clips have 901,703 frames in 11,697 clips, 77 in the mean: three seconds of 25 frames.
WINDOW_S = 3.0
STRIDE_S = 1.0
#: Least share of a window's frames that show the target, or it gets no answer.
LEAST_FACE = 0.25
#: Least share of a video's frames that show a person, or the whole gets no answer; AFEW's clips need as much.
LEAST_SHARE = 0.03
_EXACT = 1e-6  # seconds: times are sums of fractions


@dataclass(frozen=True)
class WindowSettings:
    """Division of a video into windows.

    Raises:
        ValueError: a length or a share that is not valid.
    """

    window: float = WINDOW_S  # seconds
    stride: float = STRIDE_S  # seconds from one window's start to the next one's
    least_face: float = LEAST_FACE
    least_share: float = LEAST_SHARE  # of all frames, for an answer of the whole video

    def __post_init__(self) -> None:
        for name in ("window", "stride"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be a positive number of seconds, not {value}")
        if self.stride > self.window:
            raise ValueError(f"stride {self.stride:g} s is longer than window {self.window:g} s: it would leave gaps")
        for name in ("least_face", "least_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share from 0 to 1, not {getattr(self, name)}")


@dataclass(frozen=True)
class Window:
    """A stretch of the video; `first` to `last` are its frames, both included."""

    start: float  # seconds
    end: float
    first: int
    last: int

    @property
    def frames(self) -> range:
        """Its frames."""
        return range(self.first, self.last + 1)

    @property
    def centre(self) -> float:
        """Seconds."""
        return (self.start + self.end) / 2


def plan_windows(times: Sequence[float], end: float, settings: WindowSettings) -> list[Window]:
    """Windows from the first frame's time to `end`; the last one ends there and is as long as the others.

    Args:
        times: when each frame appears, seconds, rising.
        end: when the last frame leaves.
        settings: see `WindowSettings`. A video no longer than a window is one window.

    Raises:
        ValueError: no frame, times that do not rise, or an end before the last of them.
    """
    if not times or any(b < a for a, b in itertools.pairwise(times)) or end < times[-1]:
        raise ValueError(f"{len(times)} times of frames up to {end} s do not describe a video")
    begin, length = times[0], min(settings.window, end - times[0])
    last_start = end - length
    count = math.ceil((last_start - begin) / settings.stride - _EXACT)
    if count <= 0:
        return [_window(times, begin, end)]
    starts = [begin + i * settings.stride for i in range(count)]
    return [*(_window(times, start, start + length) for start in starts), _window(times, last_start, end)]


def nearest_windows(windows: Sequence[Window], times: Sequence[float]) -> list[int]:
    """Index of the window for each moment: the one whose centre is nearest, the earlier of two."""
    centres = [window.centre for window in windows]
    found = []
    for time in times:
        right = bisect_left(centres, time)
        near = [i for i in (right - 1, right) if 0 <= i < len(centres)]
        found.append(min(near, key=lambda i: (abs(centres[i] - time), i)))
    return found


def _window(times: Sequence[float], start: float, end: float) -> Window:
    first = max(0, bisect_right(times, start + _EXACT) - 1)
    last = max(first, bisect_left(times, end - _EXACT) - 1)
    return Window(start, end, first, last)
