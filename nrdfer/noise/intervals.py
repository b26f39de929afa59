"""Means over a crossed table of units and people, with 95 % intervals that hold for new units and new people.

A unit is a backbone or a seed: whatever was trained anew. A figure varies with the units, with the people it is
measured on, and with both together; clips are nested in people, so they are averaged first, as seeds are in
backbones. The mean squares of the two-way table give the variance of its mean, in which the interaction counts once.
Its degrees of freedom are the geometric mean of Satterthwaite's and of units - 1: by simulation
(``tests/unit/noise``) Satterthwaite's own are too many with four backbones, and units - 1 too few where people vary
most. Axes: U units, P people, and any axes before them, which are tables of their own. What is compared belongs to
``contrasts``, what follows from it to ``verdicts``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

Values = npt.NDArray[np.float64]
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure, its 95 % interval, the two-sided p-value of 0, and the degrees of freedom that it has."""

    value: float
    low: float
    high: float
    p: float = 1.0
    freedom: float = 1.0

    @property
    def width(self) -> float:
        """Of the interval."""
        return self.high - self.low


@dataclass(frozen=True, eq=False)
class Estimates:
    """The same for every table of an array, as arrays of the axes before U and P."""

    value: Values
    low: Values
    high: Values
    p: Values
    freedom: Values


def by_person(values_C: Values, people_C: npt.NDArray[np.int64]) -> Values:
    """Means over the clips of each person: (..., C) -> (..., P)."""
    return np.stack([values_C[..., people_C == person].mean(-1) for person in np.unique(people_C)], axis=-1)


def crossed(values_UP: Values) -> Estimates:
    """The means of tables (..., U, P), each with its interval.

    Raises:
        ValueError: fewer than two units or people.
    """
    units, people = values_UP.shape[-2:]
    if min(units, people) < 2:
        raise ValueError(f"an interval needs two units and two people at least, got {units} and {people}")
    mean = values_UP.mean((-1, -2))
    unit_U, person_P = values_UP.mean(-1), values_UP.mean(-2)
    left_UP = values_UP - unit_U[..., None] - person_P[..., None, :] + mean[..., None, None]
    of_units, of_people = people * unit_U.var(-1, ddof=1), units * person_P.var(-1, ddof=1)
    of_both = (left_UP**2).sum((-1, -2)) / ((units - 1) * (people - 1))
    # both mean squares hold the interaction, which counts once; an estimate must not fall below either alone
    variance = np.maximum(of_units + of_people - of_both, np.maximum(of_units, of_people))
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = variance**2 / (of_units**2 / (units - 1) + of_people**2 / (people - 1))
        freedom = np.sqrt(np.maximum(np.nan_to_num(freedom, nan=units - 1), units - 1) * (units - 1))
        error = np.sqrt(variance / (units * people))
        # what does not vary at all is known: 0 is then certain, or excluded
        p = np.where(error > 0, 2 * student.sf(np.abs(mean) / error, freedom), (mean == 0).astype(float))
    half = student.ppf((1 + LEVEL) / 2, freedom) * error
    return Estimates(mean, mean - half, mean + half, p, freedom)


def estimate(values_UP: Values) -> Estimate:
    """The mean of one table (U, P), as plain numbers.

    Raises:
        ValueError: fewer than two units or people.
    """
    found = crossed(np.asarray(values_UP, np.float64))
    return Estimate(*(float(getattr(found, name)) for name in ("value", "low", "high", "p", "freedom")))


def ratio(parts_UP: Values, wholes_UP: Values) -> Values:
    """Sums of parts by sums of wholes, as one number a unit and person (..., U, P) whose mean over people is the ratio.

    Each unit has its own ratio, taken of all people together, because one person's few events have none worth the
    name; it spreads over people to first order. A unit whose wholes are 0 has no ratio: NaN.
    """
    whole_U1 = wholes_UP.mean(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio_U1 = parts_UP.mean(-1, keepdims=True) / whole_U1
        return np.asarray(ratio_U1 + (parts_UP - ratio_U1 * wholes_UP) / whole_U1)
