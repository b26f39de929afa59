"""The six contrasts as tables of units and people, and the tables that describe what lies behind them.

Each function returns (U, P): one number a backbone or seed and person, seeds of a backbone, clips, and conditions
averaged. Which contrasts count belongs to ``nrdfer.config.noise``, intervals to ``intervals``. Axes: see ``measure``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nrdfer.config.noise import ARMS, DYNAMIC, LEARNED, N1, N2
from nrdfer.noise.intervals import Values, by_person, ratio
from nrdfer.noise.measure import NEUTRAL, Answers, Grid, Measured
from nrdfer.noise.mechanism import PRODUCT
from nrdfer.noise.veto import Calls, gain_over_random, selectivity

HALF = 0.5  # of the frames: where a slope is told


def _mean(values: Values, *axes: int) -> Values:
    return np.asarray(values.mean(axes))


def war(answers: Answers, grid: Grid, *, filtered: bool = False) -> Values:
    """WAR in every condition: (U, L, P), percent."""
    return _mean(100 * by_person(answers.correct(grid, filtered=filtered), grid.people_C), 1)


def slope(answers: Answers, grid: Grid, kind: str) -> Values:
    """Slope of WAR over the levels by least squares, for half of the frames: (U, P), points."""
    levels = np.array(grid.levels(kind))
    weights = (levels - levels.mean()) / ((levels - levels.mean()) ** 2).sum()
    return np.asarray(np.einsum("l,ulp->up", HALF * weights, war(answers, grid)[:, grid.where(kind)]))


def attention(answers: Answers, grid: Grid, reading: str = PRODUCT) -> Values:
    """Share on features of N1 in one reading, all clips that have N1: (U, P), percent."""
    return _mean(100 * by_person(answers.attention[reading].sum(-1), grid.people_n), 1)


def by_share(answers: Answers, grid: Grid, reading: str, kinds: Sequence[int] | None = None) -> Values:
    """The same as a multiple of the share of such features: (U, P); some kinds of N1, or all."""
    picked = list(range(grid.share_nk.shape[1])) if kinds is None else list(kinds)
    mass_UP = by_person(answers.attention[reading][..., picked].sum(-1), grid.people_n).mean(1)
    share_P = by_person(grid.share_nk[:, picked].sum(-1), grid.people_n)
    return ratio(mass_UP, np.broadcast_to(share_P, mass_UP.shape))


def pull(answers: Answers, grid: Grid) -> Values:
    """What the features of N1 of a clip add to the true emotion's logit: (U, P)."""
    assert answers.pull is not None  # noqa: S101  # stages have it
    return _mean(by_person(answers.pull, grid.people_n), 1)


def filter_gain(answers: Answers, grid: Grid) -> Values:
    """Gain of WAR by the filter over as many vetoes at random in each condition and training: (U, P), points."""
    return _mean(gain_over_random(answers.calls(grid, grid.filtered), grid.people_C), 1, 2)


def filter_effects(answers: Answers, grid: Grid) -> dict[str, Values]:
    """What the filter does, each (U, P), percent.

    Shares of clips called neutral that it vetoes, of both sorts, and their difference; neutral clips lost, of all;
    gain of WAR, and that over random vetoes.
    """
    calls = answers.calls(grid, grid.filtered)
    units = len(calls.neutral)
    people = np.broadcast_to(grid.people_C, calls.neutral.shape[1:]).reshape(-1)
    neutral, vetoed, truly = (part.reshape(units, -1) for part in (calls.neutral, calls.vetoed, calls.truly))
    others, own = selectivity(Calls(neutral, vetoed, calls.gain.reshape(units, -1), truly), people)
    is_neutral = grid.labels_C == NEUTRAL
    lost = by_person(calls.vetoed[..., is_neutral].astype(float), grid.people_C[is_neutral])
    return {
        "others": 100 * others,
        "neutral": 100 * own,
        "selectivity": 100 * (others - own),
        "lost": _mean(100 * lost, 1, 2),
        "gain": _mean(100 * by_person(calls.vetoed * calls.gain, grid.people_C), 1, 2),
        "over random": filter_gain(answers, grid),
    }


def premise(measured: Measured, level: float | None = None) -> Values:
    """How often a frame of N1 is farther from the mean than others, less one half: (U, P), points.

    A person without a clip that shows both counts as the mean of the others.
    """
    grid = measured.grid
    at = np.ones(len(grid.levels_n), bool) if level is None else grid.levels_n == level
    known = ~np.isnan(measured.premise_Un) & at
    wins = np.where(known, measured.premise_Un - 0.5, 0.0)
    people = np.unique(grid.people_n)
    sums, counts = (np.stack([v[:, grid.people_n == p].sum(-1) for p in people], -1) for v in (wins, known))
    usual = sums.sum(-1, keepdims=True) / np.maximum(counts.sum(-1, keepdims=True), 1)
    return np.asarray(100 * np.where(counts > 0, sums / np.maximum(counts, 1), usual))


def over_arms(measured: Measured, take: Callable[[Answers], Values], token: str) -> Values:
    """The mean of a measure over the arms, for one token: (U, P)."""
    return np.asarray(np.mean([take(measured.stages[token, arm]) for arm in ARMS], axis=0))


def _dynamic_less_learned(measured: Measured, take: Callable[[Answers], Values]) -> Values:
    return over_arms(measured, take, DYNAMIC) - over_arms(measured, take, LEARNED)


def _dsf(measured: Measured) -> Values:
    wars = {name: war(answers, measured.grid).mean(1) for name, answers in measured.networks.items()}
    return np.asarray(wars["dsf"] + wars["dsf-dct"] - wars["baseline"] - wars["dct"]) / 2


#: By the names of `nrdfer.config.noise.CONTRASTS`.
MEASURES: Mapping[str, Callable[[Measured], Values]] = {
    "premise": premise,
    "attention": lambda m: _dynamic_less_learned(m, lambda answers: attention(answers, m.grid)),
    "slope-n1": lambda m: _dynamic_less_learned(m, lambda answers: slope(answers, m.grid, N1)),
    "slope-n2": lambda m: _dynamic_less_learned(m, lambda answers: slope(answers, m.grid, N2)),
    "sf": lambda m: np.mean([over_arms(m, lambda a: filter_gain(a, m.grid), t) for t in (LEARNED, DYNAMIC)], axis=0),
    "dsf": _dsf,
}
