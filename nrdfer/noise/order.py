"""One test of the order that the paper's Table 1 gives to its settings, a below b and so on to h.

Page's L is taken over trainings whose seeds are shared by all settings. Its usual null distribution does not apply: two
settings that differ by the filter alone are one training and move together, which would make L vary more than that
distribution allows. So L is compared with all of its values when, within each seed, the networks change places and the
filter's two answers do. Shape: S seeds, K settings in the published order, those of one training beside each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import permutations, product

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from nrdfer.noise.intervals import Values


@dataclass(frozen=True)
class Order:
    """Outcome of the test."""

    statistic: float  # Page's L
    chance: float  # its mean if there is no order
    p: float  # that L is so high by chance
    in_order: tuple[float, ...]  # K - 1: share of seeds in which a setting is above the one before; a tie counts half


def published_order(war_SK: Values) -> Order:
    """Test whether WAR rises with the published order.

    Raises:
        ValueError: fewer than two seeds, or settings that are no pairs.
    """
    seeds, settings = war_SK.shape
    if seeds < 2 or settings < 4 or settings % 2:
        raise ValueError(f"the order needs two seeds and two pairs of settings at least, got {seeds} and {settings}")
    ranks_SK = rankdata(war_SK, axis=1)
    places_K = np.arange(1, settings + 1)
    changed_GK = _changes(settings // 2)
    # ranks are halves of whole numbers, so twice L is whole, and the distribution is exact
    every_SG = np.rint(2 * (ranks_SK[:, changed_GK] * places_K).sum(-1)).astype(np.int64)
    chances = np.ones(1)
    for values_G in every_SG:
        chances = np.convolve(chances, np.bincount(values_G) / len(values_G))
    statistic = float((ranks_SK * places_K).sum())
    steps = np.diff(war_SK, axis=1)
    shares = ((steps > 0) + 0.5 * (steps == 0)).mean(0)
    return Order(
        statistic,
        float((chances * np.arange(len(chances))).sum() / 2),
        float(min(1.0, chances[round(2 * statistic) :].sum())),
        tuple(float(share) for share in shares),
    )


@cache
def _changes(pairs: int) -> npt.NDArray[np.int64]:
    """Every way in which pairs change places and the two of a pair do: (G, 2 x pairs) of places."""
    found = [
        [2 * pair + (within ^ flipped) for pair, flipped in zip(order, flips, strict=True) for within in (0, 1)]
        for order in permutations(range(pairs))
        for flips in product((0, 1), repeat=pairs)
    ]
    return np.array(found)
