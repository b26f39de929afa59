"""MAFW: eleven emotions, five official folds of its 9,172 clips of a single emotion, from its videos or from faces.

The labels are its authors' ``single/no_caption/set_<k>/train.txt`` and ``test.txt`` (lines ``<id>.mp4 <emotion>``), or
the lists that other repositories ship (``lists``), where these are absent. MAFW is distributed as videos,
``data/clips/<id>.mp4``, which is the corpus ``mafw``; a user's own face pictures of it, ``data/faces/<id>``, are
``mafw_faces``. Neither videos nor pictures are opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import CorpusError
from nrdfer.core.plain_text import one_line
from nrdfer.corpora import label_counts, published
from nrdfer.corpora.base import Contents, Corpus, Examination, PictureClip, VideoClip
from nrdfer.corpora.copy_counts import examine_copy
from nrdfer.corpora.fold_files import Claims, Key, as_folds, choose_files, emotions_in, folds_in, labels_of, read_named
from nrdfer.corpora.label_counts import FoldLabels, LabelCounts, check_folds
from nrdfer.corpora.labels import FOLDS
from nrdfer.corpora.listed_clips import Excluded, find_base, judge, picture_clips
from nrdfer.corpora.lists import COPY, label_folders, read_list
from nrdfer.corpora.text_file import excerpt, number_in
from nrdfer.video.discovery import VIDEO_SUFFIXES

#: The order of other repositories' lists, which count from 0.
MAFW_EMOTIONS = (*EMOTIONS, "contempt", "anxiety", "helplessness", "disappointment")
VIDEOS, FACES = "data/clips", "data/faces"
_BARE = {VIDEOS: "clips", FACES: "faces"}  # of copies without the folder data
SETUP = "Train & Test Set/single/no_caption"
_NAMES = ("MAFW", "mafw")  # of its folder
_MARKS = (VIDEOS, FACES, "data/frames", *_BARE.values(), "Train & Test Set", "split")
_LIST = re.compile(rf"MAFW_set_(?P<fold>[1-5])_(?P<part>train|test){COPY}\.txt", re.IGNORECASE)
_SET = re.compile(r"set_(?P<fold>[1-5])", re.IGNORECASE)
_PART = re.compile(rf"(?P<part>train|test){COPY}\.txt", re.IGNORECASE)
_EMOTIONS = {emotion: emotion for emotion in MAFW_EMOTIONS}


class Mafw(Corpus):
    """MAFW's videos in five folds; the faces in them are found by this project."""

    name, title = "mafw", "MAFW"
    splits = ("mafw1", "mafw2", "mafw3", "mafw4", "mafw5")
    videos = True
    rendered_alone = True
    published = published.MAFW.emotions
    holds = f"{SETUP} and {VIDEOS}"
    labels = f"{SETUP}/set_1/train.txt .., or MAFW_set_1_train.txt .."
    emotions = MAFW_EMOTIONS

    def read(self, root: Path) -> Contents[VideoClip]:
        """Read MAFW's videos; see `read_division`.

        Raises:
            CorpusError: see there; videos are missing, for a tenth of the clips, or two have one clip's name.
        """
        base, folds = read_division(root)
        folder = _folder(base, VIDEOS, FACES, "a video each, <id>.mp4", "mafw_faces")
        clips, excluded = _videos(folder, emotions_in(folds))
        judge(self.title, clips, excluded, folder, self.emotions)
        return Contents(base, folder, clips, as_folds(folds), excluded)

    def examine(self, root: Path) -> Examination:
        """See `nrdfer.corpora.copy_counts.examine_copy`; clips without a single label are named, too."""
        found, contents = examine_copy(self, root, published.MAFW)
        if contents is not None:
            videos = sum(path.suffix.lower() in VIDEO_SUFFIXES for path in contents.folder.glob("[0-9]*"))
            if more := videos - len(contents.clips):
                usual = videos == published.MAFW_VIDEOS
                reason = "as distributed: they show several emotions" if usual else f"known: {published.MAFW_VIDEOS:,}"
                found.note("known" if usual else "warning", f"{more:,} of {videos:,} videos have no label; {reason}")
        return found

    def label_counts(self, root: Path) -> list[LabelCounts]:
        """The official files, which count once, and each folder of lists."""
        official, lists = claims(root)
        sets = [(root, official)] if official else []
        for folder in sorted({path.parent for _, path in lists}):
            sets.append((folder, [claim for claim in lists if claim[1].parent == folder]))
        return [
            label_counts.of_folds(self.name, "txt", folder, _read(folder, found), self.emotions)
            for folder, found in sets
        ]


class MafwFaces(Corpus):
    """A user's own face pictures of MAFW in the same folds."""

    name, title = "mafw_faces", "MAFW (faces)"
    splits = ("mafw_faces1", "mafw_faces2", "mafw_faces3", "mafw_faces4", "mafw_faces5")
    rendered_alone = True
    published = published.MAFW.emotions
    holds = f"{SETUP} and {FACES}"
    emotions = MAFW_EMOTIONS

    def read(self, root: Path) -> Contents[PictureClip]:
        """Read face pictures of MAFW; see `read_division`.

        Raises:
            CorpusError: see there; pictures are missing, for a tenth of the clips.
        """
        base, folds = read_division(root)
        folder = _folder(base, FACES, VIDEOS, "a folder of pictures each, <id>/", "mafw")
        clips, excluded = picture_clips(emotions_in(folds), lambda clip_id: folder / clip_id)
        judge(self.title, clips, excluded, folder, self.emotions)
        return Contents(base, folder, clips, as_folds(folds), excluded)

    def examine(self, root: Path) -> Examination:
        """See `nrdfer.corpora.copy_counts.examine_copy`."""
        return examine_copy(self, root, published.MAFW)[0]


MAFW, MAFW_FACES = Mafw(), MafwFaces()


def read_division(root: Path) -> tuple[Path, dict[int, FoldLabels]]:
    """MAFW's own folder, `root` or a folder in it that bears its name, and its folds.

    Raises:
        CorpusError: no such folder; label files missing or contradicting each other; or folds that are none.
    """
    base = find_base("MAFW", root, _NAMES, _MARKS, MAFW.holds)
    official, lists = claims(root)
    folds = _read(root, official or lists)
    check_folds(folds, root, "MAFW")
    return base, folds


def claims(root: Path) -> tuple[Claims, Claims]:
    """The official label files below `root` and the lists of other repositories, each with its fold and part."""
    official: list[tuple[Key, Path]] = []
    lists: list[tuple[Key, Path]] = []
    for folder, names in label_folders(root):
        above = [part.lower() for part in folder.parts[-3:-1]]
        for name in names:
            if match := _LIST.fullmatch(name):
                lists.append(((int(match["fold"]), match["part"].lower()), folder / name))
                continue
            fold, match = _SET.fullmatch(folder.name), _PART.fullmatch(name)
            if fold and match and above == ["single", "no_caption"]:
                official.append(((int(fold["fold"]), match["part"].lower()), folder / name))
    return official, lists


def _read(root: Path, found: Claims) -> dict[int, FoldLabels]:
    files = choose_files(found, FOLDS, root, "MAFW", MAFW.labels)
    return folds_in(files, {key: labels_of(path, _rows(path)) for key, path in files.items()})


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    where = one_line(str(path))
    if _LIST.fullmatch(path.name):
        for line in read_list(path, len(MAFW_EMOTIONS)):
            yield _clip_id(line.name, where), MAFW_EMOTIONS[line.label]
        return
    for number, clip, emotion in read_named(path, _EMOTIONS):
        yield _clip_id(Path(clip.replace("\\", "/")).name, f"{where}, line {number}"), emotion


def _clip_id(name: str, where: str) -> str:
    stem, suffix = Path(name).stem, Path(name).suffix.lower()
    number = number_in(stem) if suffix in {"", *VIDEO_SUFFIXES} else None
    if number is None:
        raise CorpusError(f"{where}: '{excerpt(name)}' is not the number of a clip of MAFW")
    return f"{number:05d}"


def _folder(base: Path, wanted: str, other: str, what: str, corpus: str) -> Path:
    for name in (wanted, _BARE[wanted]):
        if (base / name).is_dir():
            return base / name
    if (base / other).is_dir() or (base / _BARE[other]).is_dir():
        raise CorpusError(
            f"{base} holds {other} but not {wanted}; use the corpus {corpus} for it, or copy {wanted} there ({what})"
        )
    raise CorpusError(
        f"MAFW below {base} has neither {VIDEOS} nor {FACES}; copy its videos to {VIDEOS}, as they are distributed. "
        "Whole frames (data/frames) are not read"
    )


def _videos(folder: Path, emotions: dict[str, str]) -> tuple[list[VideoClip], Excluded]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        number = number_in(path.stem)
        if number is None or path.suffix.lower() not in VIDEO_SUFFIXES:
            continue  # hidden files, and what is no clip's video
        other = found.setdefault(f"{number:05d}", path)
        if other != path:
            raise CorpusError(f"{one_line(str(other))} and {one_line(str(path))} are one clip: remove one of them")
    clips: list[VideoClip] = []
    excluded: Excluded = []
    for clip_id, emotion in sorted(emotions.items()):
        path = found.get(clip_id, folder / f"{clip_id}.mp4")
        if path.is_file():
            clips.append(VideoClip(path, clip_id, emotion, "fold"))
        else:
            problem = "is a folder, a pipe, or a broken link" if clip_id in found else "does not exist"
            excluded.append((clip_id, f"labelled, but {one_line(str(path))} {problem}"))
    return clips, excluded
