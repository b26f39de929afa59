"""Labels alone: what the label files of a corpus count by split, fold and emotion, and checks of its folds.

Finding and reading label files belongs to each corpus; putting all below a folder together, to ``summary``. A label set
is something else: the emotions that a corpus has names for (`nrdfer.core.emotions`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import CorpusError


@dataclass(frozen=True)
class FoldLabels:
    """Emotions by clip id of one fold."""

    train: Mapping[str, str]
    test: Mapping[str, str]


@dataclass(frozen=True)
class LabelCounts:
    """Counts of the labels in one place: of a csv's folds, of lists, or of class folders."""

    corpus: str  # dfew | afew | ...
    format: str  # csv | txt | folders | names
    folder: str
    clips: int
    emotions: dict[str, int]  # of all clips, each once
    splits: dict[str, Any]  # AFEW: split -> {clips, emotions}; others: fold -> {train, test, shared}


def count_emotions(emotions: Mapping[str, str], names: tuple[str, ...] = EMOTIONS) -> dict[str, int]:
    """Clips of each emotion, in the order of `names`."""
    counted = Counter(emotions.values())
    return {emotion: counted[emotion] for emotion in names}


def of_parts(
    corpus: str, kind: str, folder: Path, parts: Mapping[str, Mapping[str, str]], names: tuple[str, ...] = EMOTIONS
) -> LabelCounts:
    """The labels of a corpus whose clips are each in one of several parts."""
    every = {clip: emotion for clips in parts.values() for clip, emotion in clips.items()}
    splits = {name: _part(clips, names) for name, clips in parts.items()}
    return LabelCounts(corpus, kind, str(folder), len(every), count_emotions(every, names), splits)


def of_folds(
    corpus: str, kind: str, folder: Path, folds: Mapping[int, FoldLabels], names: tuple[str, ...] = EMOTIONS
) -> LabelCounts:
    """The labels of a corpus with numbered folds; each also has ``shared``, its clips in both train and test."""
    parts = [part for fold in folds.values() for part in (fold.train, fold.test)]
    every = {clip: emotion for part in parts for clip, emotion in part.items()}
    splits = {
        str(k): {
            "train": _part(fold.train, names),
            "test": _part(fold.test, names),
            "shared": len(fold.train.keys() & fold.test.keys()),
        }
        for k, fold in sorted(folds.items())
    }
    return LabelCounts(corpus, kind, str(folder), len(every), count_emotions(every, names), splits)


def _part(emotions: Mapping[str, str], names: tuple[str, ...]) -> dict[str, Any]:
    return {"clips": len(emotions), "emotions": count_emotions(emotions, names)}


def refuse_shared(folds: Mapping[int, FoldLabels], root: Path, title: str) -> None:
    """Check that no clip is in train and test of a fold.

    Raises:
        CorpusError: one is.
    """
    for k, fold in folds.items():
        shared = sorted(fold.train.keys() & fold.test.keys())
        if shared:
            raise CorpusError(
                f"fold {k} below {root}: {len(shared)} clips are in both train and test, e.g. {shared[0]}; results on "
                f"such a fold mean nothing. Use {title}'s label files as distributed"
            )


def check_folds(folds: Mapping[int, FoldLabels], root: Path, title: str) -> None:
    """Check that folds test every clip once and train on the others' tests.

    Raises:
        CorpusError: a clip is in train and test of a fold or in two test folds, or a training list is not the other
            folds' tests.
    """
    refuse_shared(folds, root, title)
    fold_of: dict[str, int] = {}
    for k, fold in folds.items():
        for clip_id in fold.test:
            if fold_of.setdefault(clip_id, k) != k:
                raise CorpusError(
                    f"clip {clip_id} is in the test lists of folds {fold_of[clip_id]} and {k} below {root}; test folds "
                    f"must be disjoint. Use {title}'s label files as distributed"
                )
    for k, fold in folds.items():
        expected = {clip_id for clip_id, tested in fold_of.items() if tested != k}
        wrong = sorted(expected ^ fold.train.keys())
        if wrong:
            raise CorpusError(
                f"fold {k} below {root}: its training list must be the other {len(folds) - 1} test lists together, but "
                f"{len(wrong)} clips differ, e.g. {wrong[0]}; a label file is cut short or from another copy"
            )
