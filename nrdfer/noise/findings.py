"""What the benchmark found: curves over levels of noise with intervals, and a verdict on each of the paper's claims.

A verdict follows from an interval and nothing else: it holds if the interval of a difference lies on the claim's side
of 0, is contradicted if it lies on the other, and does not show if it holds 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nrdfer.noise.intervals import Bootstrap, Estimate, Values, estimate
from nrdfer.noise.measure import LETTERS, PAIRS, TOKENS, Panel, settings_of
from nrdfer.noise.settings import COMPONENTS, N1, N2, NoiseSettings

HOLDS, NOT_SHOWN, CONTRADICTED = "holds", "does not show", "contradicted"


@dataclass(frozen=True)
class Curve:
    """One measure of one setting over the levels of one kind of noise."""

    measure: str  # WAR, neutral calls, attention ratio, attention mass: percent, but for the ratio
    setting: str  # a letter of Table 1, a rival, or a network
    kind: str  # of noise
    levels: tuple[float, ...]
    points: tuple[Estimate, ...]


@dataclass(frozen=True)
class Verdict:
    """A claim, what was measured of it, and whether it holds."""

    claim: str
    measured: str  # what the number is
    estimate: Estimate
    verdict: str


_Of = Callable[[str], tuple[Values, Values]]  # a setting -> its values (L,) and their draws (D, L)
WAR, NEUTRAL, MASS, RATIO, EVEN = "WAR", "neutral calls", "attention mass", "attention ratio", "even attention"


class Findings:
    """All curves and verdicts of a panel."""

    def __init__(self, panel: Panel, settings: NoiseSettings) -> None:
        self._panel = panel
        self._boot = Bootstrap(panel.people, settings.networks, settings.seeds)
        self._of = settings_of(settings)
        self._emotional_C = panel.emotions != "neutral"
        self._war = {s: 100 * self._boot.mean(panel.correct[s], self._of[s][0]) for s in self._of}
        self._called = {s: 100 * self._boot.mean(panel.neutral[s], self._of[s][0], self._emotional_C) for s in self._of}
        share_DL = self._boot.mean_of_clips(panel.share_LC)
        with np.errstate(divide="ignore", invalid="ignore"):  # without N1 there is no ratio; those levels are not used
            self._ratio = {n: self._boot.mean(panel.mass[n], n) / share_DL for n in COMPONENTS}
        self._share_DL = share_DL
        self.curves = tuple(self._curves())
        self.verdicts = tuple(self._verdicts())

    def _curves(self) -> list[Curve]:
        curves = []
        for kind in (N1, N2):
            where = self._panel.where(kind)
            for s in self._of:
                war_L = 100 * self._panel.correct[s].mean((0, 2))
                curves.append(self._curve(WAR, s, kind, where, war_L, self._war[s]))
                called_L = 100 * self._panel.neutral[s][..., self._emotional_C].mean((0, 2))
                curves.append(self._curve(NEUTRAL, s, kind, where, called_L, self._called[s]))
        noisy = [i for i in self._panel.where(N1) if self._panel.conditions[i][1] > 0]
        share_L = self._panel.share_LC.mean(1)
        curves.append(self._curve(EVEN, "share of frames", N1, noisy, 100 * share_L, 100 * self._share_DL))
        for name in COMPONENTS:
            mass_L, mass_DL = self._panel.mass[name].mean((0, 2)), self._ratio[name] * self._share_DL
            curves.append(self._curve(MASS, name, N1, noisy, 100 * mass_L, 100 * mass_DL))
            with np.errstate(divide="ignore", invalid="ignore"):
                curves.append(self._curve(RATIO, name, N1, noisy, mass_L / share_L, self._ratio[name]))
        return curves

    def _curve(
        self, measure: str, setting: str, kind: str, where: list[int], values_L: Values, draws_DL: Values
    ) -> Curve:
        points = tuple(estimate(values_L[i], draws_DL[:, i]) for i in where)
        return Curve(measure, setting, kind, tuple(self._panel.conditions[i][1] for i in where), points)

    def find(self, measure: str, setting: str, kind: str) -> Curve:
        """A curve.

        Raises:
            KeyError: it was not measured.
        """
        for curve in self.curves:
            if (curve.measure, curve.setting, curve.kind) == (measure, setting, kind):
                return curve
        raise KeyError(f"no {measure} of {setting} over {kind}")

    def _verdicts(self) -> list[Verdict]:
        noisy1 = [i for i in self._panel.where(N1) if self._panel.conditions[i][1] > 0]
        noisy2 = [i for i in self._panel.where(N2) if self._panel.conditions[i][1] > 0]
        clean, most1, most2 = self._panel.where(N1)[0], noisy1[-1], noisy2[-1]
        found = []
        for learned, dynamic in TOKENS:
            added = "with DSF" if learned == "dsf" else "without DSF"
            ratio = {n: (self._panel.mass[n].mean((0, 2)), self._ratio[n]) for n in (learned, dynamic)}
            share_L = self._panel.share_LC.mean(1)
            values = {n: np.mean([m[i] / share_L[i] for i in noisy1]) for n, (m, _) in ratio.items()}
            draws = {n: r[:, noisy1].mean(1) for n, (_, r) in ratio.items()}
            found += [
                _judge(
                    f"The dynamic class token looks less at N1 frames than a learned token does ({added})",
                    "difference of the ratio of attention on N1 frames to their share, mean of all levels",
                    estimate(values[dynamic] - values[learned], draws[dynamic] - draws[learned]),
                    wanted=-1,
                ),
                _judge(
                    f"The dynamic class token looks less at N1 frames than even attention would ({added})",
                    "that ratio less 1",
                    estimate(values[dynamic] - 1, draws[dynamic] - 1),
                    wanted=-1,
                ),
            ]
        for off, on in PAIRS:
            network = LETTERS[on][0]
            found += [
                _judge(
                    f"SF calls fewer non-neutral clips neutral where most frames are neutral ({network})",
                    "difference of neutral calls at the highest level of N2, points",
                    self._difference(self._neutral_of, on, off, [most2]),
                    wanted=-1,
                ),
                _judge(
                    f"SF raises WAR where frames are neutral ({network})",
                    "difference of WAR, mean of all levels of N2, points",
                    self._difference(self._war_of, on, off, noisy2),
                    wanted=1,
                ),
            ]
        for without, with_it, what in (("b", "d", "DCT, without DSF"), ("f", "h", "DCT, with DSF"),
                                       ("b", "f", "DSF, without DCT"), ("d", "h", "DSF, with DCT")):  # fmt: skip
            found.append(
                _judge(
                    f"The component raises WAR under N1 noise ({what})",
                    "difference of WAR, mean of all levels of N1, points",
                    self._difference(self._war_of, with_it, without, noisy1),
                    wanted=1,
                )
            )
        found.append(
            _judge(
                "The whole network loses less WAR to N1 noise than the baseline",
                "difference (h - a) of the change of WAR from none to the highest level of N1, points",
                self._change("h", "a", clean, most1),
                wanted=1,
            )
        )
        for rival in [s for s in self._of if s not in LETTERS]:
            found.append(
                _judge(
                    f"The whole network has a higher WAR under N1 noise than {rival}",
                    "difference of WAR, mean of all levels of N1, points",
                    self._difference(self._war_of, "h", rival, noisy1),
                    wanted=1,
                )
            )
        return found

    def _war_of(self, setting: str) -> tuple[Values, Values]:
        return 100 * self._panel.correct[setting].mean((0, 2)), self._war[setting]

    def _neutral_of(self, setting: str) -> tuple[Values, Values]:
        return 100 * self._panel.neutral[setting][..., self._emotional_C].mean((0, 2)), self._called[setting]

    def _difference(self, of: _Of, one: str, other: str, where: list[int]) -> Estimate:
        (one_L, one_DL), (other_L, other_DL) = of(one), of(other)
        return estimate(float((one_L - other_L)[where].mean()), (one_DL[:, where] - other_DL[:, where]).mean(1))

    def _change(self, one: str, other: str, start: int, end: int) -> Estimate:
        (one_L, one_DL), (other_L, other_DL) = self._war_of(one), self._war_of(other)
        value = (one_L[end] - one_L[start]) - (other_L[end] - other_L[start])
        draws = (one_DL[:, end] - one_DL[:, start]) - (other_DL[:, end] - other_DL[:, start])
        return estimate(float(value), draws)


def _judge(claim: str, measured: str, found: Estimate, *, wanted: int) -> Verdict:
    verdict = {wanted: HOLDS, 0: NOT_SHOWN, -wanted: CONTRADICTED}[found.sign]
    return Verdict(claim, measured, found, verdict)


def counts(verdicts: tuple[Verdict, ...]) -> Mapping[str, int]:
    """How many claims came out which way."""
    return {name: sum(v.verdict == name for v in verdicts) for name in (HOLDS, NOT_SHOWN, CONTRADICTED)}
