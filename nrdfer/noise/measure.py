"""Arrays from stored answers and ground truth: every prediction of every stage and network, clip by clip.

Means and intervals belong to ``intervals``, what is compared to ``contrasts``. Shapes: A arms, U backbones or seeds,
J seeds of a backbone, L conditions (kind and level of noise), C test clips, N = L x C of them in every condition, n
with N1, P people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nrdfer.config.noise import ARMS, COMPONENTS, N2, TOKENS, NoiseSettings
from nrdfer.core.emotions import EMOTIONS, neutral_index
from nrdfer.core.errors import NrdferError
from nrdfer.noise.backbones import TESTED_FEATURES, TESTED_FRAMES
from nrdfer.noise.intervals import Values
from nrdfer.noise.mechanism import ANSWERS, noise_seen, with_n1
from nrdfer.noise.veto import Calls

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
NEUTRAL = int(neutral_index(EMOTIONS) or 0)
Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Grid:
    """The test clips, and where each is among all of them in the order of their ids."""

    conditions: tuple[tuple[str, float], ...]  # L
    places_LC: npt.NDArray[np.int64]
    people_C: npt.NDArray[np.int64]
    labels_C: npt.NDArray[np.int64]
    places_n: npt.NDArray[np.int64]  # those with planted N1
    people_n: npt.NDArray[np.int64]
    levels_n: Values
    share_nk: Values  # of the features of each, share of every kind of N1

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], frames_NP: Array, settings: NoiseSettings) -> Grid:
        """From the truth of the test clips, sorted by id, and the frames that their features are of."""
        at = {(row["base"], row["kind"], row["level"]): place for place, row in enumerate(rows)}
        bases = sorted({row["base"] for row in rows})
        places_LC = np.array([[at[base, kind, level] for base in bases] for kind, level in settings.conditions])
        places_n, first = with_n1(rows), places_LC[0]
        return cls(
            settings.conditions,
            places_LC,
            np.array([rows[place]["person"] for place in first]),
            np.array([EMOTIONS.index(rows[place]["emotion"]) for place in first]),
            places_n,
            np.array([rows[place]["person"] for place in places_n]),
            np.array([rows[place]["level"] for place in places_n]),
            noise_seen(rows, frames_NP)[places_n].mean(1),
        )

    def where(self, kind: str) -> list[int]:
        """Conditions of a kind, in order of their level; the condition without noise is level 0 of both kinds."""
        return [i for i, (own, level) in enumerate(self.conditions) if own == kind or level == 0]

    def levels(self, kind: str) -> list[float]:
        """Their levels."""
        return [self.conditions[i][1] for i in self.where(kind)]

    @property
    def filtered(self) -> list[int]:
        """Conditions on which the filter is judged: without noise, and N2."""
        return self.where(N2)


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers of one token's stages on one arm (U, J, ...), or of one network's trainings (U, 1, ...)."""

    best: Array  # (U, J, N) most probable emotion
    second: Array  # (U, J, N) the most probable but neutral
    veto: Array  # (U, J, N)
    attention: Mapping[str, Values]  # reading -> (U, J, n, kinds): share on features of each kind of N1
    pull: Values | None  # (U, J, n): what the features of N1 add to the true emotion's logit

    def calls(self, grid: Grid, conditions: Sequence[int]) -> Calls:
        """What is called neutral and vetoed in some conditions: (U, J, L, C)."""
        places = grid.places_LC[list(conditions)]
        best, second, veto = (values[..., places] for values in (self.best, self.second, self.veto))
        return Calls.of(best, second, veto, grid.labels_C, NEUTRAL)

    def correct(self, grid: Grid, *, filtered: bool) -> Values:
        """Whether each answer is right: (U, J, L, C)."""
        best = np.where(self.veto & (self.best == NEUTRAL), self.second, self.best) if filtered else self.best
        return np.asarray(best[..., grid.places_LC] == grid.labels_C, np.float64)


@dataclass(frozen=True, eq=False)
class Measured:
    """Everything that a benchmark measured."""

    grid: Grid
    stages: Mapping[tuple[str, str], Answers]  # token, arm
    networks: Mapping[str, Answers]  # trained end to end
    premise_Un: Values  # of each clip with N1: how often a frame of N1 is farther from the mean; NaN without a pair


def read_stages(folders: Mapping[tuple[int, str], Path], settings: NoiseSettings) -> dict[tuple[str, str], Answers]:
    """The stages' answers.

    Args:
        folders: (number of the backbone, arm) -> folder of `nrdfer.noise.mechanism.run_stages`.
        settings: of the benchmark.
    """
    found = {}
    for arm in ARMS:
        files = [np.load(folders[number, arm] / ANSWERS) for number in range(settings.backbones)]
        for number, token in enumerate(TOKENS):
            of = {
                name.split("/")[1]: np.stack([file[name] for file in files])
                for name in files[0].files
                if name.startswith(f"{number}/")
            }
            best, second, veto, pull = (of.pop(name) for name in ("best", "second", "veto", "pull"))
            found[token, arm] = Answers(best, second, veto, of, pull)
    return found


def read_premise(folders: Sequence[Path], rows: Sequence[Mapping[str, Any]]) -> Values:
    """How often a frame of N1 is farther from the mean of its clip's features than one that is none: (U, n)."""
    places = with_n1(rows)
    return np.stack([_farther(np.load(f / TESTED_FEATURES)[places], _n1(f, rows)[places]) for f in folders])


def _n1(folder: Path, rows: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.bool_]:
    return np.asarray(noise_seen(rows, np.load(folder / TESTED_FRAMES)).any(-1))


def _farther(features_nPd: Array, noisy_nP: npt.NDArray[np.bool_]) -> Values:
    away_nP = np.linalg.norm(features_nPd - features_nPd.mean(1, keepdims=True), axis=-1)
    pairs_nPP = noisy_nP[:, :, None] & ~noisy_nP[:, None, :]
    farther_nPP = (away_nP[:, :, None] > away_nP[:, None, :]) + 0.5 * (away_nP[:, :, None] == away_nP[:, None, :])
    count_n = pairs_nPP.sum((1, 2))
    return np.where(count_n > 0, (farther_nPP * pairs_nPP).sum((1, 2)) / np.maximum(count_n, 1), np.nan)


def read_networks(
    predictions: Mapping[tuple[str, int], pd.DataFrame],
    rows: Sequence[Mapping[str, Any]],
    noisy: npt.NDArray[np.bool_],
    settings: NoiseSettings,
) -> dict[str, Answers]:
    """The answers of the networks that were trained end to end.

    Args:
        predictions: (network, seed) -> its table, see `nrdfer.evaluation.inference`.
        rows: truth of the test clips, sorted by id.
        noisy: see `nrdfer.noise.mechanism.noise_seen`.
        settings: of the benchmark.

    Raises:
        NrdferError: a training or a clip is missing.
    """
    ids, found = [row["clip_id"] for row in rows], {}
    for name in settings.networks:
        seeds = []
        for seed in range(settings.seeds):
            table = predictions.get((name, seed))
            if table is None or set(table["clip_id"]) != set(ids):
                raise NrdferError(f"the noise benchmark lacks predictions of {name}, seed {seed}; run its step again")
            seeds.append(_of_table(table.set_index("clip_id").loc[ids], noisy, with_n1(rows), name in COMPONENTS))
        of = {part: np.stack([seed[part] for seed in seeds])[:, None] for part in seeds[0]}
        best, second, veto = (of.pop(part) for part in ("best", "second", "veto"))
        found[name] = Answers(best, second, veto, of, None)
    return found


def _of_table(table: pd.DataFrame, noisy: Array, places: Array, attentive: bool) -> dict[str, Array]:
    logits = table[[f"logit_{k}" for k in range(len(EMOTIONS))]].to_numpy(np.float64)
    others = logits.copy()
    others[:, NEUTRAL] = -np.inf
    found = {"best": logits.argmax(1), "second": others.argmax(1), "veto": table["vetoed"].to_numpy(bool)}
    if attentive:
        weights_nP = np.stack([table["attention"].iloc[place] for place in places])
        found["product"] = np.einsum("np,npk->nk", weights_nP, noisy[places].astype(float))
    return found
