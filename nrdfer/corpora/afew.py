"""AFEW as its organisers distribute it: ``Train_AFEW/<Emotion>/*.avi`` and ``Val_AFEW/<Emotion>/*.avi``.

Only finds and names the videos; opening them belongs to ``nrdfer.video``. The organisers' own aligned faces
(``AlignedFaces_LBPTOP_Points``) are left alone: this project makes its own.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from dataclasses import dataclass
from pathlib import Path

from nrdfer.emotions import AFEW_FOLDERS
from nrdfer.errors import CorpusError
from nrdfer.video.sources import distinct

SPLITS = {"train": "Train_AFEW", "val": "Val_AFEW"}
VIDEO_SUFFIXES = frozenset({".avi", ".mp4", ".mkv", ".mov"})
_ALIGNED = "alignedfaces"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AfewVideo:
    """One video of AFEW."""

    path: Path
    clip_id: str  # "<split>_<Emotion>_<file stem>": stems alone repeat across classes
    emotion: str
    split: str
    note: str = ""  # set where another video had the name already


def find_videos(root: Path) -> list[AfewVideo]:
    """All videos below `root` (or ``root/AFEW``), in order of their clip ids.

    Class folders that are missing or empty, and folders that are no class, are named in a warning. So are videos
    whose name another one has already (the same stem with two suffixes): the later is told apart by a number.

    Raises:
        CorpusError: the folder, a split or all class folders of a split are missing or hold no video.
    """
    base = _base(root)
    videos: list[AfewVideo] = []
    for split, name in SPLITS.items():
        found = _split_videos(base / name, split)
        if not found:
            raise CorpusError(
                f"{base / name} holds no video: expected {name}/<Emotion>/*.avi with the class folders "
                f"{', '.join(AFEW_FOLDERS)}. Is the copy complete, and are the archives unpacked?"
            )
        videos += found
    return sorted(_told_apart(videos), key=lambda video: video.clip_id)


def _told_apart(videos: list[AfewVideo]) -> list[AfewVideo]:
    named = distinct([(video.path, video.clip_id) for video in videos])
    for source in named:
        if source.note:
            _log.warning("%s: %s; if it is a copy, remove it", source.path, source.note)
    return [
        dataclasses.replace(video, clip_id=source.clip_id, note=source.note)
        for video, source in zip(videos, named, strict=True)
    ]


def _base(root: Path) -> Path:
    if not root.is_dir():
        raise CorpusError(f"AFEW's folder {root} does not exist; give the folder that holds Train_AFEW and Val_AFEW")
    for base in (root, root / "AFEW"):
        there = [folder for folder in SPLITS.values() if (base / folder).is_dir()]
        if len(there) == len(SPLITS):
            return base
        if there:
            missing = next(folder for folder in SPLITS.values() if folder not in there)
            raise CorpusError(
                f"{base} holds {there[0]} but not {missing}; AFEW needs both, so the copy is incomplete: copy or "
                f"unpack {missing} there"
            )
    inside = ", ".join(sorted(path.name for path in root.iterdir())[:8]) or "nothing"
    raise CorpusError(f"{root} holds neither Train_AFEW nor Val_AFEW (found: {inside}); give the folder above them")


def _split_videos(folder: Path, split: str) -> list[AfewVideo]:
    classes = {name.lower(): name for name in AFEW_FOLDERS}
    videos: list[AfewVideo] = []
    without = set(AFEW_FOLDERS)
    for path in sorted(path for path in folder.iterdir() if path.is_dir()):
        name = classes.get(path.name.lower())
        if name is not None:
            found = _class_videos(path, name, split)
            videos += found
            if found:
                without.discard(name)
        elif path.name.lower().startswith(_ALIGNED):
            _log.info("%s: the organisers' aligned faces are not used", path)
        elif not path.name.startswith("."):
            _log.warning("%s is not one of AFEW's classes (%s); left alone", path, ", ".join(AFEW_FOLDERS))
    if videos and without:
        _log.warning("%s has no video of %s; is the copy complete?", folder, ", ".join(sorted(without)))
    return videos


def _class_videos(folder: Path, name: str, split: str) -> list[AfewVideo]:
    # names that begin with a dot are other systems' bookkeeping (._013736360.avi), not videos
    files = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")
    )
    for path in files:
        if not path.is_file():
            _log.warning("%s is a folder, a pipe, or a link that leads nowhere; it has no bytes and is left out", path)
    files = [path for path in files if path.is_file()]
    return [AfewVideo(path, f"{split}_{name}_{_sanitised(path.stem)}", AFEW_FOLDERS[name], split) for path in files]


def _sanitised(stem: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", stem)
