"""DFEW as it is on disk: face pictures by clip, emotions, five folds.

Probes the layouts of the copies of DFEW in circulation and logs which one it used. Frame counts come from the disk,
never from a label file. Reading label files belongs to `labels`; pictures are not opened here.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

from nrdfer.core.errors import CorpusError
from nrdfer.core.plain_text import one_line
from nrdfer.corpora import doctor, label_counts, published
from nrdfer.corpora.base import Contents, Corpus, Examination, Fold, PictureClip
from nrdfer.corpora.label_counts import LabelCounts
from nrdfer.corpora.labels import candidates, is_csv, read_labels
from nrdfer.corpora.picture_folder import pictures_of

#: Folders of face pictures of original length (github.com/zengqunzhao/DFER-CLIP, sunlicai/MAE-DFER,
#: jiangxingxun/DFEW); each may contain a folder of its own name, as archives unpack.
LAYOUTS = ("Clip/clip_224x224", "Clip/jpg_256", "Clip/jpg_224", "data")
#: 12,059 clips are labelled, 11,697 have pictures: 3 % without is normal for DFEW; much more means an incomplete copy.
MISSING_LIMIT = 0.10
_ARCHIVES = frozenset({".zip", ".rar", ".7z", ".tar", ".gz"})
_RESAMPLED = 16
_NUMBER = re.compile(r"[0-9]{1,5}")
_log = logging.getLogger(__name__)


class Dfew(Corpus):
    """DFEW: film clips as face pictures, and five published folds."""

    name, title = "dfew", "DFEW"
    splits = ("fd1", "fd2", "fd3", "fd4", "fd5")
    holds = "EmoLabel_DataSplit and Clip"
    labels = "EmoLabel_DataSplit, or DFEW_set_1_train.txt .."
    of_paper = True
    rendered_as = "DFEW"
    published = published.DFEW_EMOTIONS

    def read(self, root: Path) -> Contents[PictureClip]:
        """See `read_dfew`."""
        return read_dfew(root)

    def label_counts(self, root: Path) -> list[LabelCounts]:
        """Its csvs, which count once, and each folder of text lists."""
        files = [path for _, path in candidates(root)]
        lists = sorted({path.parent for path in files if not is_csv(path)})
        sets = [("csv", root)] if any(map(is_csv, files)) else []
        sets += [("txt", folder) for folder in lists]
        return [label_counts.of_folds(self.name, kind, folder, read_labels(folder)) for kind, folder in sets]

    def examine(self, root: Path) -> Examination:
        """See `nrdfer.corpora.doctor.examine_dfew`."""
        return doctor.examine_dfew(self, root)


DFEW = Dfew()


def read_dfew(root: Path) -> Contents[PictureClip]:
    """Read DFEW below `root` or ``root/DFEW``.

    Labelled clips without pictures are excluded with a reason and counted in a warning; pictures without a label
    are normal (clips of several emotions) and ignored.

    Raises:
        CorpusError: no such folder, label files or pictures missing, or only pictures resampled to 16 frames.
    """
    if not root.is_dir():
        raise CorpusError(
            f"DFEW's folder {root} does not exist; give the folder that holds EmoLabel_DataSplit and Clip"
        )
    folds = read_labels(root)
    base, folder = find_frames(root)
    emotions = {c: e for fold in folds.values() for part in (fold.train, fold.test) for c, e in part.items()}
    folders = _clip_folders(folder)
    clips: list[PictureClip] = []
    excluded: list[tuple[str, str]] = []
    for clip_id, emotion in sorted(emotions.items()):
        names, problem = pictures_of(folders[clip_id]) if clip_id in folders else ((), "does not exist")
        if problem:
            place = one_line(str(folders.get(clip_id, folder / clip_id)))
            excluded.append((clip_id, f"labelled, but {place} {problem}"))
        else:
            clips.append(PictureClip(clip_id, emotion, folders[clip_id], names))
    _judge(clips, excluded, folder)
    return Contents(
        base,
        folder,
        clips,
        {k: Fold(tuple(sorted(fold.train)), tuple(sorted(fold.test))) for k, fold in folds.items()},
        excluded,
    )


def find_frames(root: Path) -> tuple[Path, Path]:
    """DFEW's own folder (`root` or ``root/DFEW``) and the folder in it whose sub-folders are clips.

    Raises:
        CorpusError: there is none, or only one whose clips were resampled to 16 frames.
    """
    bases = [base for base in (root, root / "DFEW") if base.is_dir()]
    for base in bases:
        for layout in LAYOUTS:
            for folder in (base / layout, base / layout / Path(layout).name):
                if folder.is_dir() and _clip_folders(folder):
                    return base, folder
    resampled = sorted(path for base in bases for path in base.glob("Clip/*_16f") if path.is_dir())
    if resampled:
        raise CorpusError(
            f"{resampled[0]} holds clips resampled to 16 frames by time interpolation; dynamic sampling needs the "
            f"original frames: unpack DFEW's clip_224x224 into {resampled[0].parent}"
        )
    archives = sorted(
        path for base in bases for inner in ("*", "Clip/*") for path in base.glob(inner) if path.suffix in _ARCHIVES
    )
    advice = f"{archives[0]} is still packed: unpack it there" if archives else "Unpack DFEW's clip_224x224 into Clip"
    looked = ", ".join(str(base / layout) for base in bases for layout in LAYOUTS)
    raise CorpusError(f"no face pictures of DFEW found; looked in {looked} for folders named 00001, 00002 ... {advice}")


def frame_names(folder: Path) -> tuple[str, ...]:
    """Names of a clip's pictures in natural order (2 before 10); empty if the folder is missing or empty."""
    return pictures_of(folder)[0] if folder.is_dir() else ()


def _clip_folders(folder: Path) -> dict[str, Path]:
    """Clip id -> its folder, padded with zeros or not.

    Raises:
        CorpusError: two folders belong to one clip.
    """
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if _NUMBER.fullmatch(entry.name) and entry.is_dir())
    found: dict[str, Path] = {}
    for name in names:
        other = found.setdefault(f"{int(name):05d}", folder / name)
        if other.name != name:
            raise CorpusError(f"{other} and {folder / name} are both clip {int(name):05d}: remove one of them")
    return found


def _judge(clips: list[PictureClip], excluded: list[tuple[str, str]], folder: Path) -> None:
    labelled = len(clips) + len(excluded)
    if len(excluded) > MISSING_LIMIT * labelled:
        raise CorpusError(
            f"only {len(clips)} of the {labelled} labelled clips have pictures in {folder}; first missing: "
            f"{excluded[0][0]}. DFEW itself lacks about 3 %, so this copy is incomplete: copy or unpack the rest, or "
            "take the missing clips out of all label files"
        )
    if excluded:
        _log.warning("%d of %d labelled clips have no pictures in %s: excluded", len(excluded), labelled, folder)
    if len(clips) > 2 * _RESAMPLED and all(clip.n_frames == _RESAMPLED for clip in clips):
        _log.warning(
            "every clip in %s has exactly %d pictures: is this the time-interpolated copy (clip_224x224_16f) under "
            "another name? Dynamic sampling expects original lengths (11 to 847 pictures)", folder, _RESAMPLED
        )  # fmt: skip
    _log.info("DFEW: %d clips with pictures in %s", len(clips), folder)
