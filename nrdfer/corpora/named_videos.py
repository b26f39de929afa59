"""Videos whose file names carry their labels, and folds of people: nobody is in train and test of a fold.

What a name means belongs to each corpus (``cremad``, ``ravdess``); searching folders for videos, to
`nrdfer.video.discovery`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nrdfer.core.errors import CorpusError
from nrdfer.core.plain_text import one_line
from nrdfer.corpora.base import Fold, VideoClip
from nrdfer.corpora.label_counts import FoldLabels
from nrdfer.video.discovery import videos_below

FOLDS = range(1, 6)
_POINTER, _LONGEST_POINTER = b"version https://git-lfs", 1024
_NAMED = 5  # files that a message names
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Name:
    """What the name of a video says."""

    clip_id: str
    person: str
    emotion: str


def find_named(root: Path, title: str, read: Callable[[Path], Name | None], expected: str) -> list[VideoClip]:
    """All videos below `root` that are named as a corpus names them, in order of their clip ids.

    Hidden files are left out; other videos are, with a warning. No video is opened.

    Args:
        root: folder that is searched, with all folders in it.
        title: of the corpus.
        read: what a file's name says, from its path; None if it is no name of the corpus.
        expected: how its videos are named, for messages.

    Raises:
        CorpusError: no such folder, no such video, two of one name, or files that only point at a video.
    """
    if not root.is_dir():
        raise CorpusError(f"{title}'s folder {root} does not exist; give the folder that holds {expected}")
    videos, _ = videos_below(root)
    clips: dict[str, VideoClip] = {}
    others: list[Path] = []
    for path in videos:
        name = read(path)
        if name is None or not path.is_file():
            others.append(path)
            continue
        clip = VideoClip(path, name.clip_id, name.emotion, "fold", person=name.person)
        if (same := clips.setdefault(name.clip_id, clip)) is not clip:
            raise CorpusError(
                f"{one_line(str(same.path))} and {one_line(str(path))} are both clip {name.clip_id} of {title}: keep "
                "one of them in the folder"
            )
    listed = ", ".join(one_line(path.name) for path in others[:_NAMED])
    if not clips:
        found = f"{len(others)} others, e.g. {listed}" if others else "none at all"
        raise CorpusError(f"no video of {title} below {root}: expected {expected}; found {found}")
    if others:
        _log.warning("%d videos below %s are not named as %s's: left out (%s)", len(others), root, title, listed)
    _refuse_pointers(root, title, [clip.path for clip in clips.values()])
    return [clips[clip_id] for clip_id in sorted(clips)]


def _refuse_pointers(root: Path, title: str, paths: Iterable[Path]) -> None:
    """Refuse what a clone without Git LFS leaves in a video's place."""
    pointers = [path for path in paths if path.stat().st_size <= _LONGEST_POINTER and _is_pointer(path)]
    if pointers:
        raise CorpusError(
            f"{len(pointers)} files of {title} below {root}, e.g. {one_line(pointers[0].name)}, only point at a video: "
            "they were cloned without Git LFS. Run `git lfs pull` in that folder"
        )


def _is_pointer(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_POINTER)) == _POINTER


def folds_of_people(clips: Sequence[VideoClip], fold_of: Callable[[str], int], title: str) -> dict[int, FoldLabels]:
    """Five folds: each tests the clips of its people and trains on those of all others.

    Args:
        clips: with their people.
        fold_of: the fold that tests a person, 1 to 5.
        title: of the corpus.

    Raises:
        CorpusError: a fold has nobody to test.
    """
    tested = {k: {clip.clip_id: clip.emotion for clip in clips if fold_of(clip.person) == k} for k in FOLDS}
    if empty := [k for k in FOLDS if not tested[k]]:
        people = sorted({clip.person for clip in clips})
        raise CorpusError(
            f"{title} has clips of {len(people)} people ({', '.join(people[:_NAMED])}, ...), and fold {empty[0]} is "
            "left with nobody to test: folds are of people, so copy the clips of the others, too"
        )
    every = {clip.clip_id: clip.emotion for clip in clips}
    return {k: FoldLabels({c: e for c, e in every.items() if c not in test}, test) for k, test in tested.items()}


def warn_of_absent(clips: Sequence[VideoClip], emotions: Sequence[str], folds: Mapping[int, Fold], title: str) -> None:
    """Warn of emotions that the corpus, or one of the folds' test sets, has no clip of."""
    emotion_of = {clip.clip_id: clip.emotion for clip in clips}
    for where, ids in [("it", emotion_of), *((f"the test set of fold {k}", f.test) for k, f in folds.items())]:
        have = Counter(emotion_of[clip_id] for clip_id in ids)
        if without := [emotion for emotion in emotions if not have[emotion]]:
            _log.warning("%s: %s has no clip of %s; is the copy complete?", title, where, ", ".join(without))
