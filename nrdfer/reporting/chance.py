"""Comparison of figures with guessing, by their interval; the report's wording about a network follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from nrdfer.evaluation.bootstrap import Counts, wilson


class Standing(Enum):
    """Position of a figure relative to chance."""

    ABOVE = "above chance"
    LIKE = "like chance"
    BELOW = "below chance"


@dataclass(frozen=True)
class AgainstChance:
    """A UAR in percent compared with guessing."""

    uar: float
    low: float  # 95 % interval over test clips
    high: float
    chance: float  # highest value that a blind guess can expect
    complete: bool  # all classes occur, so that every blind guess expects the same

    @property
    def standing(self) -> Standing:
        """Above or below only if the whole interval is."""
        if self.low > self.chance:
            return Standing.ABOVE
        return Standing.BELOW if self.high < self.chance and self.complete else Standing.LIKE


def against_chance(pooled: Counts) -> AgainstChance:
    """Compare a UAR with guessing.

    WAR would be misleading: where classes are unequal, always answering the largest one is right more often than that.
    The interval puts Wilson's intervals of the recalls together (Newcombe's way for sums of independent shares), which
    the bootstrap does not give where all clips of a class are right or all are wrong.

    Args:
        pooled: confusions of all test clips, (K, K); rows are true classes.

    Raises:
        ValueError: no clip.
    """
    clips, hits = pooled.sum(1), np.diag(pooled)
    there = clips > 0
    if not there.any():
        raise ValueError("no test clip to compare with chance")
    recall = hits[there] / clips[there]
    low, high = wilson(hits[there], clips[there])
    classes, mean = len(recall), float(recall.mean())
    below = mean - float(np.sqrt(((recall - low) ** 2).sum())) / classes
    above = mean + float(np.sqrt(((high - recall) ** 2).sum())) / classes
    return AgainstChance(100 * mean, 100 * max(below, 0.0), 100 * min(above, 1.0), 100 / classes, bool(there.all()))
