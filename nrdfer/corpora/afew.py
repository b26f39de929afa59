"""AFEW as its organisers distribute it: ``Train_AFEW/<Emotion>/*.avi`` and ``Val_AFEW/<Emotion>/*.avi``.

Only finds and names the videos; opening them belongs to ``nrdfer.video``. The organisers' own aligned faces
(``AlignedFaces_LBPTOP_Points``) are not used: this project aligns faces itself.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Sequence
from pathlib import Path

from nrdfer.core.emotions import AFEW_FOLDERS
from nrdfer.core.errors import CorpusError
from nrdfer.core.plain_text import one_line, utf8
from nrdfer.core.safe_names import shortened
from nrdfer.corpora import doctor, label_counts
from nrdfer.corpora.base import LONGEST_ID, Contents, Corpus, Examination, Finding, VideoClip
from nrdfer.corpora.label_counts import LabelCounts
from nrdfer.corpora.lists import AFEW_NAME, label_folders, read_afew_lists
from nrdfer.video.discovery import VIDEO_SUFFIXES, distinct

SPLITS = {"train": "Train_AFEW", "val": "Val_AFEW"}
_BOOKKEEPING = frozenset({"thumbs.db", "desktop.ini"})
_ALIGNED = "alignedfaces"
_log = logging.getLogger(__name__)


class Afew(Corpus):
    """AFEW: film clips as videos, divided by its organisers; fine-tuned from DFEW's first fold (section 4.2)."""

    name, title = "afew", "AFEW"
    splits = ("afew",)
    videos = True
    parts = ("train", "val")
    holds = "Train_AFEW and Val_AFEW"
    labels = "Train_AFEW and Val_AFEW, or AFEW_train.txt and AFEW_validation.txt"
    recipe = "afew-paper"
    initial = "fd1"
    of_paper = True
    rendered_as = "AFEW"

    def read(self, root: Path) -> Contents[VideoClip]:
        """See `find_videos`."""
        return Contents(root, root, find_videos(root))

    def label_counts(self, root: Path) -> list[LabelCounts]:
        """Each folder of text lists, and the class folders."""
        lists = [folder for folder, names in label_folders(root) if any(map(AFEW_NAME.fullmatch, names))]
        sets = [label_counts.of_parts(self.name, "txt", folder, read_afew_lists(folder)) for folder in lists]
        for base in (root, root / "AFEW"):
            if any((base / name).is_dir() for name in SPLITS.values()):
                found: dict[str, dict[str, str]] = {split: {} for split in SPLITS}
                for video in find_videos(base):
                    found[video.split][video.clip_id] = video.emotion
                sets.append(label_counts.of_parts(self.name, "folders", base, found))
        return sets

    def examine(self, root: Path) -> Examination:
        """See `nrdfer.corpora.doctor.examine_afew`; files that are not videos are named, too."""
        found = doctor.examine_afew(self, root)
        if found.usable and (others := files_left_out(root)):
            text = f"{names_of(others)} in class folders are not videos by their names: left out"
            found.findings.insert(1, Finding("warning", text))
        return found


AFEW = Afew()


def find_videos(root: Path) -> list[VideoClip]:
    """All videos below `root` (or ``root/AFEW``), in order of their clip ids.

    Class folders that are missing or empty, and folders that are no class, are named in a warning. So are videos
    whose name another one has already (the same stem with two suffixes): the later name gets a number. A name that is
    too long for a shard is cut and gets a digest; files not named as videos are left out, with a warning.

    Raises:
        CorpusError: the folder, a split or all class folders of a split are missing or hold no video.
    """
    base = _base(root)
    videos: list[VideoClip] = []
    for split, name in SPLITS.items():
        found = _split_videos(base / name, split)
        if not found:
            others = [path for path in files_left_out(root) if base / name in path.parents]
            raise CorpusError(
                f"{base / name} holds no video: expected {name}/<Emotion>/*.avi with the class folders "
                f"{', '.join(AFEW_FOLDERS)}. Is the copy complete, and are the archives unpacked?"
                + (f" There are {names_of(others)}, which are not videos by their names" if others else "")
            )
        videos += found
    others = files_left_out(root)
    if others:
        _log.warning("%s below %s are not videos by their names: left out", names_of(others), base)
    return sorted(_distinguished(videos), key=lambda video: video.clip_id)


def files_left_out(root: Path) -> list[Path]:
    """Files and folders in the class folders whose names are not those of videos, without system bookkeeping."""
    classes = {name.lower() for name in AFEW_FOLDERS}
    folders = (
        folder for name in SPLITS.values() for folder in sorted((_base(root) / name).iterdir())
        if folder.name.lower() in classes and folder.is_dir()
    )  # fmt: skip
    return [
        path
        for folder in folders
        for path in sorted(folder.iterdir())
        if path.suffix.lower() not in VIDEO_SUFFIXES
        and not path.name.startswith(".")
        and path.name.lower() not in _BOOKKEEPING
    ]


def names_of(paths: Sequence[Path]) -> str:
    """Number of files and the names of a few, for a message."""
    listed = ", ".join(one_line(path.name) for path in paths[:5])
    return f"{len(paths)} files ({listed}{', ...' if len(paths) > 5 else ''})"


def _distinguished(videos: list[VideoClip]) -> list[VideoClip]:
    named = []
    for video, source in zip(videos, distinct([(v.path, v.clip_id) for v in videos]), strict=True):
        clip_id, note = shortened(source.clip_id, LONGEST_ID), source.note
        if note:
            _log.warning("%s: %s; if it is a copy, remove it", one_line(str(video.path)), one_line(note))
        if clip_id != source.clip_id:
            note = "; ".join(filter(None, (note, f"called {clip_id}, because its own name is too long for a shard")))
            _log.warning("%s: %s", one_line(str(video.path)), one_line(note))
        named.append(dataclasses.replace(video, clip_id=clip_id, note=utf8(note)))
    return named


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
    inside = ", ".join(sorted(one_line(path.name) for path in root.iterdir())[:8]) or "nothing"
    raise CorpusError(f"{root} holds neither Train_AFEW nor Val_AFEW (found: {inside}); give the folder above them")


def _split_videos(folder: Path, split: str) -> list[VideoClip]:
    classes = {name.lower(): name for name in AFEW_FOLDERS}
    videos: list[VideoClip] = []
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
            _log.warning("%s is not one of AFEW's classes (%s); ignored", one_line(str(path)), ", ".join(AFEW_FOLDERS))
    if videos and without:
        _log.warning("%s has no video of %s; is the copy complete?", folder, ", ".join(sorted(without)))
    return videos


def _class_videos(folder: Path, name: str, split: str) -> list[VideoClip]:
    # names that begin with a dot are other systems' bookkeeping (._013736360.avi), not videos
    files = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")
    )
    for path in files:
        if not path.is_file():
            _log.warning(
                "%s is a folder, a pipe, or a broken link; it has no bytes and is left out",
                one_line(str(path)),
            )
    files = [path for path in files if path.is_file()]
    return [VideoClip(path, f"{split}_{name}_{_sanitised(path.stem)}", AFEW_FOLDERS[name], split) for path in files]


def _sanitised(stem: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", stem)
