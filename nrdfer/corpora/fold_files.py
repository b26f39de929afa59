"""Label files that divide a corpus's clips, one file a fold and part, one line a clip.

Which files there are, and how a line names its clip, belongs to each corpus (``ferv39k``, ``mafw``); lines of other
repositories' lists, to ``lists``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from nrdfer.core.errors import CorpusError
from nrdfer.core.plain_text import one_line
from nrdfer.corpora.base import Fold
from nrdfer.corpora.label_counts import FoldLabels
from nrdfer.corpora.lists import files_like_labels
from nrdfer.corpora.text_file import excerpt, read_lines, read_whole

Key = tuple[int, str]  # fold, "train" or "test"
Claims = Sequence[tuple[Key, Path]]
_LINE = re.compile(r"(?P<clip>\S.*?)[\s,;]+(?P<emotion>[^\s,;]+)")
_log = logging.getLogger(__name__)


def choose_files(claims: Claims, folds: Sequence[int], root: Path, title: str, expected: str) -> dict[Key, Path]:
    """The file of every fold and part.

    Args:
        claims: files, each with the place that its name claims.
        folds: their numbers.
        root: where the files were searched, for messages.
        title: of the corpus.
        expected: names of the files, for messages.

    Raises:
        CorpusError: one is missing, or two that differ claim one place.
    """
    found: dict[Key, Path] = {}
    for key, path in claims:
        if key in found and read_whole(found[key]) != read_whole(path):
            raise CorpusError(
                f"two label files for {_place(key, folds)}: {one_line(str(found[key]))} and {one_line(str(path))}; "
                "keep one of them"
            )
        found.setdefault(key, path)
    missing = [_place((k, part), folds) for k in folds for part in ("train", "test") if (k, part) not in found]
    if missing:
        what = "all label files" if not found else f"label files for {', '.join(missing)}"
        raise CorpusError(
            f"{title} below {root} lacks {what}. Looked for {expected}. Copy {title}'s label files there whole. Files "
            f"found that may be labels: {files_like_labels(root)}"
        )
    return found


def _place(key: Key, folds: Sequence[int]) -> str:
    return f"fold {key[0]} {key[1]}" if len(folds) > 1 else key[1]


def read_named(path: Path, emotions: Mapping[str, str]) -> Iterator[tuple[int, str, str]]:
    """Line number, clip as it is written, and emotion of every line ``<clip> <emotion>``; blank ones are skipped.

    Args:
        path: of the file.
        emotions: emotion by its name in lower case.

    Raises:
        CorpusError: the file is no text, or a line is not of the format; the message names it.
    """
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise CorpusError(
                f"{one_line(str(path))}, line {number}: expected '<clip> <emotion>', found '{excerpt(line)}'"
            )
        emotion = emotions.get(match["emotion"].lower())
        if emotion is None:
            raise CorpusError(
                f"{one_line(str(path))}, line {number}: '{excerpt(match['emotion'])}' is not one of its emotions "
                f"({', '.join(emotions)})"
            )
        yield number, match["clip"], emotion


def labels_of(path: Path, rows: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Emotion by clip id of one file; a clip that is listed twice with one label counts once, with a warning.

    Raises:
        CorpusError: a clip has two labels, or there is none.
    """
    labels: dict[str, str] = {}
    repeats = 0
    for clip_id, emotion in rows:
        repeats += clip_id in labels
        if labels.setdefault(clip_id, emotion) != emotion:
            raise CorpusError(
                f"{one_line(str(path))} labels clip {one_line(clip_id)} {labels[clip_id]} and {emotion}; copy it again"
            )
    if not labels:
        raise CorpusError(f"{one_line(str(path))} holds no clip; is the copy complete?")
    if repeats:
        _log.warning("%s lists %d clips twice; each counts once", one_line(str(path)), repeats)
    return labels


def folds_in(files: Mapping[Key, Path], parts: Mapping[Key, Mapping[str, str]]) -> dict[int, FoldLabels]:
    """The folds of the labels of all files.

    Raises:
        CorpusError: a clip has another emotion in one file than in another.
    """
    first: dict[str, tuple[str, Path]] = {}
    for key, labels in parts.items():
        for clip_id, emotion in labels.items():
            known, path = first.setdefault(clip_id, (emotion, files[key]))
            if known != emotion:
                raise CorpusError(
                    f"clip {clip_id} is {known} in {one_line(str(path))} and {emotion} in "
                    f"{one_line(str(files[key]))}; the label files come from different copies or were edited: take all "
                    "from one copy"
                )
    return {k: FoldLabels(parts[k, "train"], parts[k, "test"]) for k in sorted({k for k, _ in files})}


def emotions_in(folds: Mapping[int, FoldLabels]) -> dict[str, str]:
    """Emotion of every clip of some folds."""
    return {
        clip: emotion for fold in folds.values() for part in (fold.train, fold.test) for clip, emotion in part.items()
    }


def as_folds(folds: Mapping[int, FoldLabels]) -> dict[int, Fold]:
    """The folds as sorted clip ids."""
    return {k: Fold(tuple(sorted(fold.train)), tuple(sorted(fold.test))) for k, fold in folds.items()}
