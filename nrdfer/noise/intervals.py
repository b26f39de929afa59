"""Means over trainings and clips, and 95 % intervals of them and of their differences, by one bootstrap.

Trainings and people are drawn anew, people as a whole because clips of one person go together. People are the same for
every setting and level in a draw, so that differences between settings are paired; trainings are drawn for each
network by itself, because one network's seed has nothing in common with another's. With few trainings, drawing them
anew says too little of how much they differ; three show a difference that is much larger than that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
DRAWS = 2000


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 or -1 if the interval lies on one side of 0, else 0."""
        return int(self.low > 0) - int(self.high < 0)


def estimate(value: float, draws: Values) -> Estimate:
    """A figure with the middle 95 % of its draws."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return Estimate(float(value), float(low), float(high))


class Bootstrap:
    """Weights of trainings and clips in each draw.

    Args:
        people: (C,) who is seen in each clip.
        networks: names that have trainings of their own.
        seeds: trainings of each.
        draws: how many.
    """

    def __init__(
        self, people: npt.NDArray[np.int64], networks: tuple[str, ...], seeds: int, draws: int = DRAWS
    ) -> None:
        rng = np.random.default_rng(0)
        _, number_C = np.unique(people, return_inverse=True)
        count = int(number_C.max()) + 1
        drawn_DP = rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float64)
        self._clips_DC = drawn_DP[:, number_C]
        self._seeds: Mapping[str, Values] = {
            name: rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws) / seeds for name in networks
        }

    def mean(self, values_SLC: Values, network: str, clips_C: npt.NDArray[np.bool_] | None = None) -> Values:
        """Draws (D, L) of the mean over trainings and clips.

        Args:
            values_SLC: one number a training, condition and clip.
            network: whose trainings they are.
            clips_C: which clips count; None: all.
        """
        weights_DC = self._clips_DC if clips_C is None else self._clips_DC * clips_C
        over_clips_DSL = np.einsum("slc,dc->dsl", values_SLC, weights_DC) / weights_DC.sum(1)[:, None, None]
        return np.asarray(np.einsum("dsl,ds->dl", over_clips_DSL, self._seeds[network]))

    def mean_of_clips(self, values_LC: Values, clips_C: npt.NDArray[np.bool_] | None = None) -> Values:
        """Draws (D, L) of the mean over clips of what no training changes."""
        weights_DC = self._clips_DC if clips_C is None else self._clips_DC * clips_C
        return np.asarray(np.einsum("lc,dc->dl", values_LC, weights_DC) / weights_DC.sum(1)[:, None])
