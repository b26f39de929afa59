"""Findings of the benchmark: curves over levels of noise with intervals, and a result for each of the paper's claims.

A verdict follows from an interval and nothing else: it holds if the interval of a difference is on the claim's side of
0, is contradicted if it is on the other, and does not show if it contains 0. Intervals belong to ``intervals``. Axes: S
trainings, L conditions, C clips, P people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nrdfer.config.noise import COMPONENTS, N1, N2, NoiseSettings
from nrdfer.corpora.synthetic.timeline import N1_KINDS
from nrdfer.noise.intervals import Estimate, Values, by_person, estimate
from nrdfer.noise.measure import ALL, LETTERS, PAIRS, TOKENS, Panel, settings_of

HOLDS, UNSUPPORTED, CONTRADICTED = "holds", "does not show", "contradicted"
WAR, NEUTRAL, MASS, RATIO = "WAR", "neutral calls", "attention mass", "attention ratio"


@dataclass(frozen=True)
class Curve:
    """One measure of one setting over the levels of one kind of noise."""

    measure: str  # WAR, NEUTRAL, MASS: percent; RATIO: attention by share
    setting: str  # a letter of Table 1, a rival, or a network
    kind: str  # of noise
    levels: tuple[float, ...]
    points: tuple[Estimate, ...]


@dataclass(frozen=True)
class ByKind:
    """Attention by share of one kind of N1, over all levels together."""

    network: str
    kind: str  # n1_noface, n1_occluded, n1_person
    ratio: Estimate


@dataclass(frozen=True)
class Verdict:
    """A claim, its measurement, and whether it holds."""

    claim: str
    measured: str  # what the number is
    estimate: Estimate
    verdict: str


Weights = Mapping[str, float]  # setting -> its weight in a sum


class Findings:
    """All curves and verdicts of a panel."""

    def __init__(self, panel: Panel, settings: NoiseSettings) -> None:
        self._panel = panel
        self._of = settings_of(settings)
        emotional_C = panel.emotions != "neutral"
        self._war = {s: 100 * by_person(values, panel.people) for s, values in panel.correct.items()}
        self._called = {
            s: 100 * by_person(values[..., emotional_C], panel.people[emotional_C])
            for s, values in panel.neutral.items()
        }
        self._noisy = {kind: [i for i in panel.where(kind) if panel.conditions[i][1] > 0] for kind in (N1, N2)}
        self._clean = panel.where(N1)[0]
        self.curves = tuple(self._curves())
        self.by_kind = tuple(
            ByKind(name, kind, estimate([self._ratio(name, self._noisy[N1], kind)]))
            for name in COMPONENTS
            for kind in N1_KINDS
        )
        self.verdicts = (*self._of_tokens(), *self._of_filter(), *self._of_networks())

    def find(self, measure: str, setting: str, kind: str) -> Curve:
        """A curve.

        Raises:
            KeyError: it was not measured.
        """
        for curve in self.curves:
            if (curve.measure, curve.setting, curve.kind) == (measure, setting, kind):
                return curve
        raise KeyError(f"no {measure} of {setting} over {kind}")

    def _curves(self) -> list[Curve]:
        curves = []
        for kind in (N1, N2):
            where = self._panel.where(kind)
            for setting in self._of:
                for measure, values in ((WAR, self._war), (NEUTRAL, self._called)):
                    points = [estimate([values[setting][:, i]]) for i in where]
                    curves.append(self._curve(measure, setting, kind, where, points))
        noisy = self._noisy[N1]
        for name in COMPONENTS:
            mass_SLP = 100 * by_person(self._panel.mass[name, ALL], self._panel.people)
            curves.append(self._curve(MASS, name, N1, noisy, [estimate([mass_SLP[:, i]]) for i in noisy]))
            ratios = [estimate([self._ratio(name, [i])]) for i in noisy]
            curves.append(self._curve(RATIO, name, N1, noisy, ratios))
        return curves

    def _curve(self, measure: str, setting: str, kind: str, where: list[int], points: Sequence[Estimate]) -> Curve:
        return Curve(measure, setting, kind, tuple(self._panel.conditions[i][1] for i in where), tuple(points))

    def _ratio(self, network: str, where: list[int], kind: str = ALL) -> Values:
        """Attention by share as one number per training run and person (S, P), whose mean is the ratio of the means.

        Each level counts alike; a level's ratio is taken of all people together, because one person's few frames of
        noise have no ratio worth the name, and spreads over people to first order.
        """
        mass_SLP = by_person(self._panel.mass[network, kind], self._panel.people)
        share_LP = by_person(self._panel.share[kind][None], self._panel.people)[0]
        levels = []
        for i in where:
            share = share_LP[i].mean()
            ratio = mass_SLP[:, i].mean() / share
            levels.append(ratio + (mass_SLP[:, i] - ratio * share_LP[i]) / share)
        return np.asarray(np.mean(levels, axis=0))

    def _sum(self, values: Mapping[str, Values], weights: Weights, where: list[int]) -> Estimate:
        """A weighted sum of settings, mean over conditions; two settings of one network count as one part."""
        parts: dict[str, Values] = {}
        for setting, weight in weights.items():
            network = self._of[setting][0]
            part_SP = weight * values[setting][:, where].mean(1)
            parts[network] = parts[network] + part_SP if network in parts else part_SP
        return estimate(list(parts.values()))

    def _of_tokens(self) -> list[Verdict]:
        noisy, found = self._noisy[N1], []
        for learned, dynamic in TOKENS:
            added = "with DSF" if learned == "dsf" else "without DSF"
            token = self._ratio(dynamic, noisy)
            found += [
                _judge(
                    f"The dynamic class token looks less at N1 frames than a learned token does ({added})",
                    "difference of attention by share, mean of all levels of N1",
                    estimate([token, -self._ratio(learned, noisy)]),
                    wanted=-1,
                ),
                _judge(
                    f"The dynamic class token looks less at N1 frames than even attention would ({added})",
                    "attention by share, less 1, mean of all levels of N1",
                    estimate([token - 1]),
                    wanted=-1,
                ),
                _judge(
                    f"The dynamic class token looks less at another person's face than even attention would ({added})",
                    "attention by share, less 1, frames of another person only",
                    estimate([self._ratio(dynamic, noisy, "n1_person") - 1]),
                    wanted=-1,
                ),
            ]
        return found

    def _of_filter(self) -> list[Verdict]:
        weights = {setting: sign / len(PAIRS) for off, on in PAIRS for setting, sign in ((off, -1), (on, 1))}
        return [
            _judge(
                "SF calls fewer non-neutral clips neutral where most frames are neutral",
                "difference of neutral calls at the highest level of N2, mean of four networks, points",
                self._sum(self._called, weights, self._noisy[N2][-1:]),
                wanted=-1,
            ),
            _judge(
                "SF raises WAR where frames are neutral",
                "difference of WAR, mean of all levels of N2 and of four networks, points",
                self._sum(self._war, weights, self._noisy[N2]),
                wanted=1,
            ),
        ]

    def _of_networks(self) -> list[Verdict]:
        found = [
            _judge(
                f"{component} raises WAR under N1 noise",
                "difference of WAR, mean of all levels of N1 and of two pairs of networks, points",
                self._sum(self._war, weights, self._noisy[N1]),
                wanted=1,
            )
            for component, weights in (
                ("DCT", {"d": 0.5, "b": -0.5, "h": 0.5, "f": -0.5}),
                ("DSF", {"f": 0.5, "b": -0.5, "h": 0.5, "d": -0.5}),
            )
        ]
        for kind in (N1, N2):
            for rival in ("a", *(setting for setting in self._of if setting not in LETTERS)):
                found.append(
                    _judge(
                        f"The whole network (h) has a higher WAR under {kind.upper()} noise than "
                        f"{'the baseline (a)' if rival == 'a' else rival}",
                        f"difference of WAR, mean of all levels of {kind.upper()}, points",
                        self._sum(self._war, {"h": 1.0, rival: -1.0}, self._noisy[kind]),
                        wanted=1,
                    )
                )
        change = {s: self._war[s][:, self._noisy[N1][-1:]] - self._war[s][:, [self._clean]] for s in "ha"}
        found.append(
            _judge(
                "The whole network (h) loses less WAR to N1 noise than the baseline (a)",
                "difference of the change of WAR from none to the highest level of N1, points",
                self._sum(change, {"h": 1.0, "a": -1.0}, [0]),
                wanted=1,
            )
        )
        return found


def _judge(claim: str, measured: str, found: Estimate, *, wanted: int) -> Verdict:
    verdict = {wanted: HOLDS, 0: UNSUPPORTED, -wanted: CONTRADICTED}[found.sign]
    return Verdict(claim, measured, found, verdict)


def counts(verdicts: Sequence[Verdict]) -> Mapping[str, int]:
    """Number of claims by outcome."""
    return {name: sum(v.verdict == name for v in verdicts) for name in (HOLDS, UNSUPPORTED, CONTRADICTED)}
