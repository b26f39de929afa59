"""Labels alone: counts from label files, lists and class folders below a folder, by split, fold and emotion.

Pictures and videos are not opened or counted; whether a copy is complete is checked by ``doctor``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import CorpusError
from nrdfer.corpora.afew import SPLITS, find_videos
from nrdfer.corpora.labels import candidates, is_csv, read_labels
from nrdfer.corpora.lists import AFEW_NAME, files_like_labels, label_folders, read_afew_lists


@dataclass(frozen=True)
class LabelSet:
    """One set of labels of one corpus."""

    corpus: str  # dfew | afew
    format: str  # csv | txt | folders
    folder: str
    clips: int
    emotions: dict[str, int]  # of all clips, each once
    splits: dict[str, Any]  # AFEW: split -> {clips, emotions}; DFEW: fold -> {train, test} -> {clips, emotions}


def count_emotions(emotions: Mapping[str, str]) -> dict[str, int]:
    """Clips of each emotion, in the canonical order."""
    counted = Counter(emotions.values())
    return {emotion: counted[emotion] for emotion in EMOTIONS}


def _part(emotions: Mapping[str, str]) -> dict[str, Any]:
    return {"clips": len(emotions), "emotions": count_emotions(emotions)}


def read_label_sets(root: Path) -> list[LabelSet]:
    """Every set of labels below `root`: DFEW's csvs, DFEW's and AFEW's lists, AFEW's class folders.

    Raises:
        CorpusError: no such folder, none of these below it, or one that contradicts itself.
    """
    if not root.is_dir():
        raise CorpusError(f"{root} is not a folder; give one that holds label files of DFEW or AFEW")
    files = [path for _, path in candidates(root)]
    afew_lists = [folder for folder, names in label_folders(root) if any(map(AFEW_NAME.fullmatch, names))]
    sets: list[LabelSet] = []
    if any(map(is_csv, files)):
        sets.append(_dfew(root, "csv"))
    sets += [_dfew(folder, "txt") for folder in sorted({path.parent for path in files if not is_csv(path)})]
    sets += [_afew(folder, "txt", read_afew_lists(folder)) for folder in afew_lists]
    for base in (root, root / "AFEW"):
        if any((base / name).is_dir() for name in SPLITS.values()):
            found: dict[str, dict[str, str]] = {split: {} for split in SPLITS}
            for video in find_videos(base):
                found[video.split][video.clip_id] = video.emotion
            sets.append(_afew(base, "folders", found))
    if not sets:
        raise CorpusError(
            f"{root} holds no labels that are known: neither DFEW's EmoLabel_DataSplit or DFEW_set_1_train.txt .., nor "
            "AFEW's Train_AFEW and Val_AFEW or AFEW_train.txt and AFEW_validation.txt. Files found that may be labels: "
            f"{files_like_labels(root)}"
        )
    return sets


def _dfew(folder: Path, kind: str) -> LabelSet:
    folds = read_labels(folder)
    every = {clip: emotion for fold in folds.values() for clip, emotion in fold.test.items()}
    splits = {str(k): {"train": _part(fold.train), "test": _part(fold.test)} for k, fold in folds.items()}
    return LabelSet("dfew", kind, str(folder), len(every), count_emotions(every), splits)


def _afew(folder: Path, kind: str, found: Mapping[str, Mapping[str, str]]) -> LabelSet:
    every = {clip: emotion for clips in found.values() for clip, emotion in clips.items()}
    splits = {split: _part(clips) for split, clips in found.items()}
    return LabelSet("afew", kind, str(folder), len(every), count_emotions(every), splits)


def table_of(found: LabelSet) -> str:
    """Clips by part and emotion, as text."""
    rows: list[tuple[str, Mapping[str, Any]]] = []
    for split, parts in found.splits.items():
        if "clips" in parts:
            rows.append((split, parts))
        else:
            rows += [(f"fold {split} {part}", parts[part]) for part in ("train", "test")]
    rows.append(("all", {"clips": found.clips, "emotions": found.emotions}))
    lines = [f"{'':14}{'clips':>7}" + "".join(f"{emotion:>11}" for emotion in EMOTIONS)]
    for name, part in rows:
        counts = "".join(f"{part['emotions'][emotion]:>11}" for emotion in EMOTIONS)
        lines.append(f"{name:14}{part['clips']:>7}{counts}")
    return "\n".join(lines)
