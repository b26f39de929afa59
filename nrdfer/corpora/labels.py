"""DFEW's label files: every naming and numbering found in the wild, read into emotions by name.

The distributed csvs number the emotions 1 to 7 (in the order of `nrdfer.emotions.EMOTIONS`), some copies 0 to 6.
The base is found over ALL files together: a 0 proves one, a 7 the other; a single file may show neither.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nrdfer.emotions import EMOTIONS
from nrdfer.errors import CorpusError

#: set_1.csv, train_set_1.csv, test_set_1.csv, single_trainset_1.csv, single_testset_1.csv
_NAME = re.compile(r"(?:(?P<part>train|test)_set|single_(?P<single>train|test)set|set)_(?P<fold>[1-5])\.csv")
Rows = list[tuple[str, int]]


@dataclass(frozen=True)
class FoldLabels:
    """Emotions by clip id of one fold."""

    train: Mapping[str, str]
    test: Mapping[str, str]


def find_label_files(root: Path) -> dict[tuple[int, str], Path]:
    """(fold, ``train`` or ``test``) -> csv.

    Raises:
        CorpusError: a file is missing, or two files claim the same place.
    """
    found: dict[tuple[int, str], Path] = {}
    for path in sorted(root.rglob("*.csv")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            continue
        part = match["part"] or match["single"] or _part_of_folder(path.parent.name)
        if part is None or "multi" in path.parent.name:
            continue
        key = (int(match["fold"]), part)
        if key in found:
            raise CorpusError(f"two label files for fold {key[0]} {part}: {found[key]} and {path}; keep one")
        found[key] = path
    missing = [
        f"fold {k} {part}" for k in range(1, 6) for part in ("train", "test") if (k, part) not in found
    ]
    if missing:
        raise CorpusError(
            f"{root} lacks DFEW label files for {', '.join(missing)}. Expected EmoLabel_DataSplit/"
            "train(single-labeled)/set_1.csv .. set_5.csv and test(single-labeled)/set_1.csv .. set_5.csv"
        )
    return found


def _part_of_folder(name: str) -> str | None:
    return next((part for part in ("train", "test") if name.lower().startswith(part)), None)


def read_folds(root: Path) -> dict[int, FoldLabels]:
    """The emotions of all five folds.

    Raises:
        CorpusError: files missing or malformed, a numbering that cannot be decided, a clip with two labels, or a
            clip in train and test of one fold.
    """
    files = find_label_files(root)
    rows = {key: _read_rows(path) for key, path in files.items()}
    base = _base({label for content in rows.values() for _, label in content}, root)
    emotions: dict[str, str] = {}
    parts: dict[tuple[int, str], dict[str, str]] = {}
    for key, content in rows.items():
        for clip_id, label in content:
            emotion = EMOTIONS[label - base]
            if emotions.setdefault(clip_id, emotion) != emotion:
                raise CorpusError(
                    f"clip {clip_id} is {emotions[clip_id]} in one label file and {emotion} in {files[key]}"
                )
        parts[key] = {clip_id: emotions[clip_id] for clip_id, _ in content}
    folds = {k: FoldLabels(parts[k, "train"], parts[k, "test"]) for k in range(1, 6)}
    for k, fold in folds.items():
        shared = sorted(fold.train.keys() & fold.test.keys())
        if shared:
            raise CorpusError(
                f"fold {k}: {len(shared)} clips are in both train and test, e.g. {shared[0]} ({root})"
            )
    return folds


def _base(labels: set[int], root: Path) -> int:
    outside = sorted(label for label in labels if not 0 <= label <= 7)
    if outside:
        raise CorpusError(f"label {outside[0]} in the files below {root}: expected 1..7 or 0..6")
    if (0 in labels) == (7 in labels):
        both = "both 0 and 7 occur" if 0 in labels else "neither 0 nor 7 occurs"
        raise CorpusError(
            f"cannot tell whether the labels below {root} count from 0 or from 1: {both}. Use the files as distributed "
            "(1 Happy 2 Sad 3 Neutral 4 Angry 5 Surprise 6 Disgust 7 Fear)"
        )
    return 0 if 0 in labels else 1


def _read_rows(path: Path) -> Rows:
    with path.open(newline="", encoding="utf-8-sig") as handle:
        reader = csv.DictReader(handle)
        columns = {name.strip().lower(): name for name in reader.fieldnames or []}
        if not {"video_name", "label"} <= columns.keys():
            raise CorpusError(f"{path}: expected the header video_name,label, found {reader.fieldnames}")
        rows: Rows = []
        for number, row in enumerate(reader, start=2):
            try:
                rows.append((row[columns["video_name"]].strip().zfill(5), int(row[columns["label"]])))
            except (ValueError, AttributeError, TypeError) as error:
                raise CorpusError(f"{path}, line {number}: {dict(row)} is not a clip and a number") from error
    if not rows:
        raise CorpusError(f"{path} holds no clip; is the copy complete?")
    return rows
