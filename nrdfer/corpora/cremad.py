"""CREMA-D: 91 actors say twelve sentences in six emotions; names of the videos carry the labels.

``VideoFlash/<actor>_<sentence>_<emotion>_<intensity>.flv``, e.g. ``1001_DFA_ANG_XX.flv``. Its authors publish no
division: the folds here are of actors, fold k tests actor 1000 + k and every fifth one after, so that nobody is in
train and test. Opening the videos belongs to ``nrdfer.video``.
"""

from __future__ import annotations

import re
from pathlib import Path

from nrdfer.corpora import label_counts, published
from nrdfer.corpora.base import Contents, Corpus, Examination, VideoClip
from nrdfer.corpora.copy_counts import examine_copy
from nrdfer.corpora.fold_files import as_folds
from nrdfer.corpora.label_counts import LabelCounts
from nrdfer.corpora.named_videos import FOLDS, Name, find_named, folds_of_people, warn_of_absent

#: Codes of its names, in the order of `nrdfer.core.emotions.EMOTIONS`; nobody plays surprise.
EMOTIONS_BY_CODE = {
    "HAP": "happiness",
    "SAD": "sadness",
    "NEU": "neutral",
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
}
#: Intensities are low, medium, high and unspecified, which one file writes with a single X.
_NAME = re.compile(r"(?P<actor>1[0-9]{3})_(?P<sentence>[A-Z]{3})_(?P<emotion>[A-Z]{3})_(?:LO|MD|HI|XX?)", re.IGNORECASE)
_FIRST = 1001  # actor


class CremaD(Corpus):
    """CREMA-D's videos in five folds of actors."""

    name, title = "cremad", "CREMA-D"
    splits = ("cremad1", "cremad2", "cremad3", "cremad4", "cremad5")
    videos = True
    rendered_alone = True
    published = published.CREMAD.emotions
    holds = "VideoFlash"
    labels = "VideoFlash/1001_DFA_ANG_XX.flv .."
    emotions = tuple(EMOTIONS_BY_CODE.values())

    def read(self, root: Path) -> Contents[VideoClip]:
        """Find CREMA-D's videos below `root`.

        Raises:
            CorpusError: no such folder, no video so named, two of one clip, pointers of Git LFS in place of videos,
                or a fold without an actor.
        """
        clips = find_named(root, self.title, read_name, f"{self.holds}, with videos like 1001_DFA_ANG_XX.flv")
        folds = as_folds(folds_of_people(clips, fold_of, self.title))
        warn_of_absent(clips, self.emotions, folds, self.title)
        return Contents(root, root, clips, folds)

    def examine(self, root: Path) -> Examination:
        """See `nrdfer.corpora.copy_counts.examine_copy`."""
        return examine_copy(self, root, published.CREMAD)[0]

    def label_counts(self, root: Path) -> list[LabelCounts]:
        """The names of its videos, where there is a folder of them."""
        if not any((base / "VideoFlash").is_dir() for base in (root, root / "CREMA-D")):
            return []
        clips = self.read(root).clips
        return [
            label_counts.of_folds(self.name, "names", root, folds_of_people(clips, fold_of, self.title), self.emotions)
        ]


CREMAD = CremaD()


def read_name(path: Path) -> Name | None:
    """What the name of one of its videos says; None if it is no such name."""
    match = _NAME.fullmatch(path.stem)
    emotion = EMOTIONS_BY_CODE.get(match["emotion"].upper()) if match else None
    return Name(path.stem.upper(), match["actor"], emotion) if match and emotion else None


def fold_of(actor: str) -> int:
    """The fold that tests an actor."""
    return (int(actor) - _FIRST) % len(FOLDS) + 1
