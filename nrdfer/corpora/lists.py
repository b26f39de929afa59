"""Lists of clips as other repositories ship them: one line ``<path> <number of frames> <label>`` a clip.

The format is Former-DFER's (github.com/zengqunzhao/Former-DFER), also used by IAL and DFER-CLIP: labels count from 0
in the order of `nrdfer.emotions.EMOTIONS`. The frame counts in them are not to be trusted (in DFEW's folds 2 to 5,
clips of fewer than 16 frames are written as 16), so they are read, but only ``doctor`` looks at them. DFEW's csvs are
`labels`' business.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nrdfer.emotions import AFEW_FOLDERS, EMOTIONS
from nrdfer.errors import CorpusError

DFEW_NAME = re.compile(r"DFEW_set_(?P<fold>[1-5])_(?P<part>train|test)\.txt")
AFEW_NAME = re.compile(r"AFEW_(?P<split>train|validation|val)\.txt")
#: What Former-DFER puts before a clip's name: 0 train or 1 validation, and the label.
_PREFIX = re.compile(r"[01]_[0-6]_")
_DEPTH = 5


def label_folders(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Folders below `root` with the names of their files; clip folders, which are many, are left out."""
    for folder, inner, names in os.walk(root):
        deep = len(Path(folder).relative_to(root).parts) >= _DEPTH
        inner[:] = [] if deep else sorted(name for name in inner if not name.isdigit() and name[0] not in "._")
        yield Path(folder), sorted(names)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a list."""

    name: str  # last part of the path
    folder: str  # the part before it
    frames: int
    label: int


def read_list(path: Path) -> Iterator[Line]:
    """The lines of a list; blank ones are skipped. Paths may hold spaces.

    Raises:
        CorpusError: the file is not text, or a line is not of the format; the message names it.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not a text file ({error}); copy it again") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        parts = line.strip().rsplit(maxsplit=2)
        if len(parts) != 3 or not (parts[1].isdecimal() and parts[2].isdecimal()):
            raise CorpusError(f"{path}, line {number}: expected '<path> <frames> <label>', found {line[:80]!r}")
        label = int(parts[2])
        if label >= len(EMOTIONS):
            raise CorpusError(f"{path}, line {number}: label {label}; such lists count from 0 to 6")
        folder, _, name = parts[0].replace("\\", "/").rstrip("/").rpartition("/")
        yield Line(name, folder.rpartition("/")[2], int(parts[1]), label)


def read_dfew_list(path: Path) -> list[tuple[str, int, int]]:
    """(Clip id of five digits, frames, label from 0) of every line of a DFEW list.

    Raises:
        CorpusError: see `read_list`; or a path whose last part is no clip's number.
    """
    rows = []
    for line in read_list(path):
        if not line.name.isdecimal():
            raise CorpusError(f"{path}: {line.name!r} is not the number of a clip of DFEW")
        rows.append((f"{int(line.name):05d}", line.frames, line.label))
    return rows


def read_afew_lists(folder: Path) -> dict[str, dict[str, str]]:
    """Emotions of AFEW's clips by split (``train``, ``val``) and clip id, from the lists in a folder.

    Clip ids are those of the videos (``<split>_<class folder>_<name>``). A list may have moved a clip to another
    emotion than its class folder's; the list's label counts.

    Raises:
        CorpusError: see `read_list`; a list is missing, or lists a clip twice.
    """
    classes = {emotion: name for name, emotion in AFEW_FOLDERS.items()} | {name.lower(): name for name in AFEW_FOLDERS}
    found: dict[str, dict[str, str]] = {}
    for path in sorted(folder.iterdir()):
        match = AFEW_NAME.fullmatch(path.name)
        if match is None:
            continue
        split = "train" if match["split"] == "train" else "val"
        clips = found.setdefault(split, {})
        for line in read_list(path):
            name = classes.get(line.folder.lower())
            if name is None:
                raise CorpusError(f"{path}: {line.folder!r} is not one of AFEW's classes")
            clip_id = f"{split}_{name}_{_PREFIX.sub('', line.name, count=1)}"
            if clip_id in clips:
                raise CorpusError(f"{path} lists clip {clip_id} twice")
            clips[clip_id] = EMOTIONS[line.label]
    missing = [split for split in ("train", "val") if not found.get(split)]
    if missing:
        raise CorpusError(
            f"{folder} lacks AFEW's list of {' and '.join(missing)} (AFEW_train.txt, AFEW_validation.txt)"
        )
    return found
