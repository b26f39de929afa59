"""DFEW as it lies on disk: face pictures a clip, emotions, five folds.

Probes the layouts that copies of DFEW have in the wild and says which one it used. Frame counts come from the disk,
never from a label file. Reading label files is `labels`' business; opening pictures is not done here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from nrdfer.corpora.labels import read_folds
from nrdfer.errors import CorpusError

_FRAMES = (
    "Clip/clip_224x224",
    "Clip/clip_224x224/clip_224x224",
    "Clip/jpg_256",
    "Clip/jpg_224",
    "data",
)
_PICTURES = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True, slots=True)
class DfewClip:
    """One clip: its pictures in order."""

    clip_id: str  # five digits
    emotion: str
    frames: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """Clip ids of one fold."""

    train: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class DfewCorpus:
    """All labelled clips with pictures, the folds as labelled, and labelled clips that have no pictures."""

    root: Path
    frames_folder: Path
    clips: list[DfewClip]
    folds: dict[int, Fold]
    set_aside: list[tuple[str, str]]


def read_dfew(root: Path) -> DfewCorpus:
    """Read DFEW below `root` or ``root/DFEW``.

    Raises:
        CorpusError: no such folder, label files or pictures missing, or only pictures resampled to 16 frames.
    """
    if not root.is_dir():
        raise CorpusError(
            f"DFEW's folder {root} does not exist; give the folder that holds EmoLabel_DataSplit and Clip"
        )
    base = root / "DFEW" if (root / "DFEW").is_dir() else root
    folds = read_folds(base)
    folder = find_frames(base)
    emotions = {c: e for fold in folds.values() for part in (fold.train, fold.test) for c, e in part.items()}
    clips: list[DfewClip] = []
    aside: list[tuple[str, str]] = []
    for clip_id, emotion in sorted(emotions.items()):
        frames = list_frames(folder / clip_id)
        if frames:
            clips.append(DfewClip(clip_id, emotion, frames))
        else:
            aside.append((clip_id, f"labelled, but {folder / clip_id} holds no picture"))
    if not clips:
        raise CorpusError(
            f"none of the {len(emotions)} labelled clips has pictures in {folder}; is the copy complete?"
        )
    return DfewCorpus(
        base,
        folder,
        clips,
        {k: Fold(tuple(sorted(fold.train)), tuple(sorted(fold.test))) for k, fold in folds.items()},
        aside,
    )


def find_frames(base: Path) -> Path:
    """The folder whose sub-folders are clips.

    Raises:
        CorpusError: there is none, or only one whose clips were resampled to 16 frames.
    """
    for name in _FRAMES:
        folder = base / name
        if folder.is_dir() and any(p.is_dir() and re.fullmatch(r"\d{5}", p.name) for p in folder.iterdir()):
            return folder
    resampled = sorted(path for path in base.glob("Clip/*_16f") if path.is_dir())
    if resampled:
        raise CorpusError(
            f"{resampled[0]} holds clips resampled to 16 frames by time interpolation; dynamic sampling needs the "
            f"original frames: unpack clip_224x224 into {base / 'Clip'}"
        )
    raise CorpusError(
        f"no face pictures found below {base}: looked for {', '.join(_FRAMES)} with folders named 00001, 00002 ... "
        "Unpack DFEW's clip_224x224 there"
    )


def list_frames(folder: Path) -> tuple[Path, ...]:
    """Pictures of a clip in natural order (2 before 10); empty if the folder is missing or empty."""
    if not folder.is_dir():
        return ()
    pictures = [path for path in folder.iterdir() if path.suffix.lower() in _PICTURES]
    return tuple(sorted(pictures, key=lambda path: [int(n) for n in re.findall(r"\d+", path.stem)] + [0]))
