"""Clips that label files list, as far as they are on disk: the rest is excluded with a reason, or the copy refused.

Reading label files belongs to ``fold_files`` and ``lists``; how a corpus names its folders, to the corpus.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from nrdfer.core.errors import CorpusError
from nrdfer.core.plain_text import one_line
from nrdfer.corpora.base import PictureClip, VideoClip
from nrdfer.corpora.picture_folder import pictures_of

#: Of all listed clips; more that are missing mean an incomplete copy.
MISSING_LIMIT = 0.10
Excluded = list[tuple[str, str]]  # clip id and reason
_log = logging.getLogger(__name__)


def picture_clips(
    emotions: Mapping[str, str], folder_of: Callable[[str], Path], scene_of: Callable[[str], str] = lambda clip_id: ""
) -> tuple[list[PictureClip], Excluded]:
    """The listed clips that have a folder of pictures, in order of their ids, and the others with reasons.

    Args:
        emotions: by clip id.
        folder_of: a clip's folder.
        scene_of: a clip's scene, where the corpus has scenes.
    """
    clips: list[PictureClip] = []
    excluded: Excluded = []
    for clip_id, emotion in sorted(emotions.items()):
        folder = folder_of(clip_id)
        names, problem = pictures_of(folder)
        if problem:
            excluded.append((clip_id, f"labelled, but {one_line(str(folder))} {problem}"))
        else:
            clips.append(PictureClip(clip_id, emotion, folder, names, scene=scene_of(clip_id)))
    return clips, excluded


def judge(
    title: str,
    clips: Sequence[PictureClip | VideoClip],
    excluded: Excluded,
    folder: Path,
    emotions: Iterable[str],
) -> None:
    """Log how many clips there are, and warn of excluded ones and of emotions without a clip.

    Raises:
        CorpusError: so many are missing that the copy must be incomplete.
    """
    listed, missing = len(clips) + len(excluded), len(excluded)
    if missing > MISSING_LIMIT * listed:
        clip_id, reason = excluded[0]
        raise CorpusError(
            f"only {len(clips)} of the {listed} labelled clips of {title} can be used in {folder}; the first of the "
            f"others is {clip_id}: {reason}. Copy or unpack the rest, or take the missing clips out of all label files"
        )
    if excluded:
        _log.warning("%d of %d labelled clips of %s cannot be used: excluded", missing, listed, title)
    have = Counter(clip.emotion for clip in clips)
    if without := [emotion for emotion in emotions if not have[emotion]]:
        _log.warning("%s in %s has no clip of %s; is the copy complete?", title, folder, ", ".join(without))
    _log.info("%s: %d clips in %s", title, len(clips), folder)


def find_base(title: str, root: Path, names: Sequence[str], marks: Sequence[str], holds: str) -> Path:
    """The corpus's own folder: `root`, or the one in it that has one of its `names`.

    Args:
        title: of the corpus.
        root: as it was given.
        names: that its folder may have below `root`.
        marks: folders or files, of which its own folder holds at least one.
        holds: what it holds, for messages.

    Raises:
        CorpusError: there is none.
    """
    if not root.is_dir():
        raise CorpusError(f"{title}'s folder {root} does not exist; give the folder that holds {holds}")
    for base in (root, *(root / name for name in names)):
        if any((base / mark).exists() for mark in marks):
            return base
    inside = ", ".join(sorted(one_line(path.name) for path in root.iterdir())[:8]) or "nothing"
    raise CorpusError(
        f"{root} is not {title}: it holds none of {', '.join(marks)} (found: {inside}); give the folder that holds "
        f"{holds}"
    )
