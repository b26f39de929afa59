"""Means over trainings and people with honest 95 % intervals, also where trainings are few.

A figure varies with the trainings and with the people it is measured on. Both are estimated: the spread of trainings
from each network's own means, the spread of people from their means over everything that is compared, so that people,
who are the same for every network, are paired. The two add up, and Student's t with Welch's and Satterthwaite's degrees
of freedom accounts for their small number: a bootstrap over three trainings would be too narrow. What a single training
does with a single person is counted in both spreads, so the intervals err on the wide side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

Values = npt.NDArray[np.float64]
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 or -1 if the interval is on one side of 0, else 0."""
        return int(self.low > 0) - int(self.high < 0)


def by_person(values_SLC: Values, people: npt.NDArray[np.int64]) -> Values:
    """Means over the clips of each person: (S, L, C) -> (S, L, P)."""
    return np.stack([values_SLC[..., people == person].mean(-1) for person in np.unique(people)], axis=-1)


def estimate(parts: Sequence[Values]) -> Estimate:
    """The sum of the means of several networks' numbers.

    Args:
        parts: of each network an array (S, P), one number a training and person, with the sign and weight it has in
            the sum. Trainings of different networks have nothing in common; people are the same in all.

    Raises:
        ValueError: fewer than two trainings or people.
    """
    if any(min(part.shape) < 2 for part in parts):
        raise ValueError(f"an interval needs two trainings and two people at least, got {[p.shape for p in parts]}")
    value = float(sum(part.mean() for part in parts))
    people_P = np.sum([part.mean(0) for part in parts], axis=0)
    spreads = [(people_P.var(ddof=1) / len(people_P), len(people_P) - 1)]
    spreads += [(part.mean(1).var(ddof=1) / len(part), len(part) - 1) for part in parts]
    total = sum(variance for variance, _ in spreads)
    if total == 0:
        return Estimate(value, value, value)
    freedom = total**2 / sum(variance**2 / degrees for variance, degrees in spreads)
    half = float(student.ppf((1 + LEVEL) / 2, freedom) * np.sqrt(total))
    return Estimate(value, value - half, value + half)
