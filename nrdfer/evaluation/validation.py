"""Choices made on clips that a training held out: thresholds of the snippet-based filter, and a temperature.

No figure of a test clip is read here. Which clips are held out belongs to ``nrdfer.training``; how the choice is
applied to test clips, to ``checkpoints``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nrdfer.config.settings import build_settings
from nrdfer.core.atomic_files import write_whole
from nrdfer.core.coerce import convert
from nrdfer.core.emotions import emotion_indices, emotions_in, neutral_index
from nrdfer.core.errors import ProfileError, WeightsError
from nrdfer.evaluation.calibration import logits_of, softmax, temperature_of
from nrdfer.evaluation.filter_settings import MU1, MU2
from nrdfer.models.trained_files import VALIDATION


@dataclass(frozen=True)
class Choice:
    """What was chosen for the weights of one epoch; thresholds are None for a network without the filter."""

    epoch: int
    war: float  # on the held-out clips, with the thresholds; 0 to 1
    temperature: float
    mu1: float | None = None
    mu2: float | None = None


@dataclass(frozen=True)
class Validation:
    """The held-out clips, and the choices for the best epoch on them and for the last one."""

    clips: tuple[str, ...]
    validated: Choice
    last: Choice

    def write(self, folder: Path) -> None:
        """Write `VALIDATION`."""
        write_whole(folder / VALIDATION, json.dumps(asdict(self), indent=1).encode())


def choose(predictions: pd.DataFrame, network: Mapping[str, Any], epoch: int) -> Choice:
    """The thresholds of the best WAR on held-out clips, and the temperature of their logits.

    The network's own thresholds stay unless others of the grid are better; among equals the nearest to them counts.

    Args:
        predictions: of the held-out clips, by `nrdfer.evaluation.inference`.
        network: its settings, its label set among them.
        epoch: whose weights predicted.
    """
    emotions = emotions_in(network)
    truth_N = emotion_indices(predictions["emotion"], emotions)
    logits_NK, temperature = logits_of(predictions, emotions), temperature_of(predictions, emotions)
    own, neutral = (network.get("mu1"), network.get("mu2")), neutral_index(emotions)
    if own[0] is None or own[1] is None or neutral is None or not len(predictions["snippet_logits"].iloc[0]):
        return Choice(epoch, float((logits_NK.argmax(1) == truth_N).mean()), temperature)
    snippets_NSK = np.stack(predictions["snippet_logits"].tolist()).astype(np.float64)
    p_NSK = softmax(snippets_NSK.reshape(len(truth_N), -1, len(emotions)))

    def right(pair: tuple[float, float]) -> int:
        return int((_answers(logits_NK, p_NSK, pair, neutral) == truth_N).sum())

    mine = (float(own[0]), float(own[1]))
    pairs = sorted({mine, *((a, b) for a in MU1 for b in MU2)}, key=lambda pair: _distance(pair, mine))
    best = max(pairs, key=right)  # the first among equals
    return Choice(epoch, right(best) / len(truth_N), temperature, *best)


def _distance(pair: tuple[float, float], own: tuple[float, float]) -> tuple[float, tuple[float, float]]:
    return abs(pair[0] - own[0]) + abs(pair[1] - own[1]), pair


def _answers(
    logits_NK: npt.NDArray[np.float64], p_NSK: npt.NDArray[np.float64], pair: tuple[float, float], neutral: int
) -> npt.NDArray[np.intp]:
    """Equation 7 with a pair of thresholds."""
    veto_N = ((p_NSK.max(-1) > pair[0]) & (p_NSK[..., neutral] < pair[1])).any(-1)
    final_NK = logits_NK.copy()
    final_NK[veto_N, neutral] = -np.inf
    answers_N: npt.NDArray[np.intp] = final_NK.argmax(-1)
    return answers_N


def read_validation(folder: Path) -> Validation | None:
    """What a training chose on its held-out clips; None if it held none out.

    Raises:
        WeightsError: the file is damaged.
    """
    path = folder / VALIDATION
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text())
        clips = convert(values["clips"], tuple[str, ...])
        validated, last = (build_settings(Choice, values[name], str(path)) for name in ("validated", "last"))
        return Validation(clips, validated, last)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, ProfileError) as error:
        raise WeightsError(
            f"{path} does not say what was chosen on held-out clips: it was changed or damaged"
        ) from error
