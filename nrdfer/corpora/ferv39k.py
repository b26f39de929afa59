"""FERV39k: face pictures in ``2_ClipsforFaceCrop/<Scene>/<Emotion>/<id>``, and one official division.

The labels are its authors' ``4_setups/All_scenes/train_All.csv`` and ``test_All.csv`` (lines ``<Scene>/<Emotion>/<id>
<Emotion>``), or the lists that other repositories ship (``lists``), where these are absent. Ids repeat between scenes
and emotions, so a clip's id here is ``<Scene>_<Emotion>_<id>``. Pictures are not opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from nrdfer.core.emotions import AFEW_FOLDERS, EMOTIONS
from nrdfer.core.errors import CorpusError
from nrdfer.core.plain_text import one_line
from nrdfer.core.safe_names import shortened
from nrdfer.corpora import label_counts, published
from nrdfer.corpora.base import LONGEST_ID, Contents, Corpus, Examination, PictureClip
from nrdfer.corpora.copy_counts import examine_copy
from nrdfer.corpora.fold_files import Claims, Key, as_folds, choose_files, emotions_in, folds_in, labels_of, read_named
from nrdfer.corpora.label_counts import FoldLabels, LabelCounts, refuse_shared
from nrdfer.corpora.listed_clips import find_base, judge, picture_clips
from nrdfer.corpora.lists import COPY, label_folders, read_list, refuse_contradictions
from nrdfer.corpora.text_file import excerpt

CLIPS, SETUP = "2_ClipsforFaceCrop", "4_setups/All_scenes"
FOLDS = (1,)
_NAMES = ("FERV39k", "FERV39K", "ferv39k")  # of its folder
_OFFICIAL = re.compile(rf"(?P<part>train|test)_All{COPY}\.csv", re.IGNORECASE)
_LIST = re.compile(rf"FERV39K_(?P<part>train|test){COPY}\.txt", re.IGNORECASE)
#: Its class folders, which AFEW's share, by name in lower case.
_CLASSES = {name.lower(): name for name in AFEW_FOLDERS} | {emotion: name for name, emotion in AFEW_FOLDERS.items()}
_EMOTIONS = {name.lower(): emotion for name, emotion in AFEW_FOLDERS.items()}


class Ferv39k(Corpus):
    """FERV39k: clips of 22 kinds of scenes as face pictures, with one division into training and test."""

    name, title = "ferv39k", "FERV39k"
    splits = ("ferv39k",)
    rendered_alone = True
    published = published.FERV39K.emotions
    holds = f"{SETUP} and {CLIPS}"
    labels = f"{SETUP}/train_All.csv and test_All.csv, or FERV39K_train.txt and FERV39K_test.txt"

    def read(self, root: Path) -> Contents[PictureClip]:
        """See `read_ferv39k`."""
        return read_ferv39k(root)

    def examine(self, root: Path) -> Examination:
        """See `nrdfer.corpora.copy_counts.examine_copy`."""
        return examine_copy(self, root, published.FERV39K)[0]

    def label_counts(self, root: Path) -> list[LabelCounts]:
        """The official files, which count once, and each folder of lists."""
        official, lists = claims(root)
        sets = [("csv", root, official)] if official else []
        for folder in sorted({path.parent for _, path in lists}):
            sets.append(("txt", folder, [claim for claim in lists if claim[1].parent == folder]))
        return [label_counts.of_folds(self.name, kind, folder, _read(folder, found)[0]) for kind, folder, found in sets]


FERV39K = Ferv39k()


def read_ferv39k(root: Path) -> Contents[PictureClip]:
    """Read FERV39k below `root` or a folder in it that bears its name.

    Listed clips without pictures are excluded with a reason and counted in a warning.

    Raises:
        CorpusError: no such folder; label files missing, or contradicting the class folders or each other; a clip in
            train and test; or pictures missing for a tenth of the clips.
    """
    base = find_base("FERV39k", root, _NAMES, (CLIPS, "4_setups"), FERV39K.holds)
    official, lists = claims(root)
    folds, places = _read(root, official or lists)
    refuse_shared(folds, root, "FERV39k")
    folder = find_clips(base)
    clips, excluded = picture_clips(
        emotions_in(folds), lambda clip_id: folder / places[clip_id], lambda clip_id: places[clip_id].split("/")[0]
    )
    judge("FERV39k", clips, excluded, folder, EMOTIONS)
    return Contents(base, folder, clips, as_folds(folds), excluded)


def find_clips(base: Path) -> Path:
    """The folder of the scenes; an archive may have been unpacked into one of the same name.

    Raises:
        CorpusError: there is none, or it holds no scene.
    """
    for folder in (base / CLIPS / CLIPS, base / CLIPS):
        if folder.is_dir() and any(path.is_dir() and not path.name.startswith(".") for path in folder.iterdir()):
            return folder
    raise CorpusError(
        f"FERV39k below {base} has no face pictures: expected {CLIPS}/<Scene>/<Emotion>/<id>/ with a picture a frame. "
        f"Unpack {CLIPS} there"
    )


def claims(root: Path) -> tuple[Claims, Claims]:
    """The official label files below `root` and the lists of other repositories, each with its part."""
    official: list[tuple[Key, Path]] = []
    lists: list[tuple[Key, Path]] = []
    for folder, names in label_folders(root):
        for name in names:
            if (match := _OFFICIAL.fullmatch(name)) and folder.name.lower() == Path(SETUP).name.lower():
                official.append(((1, match["part"].lower()), folder / name))
            elif match := _LIST.fullmatch(name):
                lists.append(((1, match["part"].lower()), folder / name))
    return official, lists


def _read(root: Path, found: Claims) -> tuple[dict[int, FoldLabels], dict[str, str]]:
    """The labels, and the place of every clip below the clips' folder by its id."""
    files = choose_files(found, FOLDS, root, "FERV39k", FERV39K.labels)
    places: dict[str, str] = {}
    parts: dict[Key, dict[str, str]] = {}
    for key, path in files.items():
        rows = list(_official(path) if path.suffix.lower() == ".csv" else _listed(path))
        parts[key] = labels_of(path, [(_clip_id(place, places, path), emotion) for place, emotion in rows])
    return folds_in(files, parts), places


def _official(path: Path) -> Iterator[tuple[str, str]]:
    for number, clip, emotion in read_named(path, _EMOTIONS):
        parts = ["", "", *clip.replace("\\", "/").strip("/").split("/")][-3:]
        where = f"{one_line(str(path))}, line {number}"
        if AFEW_FOLDERS.get(_class(parts[1], where)) != emotion:
            raise CorpusError(
                f"{where}: {excerpt(clip)} is in the class folder {excerpt(parts[1])}, but labelled {emotion}; copy "
                "the file again, or correct the line"
            )
        yield "/".join(parts), emotion


def _listed(path: Path) -> Iterator[tuple[str, str]]:
    lines = list(read_list(path))
    refuse_contradictions(one_line(str(path)), [(_class(line.folder, one_line(str(path))), line) for line in lines])
    for line in lines:
        yield f"{line.above}/{line.folder}/{line.name}", EMOTIONS[line.label]


def _class(folder: str, where: str) -> str:
    name = _CLASSES.get(folder.lower())
    if name is None:
        raise CorpusError(
            f"{where}: '{excerpt(folder)}' is not one of FERV39k's classes ({', '.join(AFEW_FOLDERS)}); a clip is "
            "<Scene>/<Emotion>/<id>"
        )
    return name


def _clip_id(place: str, places: dict[str, str], path: Path) -> str:
    """The id of the clip in a place below the clips' folder, which is remembered in `places`."""
    parts = place.split("/")
    if any(part.strip(" .") == "" for part in parts) or "\0" in place:
        raise CorpusError(
            f"{one_line(str(path))}: '{excerpt(place)}' is not the place of a clip, <Scene>/<Emotion>/<id>"
        )
    clip_id = shortened("_".join(re.sub(r"[^A-Za-z0-9-]", "-", part) for part in parts), LONGEST_ID)
    if places.setdefault(clip_id, place) != place:
        raise CorpusError(
            f"{one_line(str(path))}: {excerpt(place)} and {excerpt(places[clip_id])} would both be clip {clip_id}; "
            "rename one of them"
        )
    return clip_id
