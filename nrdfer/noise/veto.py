"""The snippet-based filter's vetoes, judged as a choice: which of the clips called neutral it takes out.

A filter that can only take neutral out lowers the number of neutral calls whatever it does. So it is held against a
veto of as many clips at random: are the vetoed ones more often not neutral than the others (selectivity), and is the
gain in answers larger than chance would make it? Axes: U units, C clips, P people; axes before them are conditions or
trainings of their own, each with its own number of vetoes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nrdfer.noise.intervals import Values, by_person, ratio

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Calls:
    """What a network says of clips without the filter, and what the filter does; all (..., C)."""

    neutral: Flags  # called neutral
    vetoed: Flags  # of those, taken out by the filter
    gain: Values  # of those, what a veto does to the answer: 1 makes it right, -1 wrong, 0 neither
    truly: Flags  # whether the clip is neutral; broadcasts

    @classmethod
    def of(cls, best: npt.NDArray[np.int64], second: npt.NDArray[np.int64], veto: Flags, labels: npt.NDArray[np.int64],
           neutral: int) -> Calls:  # fmt: skip
        """From the most probable emotion, the most probable but neutral, whether a snippet vetoes, and the labels."""
        called = best == neutral
        truly = np.broadcast_to(labels == neutral, called.shape)
        gain = (second == labels).astype(np.float64) - truly
        return cls(called, called & veto, np.where(called, gain, 0.0), truly)


def selectivity(calls: Calls, people_C: npt.NDArray[np.int64]) -> tuple[Values, Values]:
    """Shares of vetoed clips among those called neutral, as `ratio` (..., P): of clips that are not, and that are."""
    shares = []
    for kind in (~calls.truly, calls.truly):
        vetoed, called = (flags & kind for flags in (calls.vetoed, calls.neutral))
        shares.append(ratio(by_person(vetoed.astype(float), people_C), by_person(called.astype(float), people_C)))
    return shares[0], shares[1]


def gain_over_random(calls: Calls, people_C: npt.NDArray[np.int64]) -> Values:
    """Gain of WAR over the expected gain of as many vetoes at random, (..., P), points.

    A random veto takes each clip called neutral with the same probability, so it gains that share of what vetoing all
    of them would. Gains are centred, because the share is estimated from the same clips.
    """
    called_C = calls.neutral.astype(np.float64)
    number = np.maximum(called_C.sum(-1, keepdims=True), 1)
    share = calls.vetoed.sum(-1, keepdims=True) / number
    usual = calls.gain.sum(-1, keepdims=True) / number
    return 100 * by_person((calls.vetoed - share) * called_C * (calls.gain - usual), people_C)


def random_veto(calls: Calls, rng: np.random.Generator) -> Flags:
    """As many vetoes as the filter's in every row, of clips called neutral drawn at random: (..., C)."""
    draws_C = np.where(calls.neutral, rng.random(calls.neutral.shape), 2.0)
    places_C = np.argsort(np.argsort(draws_C, -1), -1)
    return np.asarray(places_C < calls.vetoed.sum(-1, keepdims=True))
