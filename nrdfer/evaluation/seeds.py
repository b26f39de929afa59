"""Several trainings that differ in their seed only: spread of a figure, and what it says of a published one.

Test clips stay the same, so the spread is that of training alone; the choice of test clips belongs to ``bootstrap``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student
from scipy.stats import ttest_ind, ttest_rel

from nrdfer.evaluation.bootstrap import LEVEL

FEWEST = 3  # seeds from which on anything is said of a published figure


@dataclass(frozen=True)
class Spread:
    """A figure over trainings of several seeds."""

    mean: float
    sd: float | None  # of a single training (n - 1); None of one seed
    lowest: float
    highest: float
    seeds: int


@dataclass(frozen=True)
class Likelihood:
    """A published figure beside a network's own trainings."""

    z: float  # its distance from their mean, in their standard deviations
    p_value: float  # how often another training would be at least as far from that mean


def spread_of(values: Sequence[float]) -> Spread:
    """Mean, standard deviation and range of a figure.

    Raises:
        ValueError: no value.
    """
    if not len(values):
        raise ValueError("a spread needs at least one training")
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(float(np.mean(values)), sd, float(min(values)), float(max(values)), len(values))


def likelihood_of(published: float, values: Sequence[float]) -> Likelihood | None:
    """How likely a published figure is under our seeds, if figures of trainings are normally distributed.

    A further training's figure has Student's t distribution around our mean, with the variance of one training plus
    that of the mean.

    Returns:
        None where it cannot be said: with fewer than `FEWEST` seeds, or where these do not differ.
    """
    found = spread_of(values)
    if found.seeds < FEWEST or not found.sd:
        return None
    z = (published - found.mean) / found.sd
    p_value = 2 * student.sf(abs(z) / np.sqrt(1 + 1 / found.seeds), found.seeds - 1)
    return Likelihood(float(z), float(p_value))


def difference_over_seeds(
    values_a: Sequence[float], values_b: Sequence[float], *, paired: bool = False
) -> tuple[float, float] | None:
    """The 95 % interval of the mean of A's trainings minus that of B's; None unless there are two that differ.

    Args:
        values_a: a figure of each training of A.
        values_b: the same of B.
        paired: whether both are readings of the same trainings, in the same order: then it is Student's interval of
            their differences, else Welch's.
    """
    if paired:
        spread = spread_of([a - b for a, b in zip(values_a, values_b, strict=True)])
        if not spread.sd:
            return None
        found = ttest_rel(values_a, values_b).confidence_interval(LEVEL)
        return float(found.low), float(found.high)
    spreads = [spread_of(values).sd for values in (values_a, values_b)]
    if None in spreads or not any(spreads):
        return None
    found = ttest_ind(values_a, values_b, equal_var=False).confidence_interval(LEVEL)
    return float(found.low), float(found.high)


def together(p_values: Sequence[float]) -> float:
    """One p-value of a claim that was tested once a seed on the same clips: twice the median, at most 1.

    It is valid whatever the tests' dependence (Meinshausen, Meier and Bühlmann 2009, at the quantile 1/2); of a single
    test it is the test's own. Of an even number the larger of both middle values counts.

    Raises:
        ValueError: no value.
    """
    if not len(p_values):
        raise ValueError("no test, no p-value")
    if len(p_values) == 1:
        return float(p_values[0])
    return min(1.0, 2 * float(np.quantile(p_values, 0.5, method="higher")))
