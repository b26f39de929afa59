"""Lists of clips as other repositories ship them: one line ``<path> <number of frames> <label>`` per clip.

The format is Former-DFER's (github.com/zengqunzhao/Former-DFER), also used by IAL and DFER-CLIP: labels count from 0 in
the order of `nrdfer.core.emotions.EMOTIONS`. The frame counts in them are not to be trusted (in DFEW's folds 2 to 5,
clips of fewer than 16 frames are written as 16), so they are read, but only ``doctor`` uses them. DFEW's csvs belong to
`labels`.
"""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nrdfer.core.emotions import AFEW_FOLDERS, EMOTIONS
from nrdfer.core.errors import CorpusError
from nrdfer.core.plain_text import one_line
from nrdfer.corpora.text_file import excerpt, number_in, read_lines

#: What a browser or a file manager adds to the name of a second copy: ``list (1).txt``.
COPY = r"(?: ?\([0-9]+\)| - Copy| copy)?"
DFEW_NAME = re.compile(rf"DFEW_set_(?P<fold>[1-5])_(?P<part>train|test){COPY}\.txt", re.IGNORECASE)
AFEW_NAME = re.compile(rf"AFEW_(?P<split>train|validation|val){COPY}\.txt", re.IGNORECASE)
#: Files that may be mistaken for labels.
_LIKE_LABELS = (".csv", ".txt", ".tsv", ".xls", ".xlsx", ".json")
#: What Former-DFER puts before a clip's name: 0 train or 1 validation, and the label.
_PREFIX = re.compile(r"[01]_[0-6]_")
_DEPTH = 5
_log = logging.getLogger(__name__)


def label_folders(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Folders below `root` with the names of their files, links followed; clip folders, which are many, left out."""
    seen: set[tuple[int, int]] = set()
    for folder, inner, names in os.walk(root, followlinks=True, onerror=_tell):
        there = os.stat(folder)  # noqa: PTH116 - a link may lead back to a folder above
        if (there.st_dev, there.st_ino) in seen:
            inner.clear()
            continue
        seen.add((there.st_dev, there.st_ino))
        deep = len(Path(folder).relative_to(root).parts) >= _DEPTH
        inner[:] = [] if deep else sorted(name for name in inner if not name.isdigit() and name[0] not in "._")
        yield Path(folder), sorted(names)


def _tell(error: OSError) -> None:
    _log.warning("%s was not searched for labels: %s", one_line(str(error.filename)), error.strerror)


def files_like_labels(root: Path) -> str:
    """Names of files below `root` that may be intended as labels, for a message."""
    found = [name for _, names in label_folders(root) for name in names if name.lower().endswith(_LIKE_LABELS)]
    listed = ", ".join(one_line(name) for name in found[:6])
    return f"{listed}{f' and {len(found) - 6} more' if len(found) > 6 else ''}" if found else "none"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a list."""

    name: str  # last part of the path
    folder: str  # the part before it
    frames: int
    label: int
    above: str = ""  # the part before that


def read_list(path: Path, labels: int = len(EMOTIONS)) -> Iterator[Line]:
    """The lines of a list; blank ones are skipped. Paths may hold spaces.

    Args:
        path: of the list.
        labels: their number; they count from 0.

    Raises:
        CorpusError: the file is no text, or a line is not of the format; the message names it.
    """
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        parts = line.strip().rsplit(maxsplit=2)
        frames, label = (number_in(part) for part in parts[1:]) if len(parts) == 3 else (None, None)
        if frames is None or label is None:
            raise CorpusError(
                f"{one_line(str(path))}, line {number}: expected '<path> <frames> <label>', found '{excerpt(line)}'"
            )
        if label >= labels:
            raise CorpusError(
                f"{one_line(str(path))}, line {number}: label {label}; such lists count from 0 to {labels - 1}"
            )
        above, folder, name = ["", "", *parts[0].replace("\\", "/").rstrip("/").split("/")][-3:]
        yield Line(name, folder, frames, label, above)


def read_dfew_list(path: Path) -> list[tuple[str, int, int]]:
    """(Clip id of five digits, frames, label from 0) of every line of a DFEW list.

    Raises:
        CorpusError: see `read_list`; or a path whose last part is no clip's number.
    """
    rows = []
    for line in read_list(path):
        clip = number_in(line.name)
        if clip is None:
            raise CorpusError(f"{one_line(str(path))}: '{excerpt(line.name)}' is not the number of a clip of DFEW")
        rows.append((f"{clip:05d}", line.frames, line.label))
    return rows


def read_afew_lists(folder: Path) -> dict[str, dict[str, str]]:
    """Emotions of AFEW's clips by split (``train``, ``val``) and clip id, from the lists in a folder.

    Clip ids are those of the videos (``<split>_<class folder>_<name>``).

    Raises:
        CorpusError: see `read_list`; a list is missing, lists a clip twice, gives a clip another emotion than its class
            folder is named after, or two lists of one split differ.
    """
    found: dict[str, dict[str, str]] = {}
    paths: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        match = AFEW_NAME.fullmatch(path.name)
        if match is None:
            continue
        split = "train" if match["split"].lower() == "train" else "val"
        clips = _read_afew(path, split)
        if found.setdefault(split, clips) != clips:
            raise CorpusError(f"two different lists of AFEW's {split}: {paths[split]} and {path}; keep one of them")
        paths[split] = path
    missing = [split for split in ("train", "val") if not found.get(split)]
    if missing:
        raise CorpusError(
            f"{folder} lacks AFEW's list of {' and '.join(missing)} (AFEW_train.txt, AFEW_validation.txt)"
        )
    return found


def _read_afew(path: Path, split: str) -> dict[str, str]:
    classes = {emotion: name for name, emotion in AFEW_FOLDERS.items()} | {name.lower(): name for name in AFEW_FOLDERS}
    where = one_line(str(path))
    clips: dict[str, str] = {}
    lines = list(read_list(path))
    for line in lines:
        name = classes.get(line.folder.lower())
        if name is None:
            raise CorpusError(f"{where}: '{excerpt(line.folder)}' is not one of AFEW's classes")
        clip_id = f"{split}_{name}_{_PREFIX.sub('', line.name, count=1)}"
        if clip_id in clips:
            raise CorpusError(f"{where} lists clip {excerpt(clip_id)} twice")
        clips[clip_id] = EMOTIONS[line.label]
    refuse_contradictions(where, [(classes[line.folder.lower()], line) for line in lines])
    return clips


def refuse_contradictions(where: str, lines: Sequence[tuple[str, Line]]) -> None:
    """Check that the numbers of a list agree with its class folders.

    Args:
        where: the list, for the message.
        lines: each with its class folder as `nrdfer.core.emotions.AFEW_FOLDERS` spells it.

    Raises:
        CorpusError: they do not: it was numbered in another order.
    """
    wrong = [(name, line) for name, line in lines if AFEW_FOLDERS[name] != EMOTIONS[line.label]]
    if not wrong:
        return
    name, line = wrong[0]
    counted = Counter((name, line.label) for name, line in lines)
    numbers = ", ".join(f"{name} {label}" for name, label in sorted(counted, key=lambda pair: (pair[1], pair[0]))[:14])
    expected = ", ".join(f"{i} {emotion}" for i, emotion in enumerate(EMOTIONS))
    raise CorpusError(
        f"{where}: {len(wrong)} of {len(lines)} labels contradict their class folders, e.g. {excerpt(line.name)} in "
        f"{name} has {line.label}, which is {EMOTIONS[line.label]} here. Is the list numbered in another order (it has "
        f"{numbers})? Lists count {expected}: renumber it, or correct the lines"
    )
