"""Arrays from predictions and ground truth: the prediction of every setting, and class-token attention, per clip.

A setting is a network and whether its answer is filtered; the letters are those of the paper's Table 1. Means and
intervals belong to ``intervals``. Axes: S trainings (seeds), L conditions (kind and level of noise), C test clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nrdfer.config.noise import COMPONENTS, N1, NoiseSettings
from nrdfer.core.errors import NrdferError
from nrdfer.corpora.synthetic.timeline import N1_KINDS
from nrdfer.noise.corpus import TRAINING

Values = npt.NDArray[np.float64]
#: Table 1's letters: network, and whether the snippet-based filter decides.
LETTERS: Mapping[str, tuple[str, bool]] = {
    "a": ("baseline", False),
    "b": ("baseline", True),
    "c": ("dct", False),
    "d": ("dct", True),
    "e": ("dsf", False),
    "f": ("dsf", True),
    "g": ("dsf-dct", False),
    "h": ("dsf-dct", True),
}
ALL = "n1"  # of kinds of N1: all together
#: Settings that differ by the filter only: without, with.
PAIRS = (("a", "b"), ("c", "d"), ("e", "f"), ("g", "h"))
#: Networks that differ by the class token only: learned, dynamic.
TOKENS = (("baseline", "dct"), ("dsf", "dsf-dct"))


@dataclass(frozen=True, eq=False)
class Panel:
    """All measurements of the benchmark."""

    conditions: tuple[tuple[str, float], ...]  # L
    people: npt.NDArray[np.int64]  # (C,) who is seen
    emotions: npt.NDArray[np.str_]  # (C,)
    planted_LC: Values  # share of noisy frames in each clip, of its condition's kind
    correct: Mapping[str, Values]  # setting -> (S, L, C), 0 or 1
    neutral: Mapping[str, Values]  # setting -> (S, L, C), whether it is called neutral
    mass: Mapping[tuple[str, str], Values]  # network, kind of N1 or ALL -> (S, L, C), attention on it; 0 to 1
    share: Mapping[str, Values]  # kind of N1 or ALL -> (L, C), its share of the features that attention is spread over

    def where(self, kind: str) -> list[int]:
        """Conditions of a kind, in order of their level; the condition without noise is level 0 of both kinds."""
        return [i for i, (own, level) in enumerate(self.conditions) if own == kind or level == 0]

    def levels(self, kind: str) -> list[float]:
        """Their levels."""
        return [self.conditions[i][1] for i in self.where(kind)]


def settings_of(settings: NoiseSettings) -> dict[str, tuple[str, bool]]:
    """Every setting: Table 1's letters, and each rival by its name."""
    return {**LETTERS, **{name: (name, False) for name in settings.rivals}}


def build_panel(
    predictions: Mapping[tuple[str, int], pd.DataFrame], truth: Sequence[Mapping[str, Any]], settings: NoiseSettings
) -> Panel:
    """Combine all predictions.

    Args:
        predictions: (network, seed) -> its table, see `nrdfer.evaluation.inference`.
        truth: of the clips.
        settings: of the benchmark.

    Raises:
        NrdferError: a training or a clip is missing.
    """
    tested = [row for row in truth if row["kind"] != TRAINING]
    bases = sorted({row["base"] for row in tested})
    at = {(row["base"], row["kind"], row["level"]): row for row in tested}
    grid = [[at[base, kind, level] for base in bases] for kind, level in settings.conditions]  # L x C
    order = [row["clip_id"] for line in grid for row in line]
    shape = (len(grid), len(bases))

    def of(name: str, take: Any) -> Values:
        seeds = []
        for seed in range(settings.seeds):
            table = predictions.get((name, seed))
            if table is None or set(table["clip_id"]) != set(order):
                raise NrdferError(f"the noise benchmark lacks predictions of {name}, seed {seed}; run its step again")
            seeds.append(np.asarray(take(table.set_index("clip_id").loc[order]), np.float64).reshape(shape))
        return np.stack(seeds)

    def answer(filtered: bool) -> str:
        return "predicted" if filtered else "predicted_unfiltered"

    first = predictions[settings.networks[0], 0].set_index("clip_id")
    seen = {row["clip_id"]: [row["noise"][i] for i in first.loc[row["clip_id"], "frames"][:-1]] for row in tested}
    noisy = {
        kind: {clip: np.array([_is(noise, N1) if kind == ALL else noise == kind for noise in kinds])
               for clip, kinds in seen.items()}
        for kind in (ALL, *N1_KINDS)
    }  # fmt: skip
    return Panel(
        conditions=settings.conditions,
        people=np.array([row["person"] for row in grid[0]]),
        emotions=np.array([row["emotion"] for row in grid[0]]),
        planted_LC=np.array([[np.mean([_is(kind, row["kind"]) for kind in row["noise"]]) for row in r] for r in grid]),
        correct={
            setting: of(name, lambda t, f=filtered: t[answer(f)] == t["emotion"])
            for setting, (name, filtered) in settings_of(settings).items()
        },
        neutral={
            setting: of(name, lambda t, f=filtered: t[answer(f)] == "neutral")
            for setting, (name, filtered) in settings_of(settings).items()
        },
        mass={
            (name, kind): of(name, lambda t, on=on: [attention_on(a, on[c]) for c, a in t["attention"].items()])
            for name in COMPONENTS
            for kind, on in noisy.items()
        },
        share={
            kind: np.array([[on[row["clip_id"]].mean() for row in line] for line in grid]) for kind, on in noisy.items()
        },
    )


def attention_on(attention: Sequence[float], noisy: Sequence[bool] | npt.NDArray[np.bool_]) -> float:
    """Attention on noisy features, 0 to 1.

    A feature is of the first of its two frames, which its static part is of.
    """
    return float(np.asarray(attention, np.float64)[np.asarray(noisy, bool)].sum())


def _is(noise: str, kind: str) -> bool:
    return noise.startswith(f"{kind}_")
