"""Sections of the report on what its figures are worth: calibration of probabilities, and leaks into the test clips.

Of DFEW's folds each temperature is fitted on the predictions of the other folds: their test clips are training clips of
this one, and the networks that predicted them had not seen them. So no test clip fits its own temperature.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nrdfer.core.emotions import emotion_indices
from nrdfer.core.optional_output import Missing, draw
from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.base import Corpus
from nrdfer.corpora.dfew import DFEW
from nrdfer.evaluation.calibration import Reliability, probabilities_of, reliability, temperature_of
from nrdfer.evaluation.calibration_plots import plot_calibration
from nrdfer.evaluation.checkpoints import HONEST, read_calibration, saw_equally_often
from nrdfer.evaluation.class_figures import in_words, summary
from nrdfer.evaluation.leaks import figures_of, plain, read_leaks, rebuilt, split_in_words
from nrdfer.models.saved_model import read_emotions
from nrdfer.models.trained_files import MODEL
from nrdfer.reporting.captioned_figures import predictions_of
from nrdfer.reporting.page import Picture, Section
from nrdfer.store import Artifact

_ACROSS = (
    "A fold's temperature is fitted on the other folds' predictions: their test clips are its training clips, "
    "predicted by networks that had not seen them. "
)


def calibration_section(folds: Mapping[str, Path], afew: Path | None, folder: Path) -> Section:
    """Reliability of DFEW's folds together, with temperatures across folds, and each fold's figures; or of AFEW's.

    Args:
        folds: evaluations of DFEW's folds, as far as there are.
        afew: evaluation on AFEW, if there is one.
        folder: for the picture.
    """
    tables = {fold: predictions_of(path) for fold, path in folds.items()}
    emotions = read_emotions(next(iter([*folds.values(), *([afew] if afew else [])])) / MODEL)
    temperatures = across_folds(tables, emotions) if len(tables) > 1 else {}
    calibrated = calibrated_reliability(tables, emotions, temperatures) if temperatures else None
    facts = []
    whole, clips = pd.DataFrame(), f"{DFEW.title}'s folds pooled"
    corpus: Corpus = DFEW
    if tables:
        whole = pd.concat(tables.values(), ignore_index=True)
        facts.append((DFEW.title, _words(summary(whole, emotions), calibrated)))
    elif afew is not None:
        whole, corpus, clips = predictions_of(afew), AFEW, f"{AFEW.title}'s validation clips"
    oversampled = any(saw_equally_often(path) for path in folds.values())  # every emotion, whatever its share
    for fold, table in tables.items():
        text = _words(summary(table, emotions, learned=None if oversampled else _other_clips(tables, fold, emotions)))
        if fold in temperatures:
            one = calibrated_reliability({fold: table}, emotions, temperatures)
            text += f"; ECE {100 * one.ece:.2f} at the other folds' temperature {temperatures[fold]:.3f}"
        facts.append((fold, text))
    if afew is not None:
        on_afew = read_calibration(afew).get(HONEST) or summary(predictions_of(afew), read_emotions(afew / MODEL))
        facts.append((AFEW.title, _words(on_afew)))
    classes = summary(whole, emotions)["classes"]
    facts += [(f"{corpus.title}, {emotion}", _class_words(row)) for emotion, row in classes.items()]
    return Section(
        "calibration",
        "How far probabilities may be trusted",
        "Expected calibration error (ECE, points, 15 bins) of the final probabilities. "
        f"{_ACROSS if temperatures else ''}"
        "Answers for equally frequent emotions have the log of each emotion's frequency among the training clips taken "
        "from its logit.",
        pictures=(_calibration_picture(whole, emotions, calibrated, clips, folder / f"calibration_{corpus.name}.png"),),
        facts=tuple(facts),
    )


def _calibration_picture(
    predictions: pd.DataFrame, emotions: tuple[str, ...], calibrated: Reliability | None, clips: str, path: Path
) -> Picture | Missing:
    title = f"{clips}, honest protocol"

    def drawn() -> Picture:
        plot_calibration(predictions, emotions, path, title=title, calibrated=calibrated)
        return Picture(
            path,
            f"Calibration, {title}",
            "Left: how often the network is right when it is as sure as that. Right: precision over recall of each "
            "emotion, as the threshold on its probability falls.",
            "A reliability diagram, and curves of precision over recall.",
        )

    return draw("The picture of calibration", path, drawn)


def across_folds(tables: Mapping[str, pd.DataFrame], emotions: tuple[str, ...]) -> dict[str, float]:
    """Each fold's temperature, fitted on the predictions of all other folds."""
    return {
        fold: temperature_of(pd.concat([t for name, t in tables.items() if name != fold], ignore_index=True), emotions)
        for fold in tables
    }


def calibrated_reliability(
    tables: Mapping[str, pd.DataFrame], emotions: tuple[str, ...], temperatures: Mapping[str, float]
) -> Reliability:
    """Reliability of some folds together, each at its own temperature."""
    rows = [probabilities_of(table, emotions, temperatures[fold]) for fold, table in tables.items()]
    truths: list[npt.NDArray[np.int64]] = [emotion_indices(table["emotion"], emotions) for table in tables.values()]
    return reliability(np.concatenate(rows), np.concatenate(truths))


def _other_clips(tables: Mapping[str, pd.DataFrame], fold: str, emotions: tuple[str, ...]) -> list[int] | None:
    """How many clips of the other folds, which are this one's training clips, have each emotion."""
    labels = [emotion for name, table in tables.items() if name != fold for emotion in table["emotion"]]
    return [labels.count(emotion) for emotion in emotions] if labels else None


def _words(values: Mapping[str, Any], calibrated: Reliability | None = None) -> str:
    text = in_words(values)
    return text if calibrated is None else f"{text}; ECE {100 * calibrated.ece:.2f} with a temperature for each fold"


def _class_words(row: Mapping[str, float | int | None]) -> str:
    def number(name: str) -> str:
        value = row[name]
        return "n/a" if value is None else f"{100 * value:.1f}"

    figures = ", ".join(
        f"{name.replace('_', ' ')} {number(name)}" for name in ("precision", "recall", "f1", "average_precision")
    )
    return f"{row['clips']} clips: {figures}"


def leaks_section(leaks: Mapping[str, Artifact], evaluations: Mapping[str, Path]) -> Section:
    """Near-duplicates between training and test clips, as far as they were looked for, and the figures without them.

    Args:
        leaks: artefacts of ``nrdfer corpus leaks``.
        evaluations: of each split.
    """
    facts = []
    for artifact in leaks.values():
        found = rebuilt(read_leaks(artifact.path))
        figures = {each.split: figures_of(evaluations[each.split], each) for each in found if each.split in evaluations}
        facts += [(name, split_in_words(name, values)) for name, values in plain(found, figures).items()]
    missing = [corpus.name for corpus in (DFEW, AFEW) if corpus.asset("near_duplicates") not in leaks]
    lines = "".join(f"\n    nrdfer corpus leaks {name}" for name in missing)
    return Section(
        "leaks",
        "Test clips that training has seen",
        "Near-duplicates between training and test clips: the same picture re-encoded, cropped, brighter or darker. "
        "That a film or a person is in both without sharing a picture is not seen by this.",
        facts=tuple(facts),
        open=f"Not looked for yet. In an activated shell:\n{lines}" if lines else "",
    )
