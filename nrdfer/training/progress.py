"""Progress of a training run: position, speed, and the expected end.

Keep here: the figures, and how they read in one line. Keep out: where the line is shown (Dagster's log,
the command line's bar).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """A snapshot of a training's progress."""

    epoch: int  # from 1
    epochs: int
    step: int  # batches done over the whole training
    steps: int
    clips_per_second: float  # of late; 0 until two batches are done
    eta_seconds: float | None  # until the last batch, at that rate; None as long as there is no rate
    loss: float | None = None  # of the last batch that is known
    waiting_share: float | None = None  # share of the time spent waiting for data

    def line(self) -> str:
        """The whole progress in one line."""
        said = [f"epoch {self.epoch}/{self.epochs}", f"batch {self.step}/{self.steps}"]
        if self.clips_per_second > 0:
            said.append(self.rate())
        if self.loss is not None:
            said.append(f"loss {self.loss:.4f}")
        if self.waiting_share is not None:
            said.append(f"waiting for data {self.waiting_share:.0%}")
        if self.eta_seconds is not None:
            said.append(f"{in_words(self.eta_seconds)} left")
        return ", ".join(said)

    def rate(self) -> str:
        """Clips per second, short."""
        return f"{self.clips_per_second:.1f} clips/s"


Report = Callable[[Progress], None]


class Meter:
    """The recent rate of clips and the time left, from ticks.

    A rate over the whole training would hide that it has become slow; one of the last batch would jump. Tests after
    an epoch count as time, so the time left includes those of the kind the window has seen.

    Args:
        steps: batches of the whole training.
        window: seconds that count as recent.
        clock: monotonic seconds.
    """

    def __init__(self, steps: int, window: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._steps, self._window, self._clock = steps, window, clock
        self._ticks: deque[tuple[float, int, int]] = deque()  # time, step, clips

    def tick(self, step: int, clips: int) -> None:
        """Record the batches and clips done so far; the first tick marks where a training began or was continued."""
        now = self._clock()
        self._ticks.append((now, step, clips))
        # one tick from before the window stays, so that slow batches have a rate too
        while len(self._ticks) > 2 and self._ticks[1][0] <= now - self._window:
            self._ticks.popleft()

    @property
    def clips_per_second(self) -> float:
        """The recent rate; 0 as long as there is none."""
        seconds, _, clips = self._recent()
        return clips / seconds if seconds > 0 else 0.0

    @property
    def eta_seconds(self) -> float | None:
        """Seconds until the last batch at the recent rate; None as long as there is none."""
        seconds, steps, _ = self._recent()
        if seconds <= 0 or steps <= 0:
            return None
        return (self._steps - self._ticks[-1][1]) * seconds / steps

    def _recent(self) -> tuple[float, int, int]:
        if len(self._ticks) < 2:
            return 0.0, 0, 0
        first, last = self._ticks[0], self._ticks[-1]
        return last[0] - first[0], last[1] - first[1], last[2] - first[2]


def in_words(seconds: float) -> str:
    """A duration in a readable form: ``42 s``, ``7 min 5 s``, ``3 h 12 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def at_most_every(seconds: float, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> Report:
    """A callback that logs a training's progress in one line, at most every `seconds`, and at its end."""
    last: float | None = None

    def report(progress: Progress) -> None:
        nonlocal last
        now = clock()
        if last is None or now - last >= seconds or progress.step == progress.steps:
            last = now
            say(progress.line())

    return report
