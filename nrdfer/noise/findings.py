"""Findings of the benchmark as plain values: the verdicts of the named contrasts, and what is described beside them.

Only the contrasts have verdicts. Every other number has an interval and no verdict, because nobody said beforehand
which of them would count. All of it is one JSON-able mapping, from which the page, the tables and the pictures are
made.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nrdfer.config.noise import ARMS, COMPONENTS, CONTRASTS, LEARNED, N1, N2, POOLED, TOKENS, NoiseSettings
from nrdfer.core.hashing import digest_of
from nrdfer.noise import contrasts
from nrdfer.noise.corpus import PLANTED_KINDS
from nrdfer.noise.intervals import Estimate, Estimates, Values, estimate
from nrdfer.noise.measure import LETTERS, Answers, Measured
from nrdfer.noise.mechanism import READINGS, USE
from nrdfer.noise.order import published_order
from nrdfer.noise.verdicts import VERDICTS, judge

Cell = Mapping[str, float] | None  # an estimate; None: it cannot be taken, e.g. no clip was called neutral


@dataclass(frozen=True)
class Verdict:
    """A claim that was named beforehand, its measurement, and what follows."""

    name: str
    claim: str
    measured: str
    wanted: int
    estimate: Estimate
    adjusted: float  # p-value after Holm's correction
    verdict: str


def find(measured: Measured, settings: NoiseSettings) -> dict[str, Any]:
    """All findings, as they are written to JSON."""
    registered = settings.registered()
    found: dict[str, Any] = {
        "settings": dataclasses.asdict(settings),
        "registered": registered,
        "registered_sha256": digest_of(registered),
        "verdicts": [dataclasses.asdict(verdict) for verdict in verdicts_of(measured, settings)],
        "premise": [_cell(contrasts.premise(measured, level) + 50) for level in settings.n1_levels[1:]],
        "stages": _of_stages(measured),
        "attention": _of_attention(measured),
        "filter": _of_filter(measured),
        "curves": _curves(measured),
        "order": dataclasses.asdict(published_order(_letters(measured))),
    }
    found["widest_war_contrast"] = widest(found)
    plain: dict[str, Any] = json.loads(json.dumps(found))
    return plain


def verdicts_of(measured: Measured, settings: NoiseSettings) -> list[Verdict]:
    """The verdicts of the contrasts that the settings name."""
    named = [CONTRASTS[name] for name in settings.contrasts]
    estimates = [estimate(contrasts.MEASURES[name](measured)) for name in settings.contrasts]
    family = Estimates(
        *(np.array([getattr(one, part.name) for one in estimates]) for part in dataclasses.fields(Estimates))
    )
    adjusted, verdicts = judge(family, [contrast.wanted for contrast in named], settings.margin)
    return [
        Verdict(name, contrast.claim, contrast.measured, contrast.wanted, one, float(p), str(verdict))
        for name, contrast, one, p, verdict in zip(
            settings.contrasts, named, estimates, adjusted, verdicts, strict=True
        )
    ]


def counts(found: Mapping[str, Any]) -> dict[str, int]:
    """Number of claims by verdict."""
    return {name: sum(row["verdict"] == name for row in found["verdicts"]) for name in VERDICTS}


def widest(found: Mapping[str, Any]) -> float:
    """Width of the widest interval of a difference of WAR on frozen features, points, over all arms together."""
    widths = [_width(row["estimate"]) for row in found["verdicts"] if row["name"] in ("slope-n1", "slope-n2", "sf")]
    return max(widths, default=0.0)


def _width(cell: Mapping[str, float]) -> float:
    return cell["high"] - cell["low"]


def _cell(values_UP: Values) -> Cell:
    if not np.isfinite(values_UP).all():
        return None
    return dataclasses.asdict(estimate(values_UP))


def _of_stages(m: Measured) -> list[dict[str, Any]]:
    """WAR without noise and slopes, of every token and arm, and less those of the learned token."""
    rows = []
    for arm in ARMS:
        for token in TOKENS:
            answers, learned = m.stages[token, arm], m.stages[LEARNED, arm]
            values = {name: take(answers) for name, take in _stage_measures(m).items()}
            less = {name: values[name] - take(learned) for name, take in _stage_measures(m).items()}
            rows.append(
                {
                    "arm": arm,
                    "token": token,
                    **{name: _cell(value) for name, value in values.items()},
                    "less": None if token == LEARNED else {name: _cell(value) for name, value in less.items()},
                }
            )
    return rows


def _stage_measures(m: Measured) -> dict[str, Any]:
    return {
        "clean": lambda a: contrasts.war(a, m.grid)[:, 0],
        "slope n1": lambda a: contrasts.slope(a, m.grid, N1),
        "slope n2": lambda a: contrasts.slope(a, m.grid, N2),
    }


def _of_attention(m: Measured) -> list[dict[str, Any]]:
    """Attention on N1 by share of every token, in every reading and by kind, and use; means over the arms."""
    rows = []
    for token in TOKENS:
        readings = (USE,) if token == POOLED else (*READINGS, USE)
        of_kinds = {
            kind: {
                reading: _cell(contrasts.over_arms(m, _share(m, reading, [number]), token))
                for reading in (readings[0], USE)
            }
            for number, kind in enumerate(PLANTED_KINDS)
        }
        rows.append(
            {
                "token": token,
                "readings": {r: _cell(contrasts.over_arms(m, _share(m, r), token)) for r in readings},
                "kinds": of_kinds,
                "pull": _cell(contrasts.over_arms(m, lambda a: contrasts.pull(a, m.grid), token)),
            }
        )
    for name in COMPONENTS:
        shares = {"product": _cell(contrasts.by_share(m.networks[name], m.grid, "product"))}
        rows.append({"token": name, "readings": shares, "kinds": {}, "pull": None})
    return rows


def _share(m: Measured, reading: str, kinds: list[int] | None = None) -> Any:
    return lambda answers: contrasts.by_share(answers, m.grid, reading, kinds)


def _of_filter(m: Measured) -> list[dict[str, Any]]:
    """What the filter does in every arm, mean of all stages with a class token or of none; and end to end."""
    rows = []
    of: dict[str, list[Answers]] = {
        f"{arm}: {token}": [m.stages[token, arm]] for arm in ARMS for token in TOKENS if token != POOLED
    }
    of |= {name: [m.networks[name]] for name in COMPONENTS}
    for name, (answers,) in of.items():
        effects = contrasts.filter_effects(answers, m.grid)
        rows.append({"of": name, **{what: _cell(values) for what, values in effects.items()}})
    return rows


def _letters(m: Measured) -> Values:
    """WAR of Table 1's settings, mean of all conditions: (S, 8)."""
    wars = [contrasts.war(m.networks[name], m.grid, filtered=sf).mean((1, 2)) for name, sf in LETTERS.values()]
    return np.stack(wars, -1)


def _curves(m: Measured) -> list[dict[str, Any]]:
    """WAR over the levels of both kinds of noise: every token and arm, Table 1's settings, and the rivals."""
    of: dict[tuple[str, str], Values] = {
        ("stages", f"{arm}: {token}"): contrasts.war(m.stages[token, arm], m.grid) for arm in ARMS for token in TOKENS
    }
    of |= {
        ("networks", letter): contrasts.war(m.networks[name], m.grid, filtered=sf)
        for letter, (name, sf) in LETTERS.items()
    }
    of |= {("networks", name): contrasts.war(m.networks[name], m.grid) for name in m.networks if name not in COMPONENTS}
    return [
        {
            "stage": stage,
            "of": name,
            "kind": kind,
            "levels": m.grid.levels(kind),
            "points": [_cell(wars[:, i]) for i in m.grid.where(kind)],
        }
        for (stage, name), wars in of.items()
        for kind in (N1, N2)
    ]
