"""Labels alone: one set of labels of a corpus, and its counts by split, fold and emotion.

Finding and reading label files belongs to each corpus; putting all sets below a folder together, to ``summary``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nrdfer.core.emotions import EMOTIONS


@dataclass(frozen=True)
class FoldLabels:
    """Emotions by clip id of one fold."""

    train: Mapping[str, str]
    test: Mapping[str, str]


@dataclass(frozen=True)
class LabelSet:
    """One set of labels of one corpus."""

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
) -> LabelSet:
    """The labels of a corpus whose clips are each in one of several parts."""
    every = {clip: emotion for clips in parts.values() for clip, emotion in clips.items()}
    splits = {name: _part(clips, names) for name, clips in parts.items()}
    return LabelSet(corpus, kind, str(folder), len(every), count_emotions(every, names), splits)


def of_folds(
    corpus: str, kind: str, folder: Path, folds: Mapping[int, FoldLabels], names: tuple[str, ...] = EMOTIONS
) -> LabelSet:
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
    return LabelSet(corpus, kind, str(folder), len(every), count_emotions(every, names), splits)


def _part(emotions: Mapping[str, str], names: tuple[str, ...]) -> dict[str, Any]:
    return {"clips": len(emotions), "emotions": count_emotions(emotions, names)}
