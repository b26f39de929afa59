"""A user's own corpus under a name: its definition in the project's folder, and the corpus that is read from it.

The definition holds the label set, the division and every clip's place; videos and pictures stay where they are. How
labels are read belongs to ``own_labels``, how clips are divided to ``own_division``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nrdfer.core import file_locks, paths
from nrdfer.core.atomic_files import write_whole
from nrdfer.core.coerce import brief
from nrdfer.core.emotions import check_label_set
from nrdfer.core.errors import CorpusError, NrdferError
from nrdfer.core.plain_text import one_line
from nrdfer.core.safe_names import shortened, stays_below
from nrdfer.corpora.base import LONGEST_ID, Contents, Corpus, Fold, PictureClip, VideoClip
from nrdfer.corpora.listed_clips import judge
from nrdfer.corpora.own_labels import MOST_FOLDS, LabelledPath
from nrdfer.corpora.picture_folder import pictures_of
from nrdfer.video.discovery import clip_id_of, distinct

SCHEMA = 1
DEFINITION = "corpus.json"
#: Names of assets and their groups that are no corpora.
RESERVED = frozenset(
    [
        *("filter_thresholds", "noise", "prediction", "predictions", "report", "tables"),
        *(f"table_{number}" for number in range(1, 6)),
        *("step_1_corpora", "step_2_faces", "step_3_shards", "step_4_training", "step_5_evaluation", "step_6_report"),
        *("full", "default"),  # of the job full_reproduction, and of Dagster's own group
    ]
)
_NAME = re.compile(r"[a-z][a-z0-9_]{1,30}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Definition:
    """What is known of a corpus without reading its clips.

    Raises:
        ValueError: a value that no corpus can have.
    """

    name: str
    root: str  # absolute; that all clips are below
    videos: bool
    emotions: tuple[str, ...]
    folds: int
    clips: str = ""  # file beside the definition that lists them, named by its content
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise ValueError(f"it is of schema {brief(self.schema)}, and this version reads {SCHEMA}")
        texts = (self.name, self.root, self.clips, *self.emotions)
        if not all(isinstance(text, str) for text in texts) or not isinstance(self.videos, bool):
            raise ValueError("a value has another type than it must have")
        check_name(self.name)
        check_label_set(self.emotions)
        if type(self.folds) is not int or not 1 <= self.folds <= MOST_FOLDS:
            raise ValueError(f"it has {brief(self.folds)} folds, not 1 to {MOST_FOLDS}")
        if not stays_below(self.clips) and self.clips:
            raise ValueError("its clips are listed elsewhere")

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of its trainings."""
        return (self.name,) if self.folds == 1 else tuple(f"{self.name}{k}" for k in range(1, self.folds + 1))


@dataclass(frozen=True, slots=True)
class _Listed:
    """One clip as the definition lists it."""

    clip_id: str
    path: str  # below the root
    label: str
    fold: int  # that tests it, or `nrdfer.corpora.own_division.NEVER`
    person: str = ""


class OwnCorpus(Corpus):
    """A corpus that a user has added."""

    def __init__(self, definition: Definition, folder: Path) -> None:
        self.definition, self.folder = definition, folder
        self.name = self.title = definition.name
        self.splits, self.videos, self.emotions = definition.splits, definition.videos, definition.emotions
        self.holds = "its videos" if self.videos else "its folders of face pictures"
        self.default_root = Path(definition.root)

    def read(self, root: Path) -> Contents[Any]:
        """Find the clips of the definition below `root`; missing ones are excluded.

        Raises:
            CorpusError: the definition is damaged, or more clips are missing than an incomplete copy explains.
        """
        if not root.is_dir():
            raise CorpusError(f"{self.title}'s folder {root} does not exist; mount its disk, or set {self.variable}")
        listed = _read_clips(self.folder / self.definition.clips)
        clips: list[Any] = []
        excluded: list[tuple[str, str]] = []
        for one in listed:
            clip, problem = _found(one, root, self.videos)
            if clip is None:
                excluded.append((one.clip_id, f"labelled, but {one_line(str(root / one.path))} {problem}"))
            else:
                clips.append(clip)
        judge(self.title, clips, excluded, root, self.emotions)
        folds = {k: _fold(listed, k) for k in range(1, self.definition.folds + 1)}
        return Contents(root, root, clips, folds, excluded)


def _fold(listed: Sequence[_Listed], k: int) -> Fold:
    test = tuple(one.clip_id for one in listed if one.fold == k)
    return Fold(tuple(one.clip_id for one in listed if one.fold != k), test)


def _found(one: _Listed, root: Path, videos: bool) -> tuple[VideoClip | PictureClip | None, str]:
    """The clip, or None and what is wrong."""
    path = root / one.path
    if videos:
        if not path.is_file():
            return None, "does not exist"
        return VideoClip(path, one.clip_id, one.label, "fold", person=one.person), ""
    names, problem = pictures_of(path)
    return (None, problem) if problem else (PictureClip(one.clip_id, one.label, path, names), "")


def check_name(name: str) -> None:
    """Check the name of a corpus: it is part of assets', models' and environment variables' names.

    Raises:
        ValueError: it is no such name.
    """
    if not _NAME.fullmatch(name) or "__" in name:
        raise ValueError(
            f"{one_line(name[:60])!r} cannot be the name of a corpus: give 2 to 31 small letters, digits and single _, "
            "beginning with a letter"
        )


def folder_of(name: str) -> Path:
    """The folder of a corpus's definition in this project."""
    return paths.home() / "corpora" / name


def define(
    name: str, emotions: tuple[str, ...], rows: Sequence[LabelledPath], folds: int, tested: Sequence[int]
) -> OwnCorpus:
    """Write the definition of a corpus; one of that name is replaced.

    Args:
        name: of it.
        emotions: its label set.
        rows: its clips, all videos or all folders of pictures.
        folds: how many there are.
        tested: the fold that tests each clip.

    Raises:
        ValueError: the name cannot be one.
        CorpusError: videos and folders of pictures together, or clips in the folder of the definition.
    """
    kinds = {row.videos: row for row in reversed(rows)}  # the first of each
    if len(kinds) > 1:
        raise CorpusError(
            f"{kinds[True].where} is a video and {kinds[False].where} a folder of pictures; a corpus has one kind of "
            "clips: add them as two"
        )
    root = Path(os.path.commonpath([row.path.parent for row in rows]))
    sources = distinct([(row.path, _clip_id(row.path, root)) for row in rows])
    listed = [
        _Listed(source.clip_id, row.path.relative_to(root).as_posix(), row.label, fold, row.person)
        for source, row, fold in zip(sources, rows, tested, strict=True)
    ]
    lines = "".join(json.dumps(asdict(one)) + "\n" for one in sorted(listed, key=lambda one: one.clip_id)).encode()
    clips = f"clips-{hashlib.sha256(lines).hexdigest()[:16]}.jsonl"
    definition = Definition(name, str(root), rows[0].videos, emotions, folds, clips)
    folder = folder_of(name)
    if root.is_relative_to(folder):
        raise CorpusError(f"the clips are in {folder}, where the definition of {name} belongs; move them elsewhere")
    folder.mkdir(parents=True, exist_ok=True)
    with file_locks.held(folder.with_name(f".{name}.lock")):
        write_whole(folder / clips, lines)
        write_whole(folder / DEFINITION, json.dumps(asdict(definition), indent=1).encode())  # replaces at once
        _remove_lists(folder, clips)
    return OwnCorpus(definition, folder)


def forget(name: str) -> bool:
    """Remove the definition of a corpus, and nothing else; False if there is none."""
    folder = folder_of(name)
    if not (folder / DEFINITION).is_file():
        return False
    with file_locks.held(folder.with_name(f".{name}.lock")):
        (folder / DEFINITION).unlink(missing_ok=True)
        _remove_lists(folder)
        with contextlib.suppress(OSError):  # something of the user's is in it
            folder.rmdir()
    return True


def _remove_lists(folder: Path, kept: str = "") -> None:
    for path in folder.glob("clips-*.jsonl"):
        if path.name != kept:
            path.unlink(missing_ok=True)


def _clip_id(path: Path, root: Path) -> str:
    """A clip's id: its place below the root, so that equal names in two folders stay apart."""
    below = path.relative_to(root)
    whole = "_".join((*below.parent.parts, below.name if path.is_dir() else below.stem))
    return shortened(clip_id_of(Path(f"{whole}.x")), LONGEST_ID, os.fsencode(below))


def own_corpora(folder: Path | None = None) -> Iterator[OwnCorpus]:
    """The corpora that were added to this project; a definition that cannot be read is left out with a warning."""
    try:
        place = folder or paths.home() / "corpora"
    except NrdferError:  # the working directory is gone; whatever needs the project's folder says so
        return
    try:
        found = sorted(place.glob(f"*/{DEFINITION}"))
    except OSError as error:  # commands that need no corpus go on
        _log.warning("%s cannot be looked into for corpora: %s", one_line(str(place)), error.strerror)
        return
    for path in found:
        try:
            values = json.loads(path.read_text())
            definition = Definition(**{**values, "emotions": tuple(values["emotions"])})
            if definition.name != path.parent.name:
                raise ValueError(f"it is of the corpus {definition.name}")
            corpus = OwnCorpus(definition, path.parent)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            _log.warning("%s does not define a corpus: %s; add it again", one_line(str(path)), one_line(str(error)))
            continue
        yield corpus


def _read_clips(path: Path) -> list[_Listed]:
    try:
        return [_Listed(**json.loads(line)) for line in path.read_text().splitlines()]
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise CorpusError(
            f"{path} does not list a corpus's clips ({error}); add the corpus again, or if it was, "
            "reload the code location"
        ) from error
