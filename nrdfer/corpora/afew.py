"""AFEW as its organisers distribute it: ``Train_AFEW/<Emotion>/*.avi`` and ``Val_AFEW/<Emotion>/*.avi``.

Only finds and names the videos; opening them belongs to ``nrdfer.video``. The organisers' own aligned faces
(``AlignedFaces_LBPTOP_Points``) are left alone: this project makes its own.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from nrdfer.emotions import AFEW_FOLDERS
from nrdfer.errors import CorpusError

SPLITS = {"train": "Train_AFEW", "val": "Val_AFEW"}
VIDEO_SUFFIXES = {".avi", ".mp4", ".mkv", ".mov"}


@dataclass(frozen=True, slots=True)
class AfewVideo:
    """One video of AFEW."""

    path: Path
    clip_id: str  # "<split>_<Emotion>_<file stem>": stems alone repeat across classes
    emotion: str
    split: str


def find_videos(root: Path) -> list[AfewVideo]:
    """All videos below `root` (or ``root/AFEW``), in order of their clip ids.

    Raises:
        CorpusError: the folder, a split or all class folders of a split are missing or hold no video.
    """
    base = _base(root)
    videos: list[AfewVideo] = []
    for split, folder in SPLITS.items():
        found = [video for name in AFEW_FOLDERS for video in _class_videos(base / folder / name, name, split)]
        if not found:
            raise CorpusError(
                f"{base / folder} holds no video: expected {folder}/<Emotion>/*.avi with the class folders "
                f"{', '.join(AFEW_FOLDERS)}. Is the copy complete, and are the archives unpacked?"
            )
        videos += found
    repeated = [clip for clip, count in Counter(video.clip_id for video in videos).items() if count > 1]
    if repeated:
        raise CorpusError(f"{base}: two videos would both be called {repeated[0]}; rename one of them")
    return sorted(videos, key=lambda video: video.clip_id)


def _base(root: Path) -> Path:
    if not root.is_dir():
        raise CorpusError(
            f"AFEW's folder {root} does not exist; give the folder that holds Train_AFEW and Val_AFEW"
        )
    for base in (root, root / "AFEW"):
        there = [folder for folder in SPLITS.values() if (base / folder).is_dir()]
        if len(there) == len(SPLITS):
            return base
        if there:
            missing = next(folder for folder in SPLITS.values() if folder not in there)
            raise CorpusError(
                f"{base} holds {there[0]} but not {missing}; AFEW needs both, so the copy is incomplete"
            )
    inside = ", ".join(sorted(path.name for path in root.iterdir())[:8]) or "nothing"
    raise CorpusError(
        f"{root} holds neither Train_AFEW nor Val_AFEW (found: {inside}); give the folder above them"
    )


def _class_videos(folder: Path, emotion: str, split: str) -> list[AfewVideo]:
    if not folder.is_dir():
        return []
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES)
    return [
        AfewVideo(
            path,
            f"{split}_{emotion}_{re.sub(r'[^A-Za-z0-9_-]', '-', path.stem)}",
            AFEW_FOLDERS[emotion],
            split,
        )
        for path in files
    ]
