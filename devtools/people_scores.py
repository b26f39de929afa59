"""Scores of how people are followed in videos, against the truth of planted ones.

Rendering belongs to `planted_people`, predicting and printing to ``bench/people.py``.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from devtools.planted_people import FPS, Planted

LEAST_IOU = 0.3
EVIDENCE = 0.25  # of the frames that an answer saw


@dataclass
class Score:
    """Counts over some videos."""

    shown: int = 0  # frames that show the target, by the truth
    right: int = 0  # of them, in which it was followed
    errors: int = 0  # times that the target becomes another person
    frames: int = 0
    windows: int = 0  # with an answer
    without: int = 0  # of them, without evidence
    whole: int = 0  # whole videos answered without evidence
    everyone: int = 0  # frames x people, by the truth
    followed: int = 0  # of them, followed as one person

    def add(self, truth: Planted, found: dict[str, Any]) -> None:
        """Count one video."""
        target = found["target"]
        whose = [_owner(box, truth.frames[i]) for i, box in enumerate(target["boxes"])]
        named = [who for who in whose if who is not None]  # -1 among them: followed, and nobody's face
        real = [who for who in named if who >= 0]
        main = max(sorted(set(real)), key=real.count) if real else None
        self.frames += len(truth.frames)
        self.shown += sum(main in frame for frame in truth.frames) if main is not None else len(truth.frames)
        self.right += sum(who == main for who in named)
        self.errors += sum(a != b for a, b in itertools.pairwise(named))
        for window in target["windows"]:
            self.windows += 1
            self.without += _unseen(window["frames"], whose, main)
        self.whole += bool(target["emotion"]) and _unseen(target["frames_seen"], whose, main)
        self.everyone += sum(len(frame) for frame in truth.frames)
        self.followed += _followed(truth, found["people"])

    @property
    def cells(self) -> list[str]:
        """Cells of a table."""
        minutes = self.frames / FPS / 60
        return [
            f"{100 * self.right / max(1, self.shown):.1f} %",
            f"{self.errors / minutes:.2f}",
            f"{self.without} of {self.windows}",
            str(self.whole),
            f"{100 * self.followed / max(1, self.everyone):.1f} %",
        ]


def _owner(box: Sequence[float] | None, truth: dict[int, Any]) -> int | None:
    """Whose face a box is on; -1 for nobody's, None without a box."""
    if box is None:
        return None
    best = max(truth, key=lambda who: _iou(box, truth[who]), default=None)
    return best if best is not None and _iou(box, truth[best]) >= LEAST_IOU else -1


def _iou(a: Sequence[float], b: Sequence[float]) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return wide * high / (areas - wide * high)


def _unseen(frames: Sequence[int], whose: Sequence[int | None], main: int | None) -> bool:
    return main is None or sum(whose[frame] == main for frame in frames) < EVIDENCE * len(frames)


def _followed(truth: Planted, people: Sequence[dict[str, Any]]) -> int:
    """Frames in which people are followed, each true person as at most one found person and the reverse."""
    counts: dict[tuple[int, int], int] = {}
    for number, person in enumerate(people):
        for i, box in enumerate(person["boxes"]):
            who = _owner(box, truth.frames[i])
            if who is not None and who >= 0:
                counts[number, who] = counts.get((number, who), 0) + 1
    total, numbers, owners = 0, set(), set()
    for (number, who), count in sorted(counts.items(), key=lambda row: -row[1]):
        if number not in numbers and who not in owners:
            numbers.add(number)
            owners.add(who)
            total += count
    return total
