"""RAVDESS: 24 actors say two sentences in eight emotions; names of the videos carry the labels.

Names are seven numbers, ``modality-channel-emotion-intensity-statement-repetition-actor.mp4``. Each take is distributed
with sound (modality 01) and without (02), with the same pictures: one of the two is read, the one with sound where both
are there. Sung takes (channel 02) are left out unless NRDFER_RAVDESS_CHANNELS=speech,song. Its authors publish no
division: actors are numbered so that men and women alternate, and the folds here take pairs of them in turn, so that
nobody is in train and test and every fold has as many women as men.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

from nrdfer.core import environment
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import CorpusError
from nrdfer.core.plain_text import one_line
from nrdfer.corpora import label_counts, published
from nrdfer.corpora.base import Contents, Corpus, Examination, VideoClip
from nrdfer.corpora.copy_counts import examine_copy
from nrdfer.corpora.fold_files import as_folds
from nrdfer.corpora.label_counts import LabelCounts
from nrdfer.corpora.named_videos import FOLDS, Name, find_named, folds_of_people, warn_of_absent

CHANNELS = "NRDFER_RAVDESS_CHANNELS"
EMOTIONS_BY_CODE = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
_CHANNEL_CODES = {"speech": "01", "song": "02"}
_ACTORS = 24
_NAME = re.compile(
    r"(?P<modality>0[12])-(?P<channel>0[12])-(?P<emotion>0[1-8])-(?P<intensity>0[12])-(?P<statement>0[12])-"
    r"(?P<repetition>0[12])-(?P<actor>[0-9]{2})"
)
_FOLDER = re.compile(r"actor[_ -]?(?P<actor>[0-9]{2})", re.IGNORECASE)
_log = logging.getLogger(__name__)


class Ravdess(Corpus):
    """RAVDESS's spoken takes in five folds of actors."""

    name, title = "ravdess", "RAVDESS"
    splits = ("ravdess1", "ravdess2", "ravdess3", "ravdess4", "ravdess5")
    videos = True
    rendered_alone = True
    published = published.RAVDESS.emotions
    holds = "Actor_01 .. Actor_24"
    labels = "Actor_01/01-01-01-01-01-01-01.mp4 .."
    emotions = (*EMOTIONS, "calm")

    def read(self, root: Path) -> Contents[VideoClip]:
        """Find RAVDESS's videos below `root`.

        Raises:
            CorpusError: no such folder, no video so named, two of one file name, an actor in another's folder, or a
                fold without an actor.
            NrdferError: NRDFER_RAVDESS_CHANNELS is not understood.
        """
        expected = f"{self.holds}, with videos like 01-01-03-01-01-01-01.mp4"
        clips = of_channels(one_of_each_take(find_named(root, self.title, read_name, expected)), channels(), root)
        folds = as_folds(folds_of_people(clips, fold_of, self.title))
        warn_of_absent(clips, self.emotions, folds, self.title)
        return Contents(root, root, clips, folds)

    def examine(self, root: Path) -> Examination:
        """See `nrdfer.corpora.copy_counts.examine_copy`; videos that are not read are named, too."""
        found, contents = examine_copy(self, root, published.RAVDESS)
        if contents is not None:
            every = find_named(root, self.title, read_name, self.holds)
            takes = one_of_each_take(every)
            if twins := len(every) - len(takes):
                found.note("known", f"{twins} videos without sound are left out: their takes are there with it")
            if sung := len(takes) - len(contents.clips):
                found.note("known", f"{sung} takes of another channel are left out ({CHANNELS})")
        return found

    def label_counts(self, root: Path) -> list[LabelCounts]:
        """The names of its videos, where there are folders of actors."""
        if not any(path.is_dir() for pattern in ("Actor_*", "*/Actor_*") for path in root.glob(pattern)):
            return []
        clips = self.read(root).clips
        return [
            label_counts.of_folds(self.name, "names", root, folds_of_people(clips, fold_of, self.title), self.emotions)
        ]


RAVDESS = Ravdess()


def channels() -> tuple[str, ...]:
    """Codes of the channels to read, as the environment says; speech alone by default.

    Raises:
        CorpusError: it names something else.
    """
    named = [name.strip().lower() for name in environment.text(CHANNELS, "speech").split(",")]
    if unknown := [name for name in named if name not in _CHANNEL_CODES]:
        raise CorpusError(f"{CHANNELS}: {one_line(unknown[0])!r} is no channel of RAVDESS; give speech, or speech,song")
    return tuple(_CHANNEL_CODES[name] for name in named)


def read_name(path: Path) -> Name | None:
    """What the name of one of its videos says; None if it is no such name, or one of its sounds.

    Raises:
        CorpusError: the folder is another actor's.
    """
    match = _NAME.fullmatch(path.stem)
    if match is None or not 1 <= int(match["actor"]) <= _ACTORS:
        return None
    folder = _FOLDER.fullmatch(path.parent.name)
    if folder and folder["actor"] != match["actor"]:
        raise CorpusError(
            f"{one_line(str(path))} is of actor {match['actor']} by its name, but in the folder of another one; move "
            "it, or copy RAVDESS again"
        )
    return Name(path.stem, match["actor"], EMOTIONS_BY_CODE[match["emotion"]])


def one_of_each_take(clips: list[VideoClip]) -> list[VideoClip]:
    """Of each take the video with sound, or the one without where that is alone."""
    takes: dict[str, VideoClip] = {}
    for clip in clips:  # in order of their names: those with sound come first
        takes.setdefault(clip.clip_id[3:], clip)
    if len(takes) < len(clips):
        _log.info("RAVDESS: %d videos without sound are of takes that are there with it", len(clips) - len(takes))
    return sorted(takes.values(), key=lambda clip: clip.clip_id)


def of_channels(clips: list[VideoClip], codes: tuple[str, ...], root: Path) -> list[VideoClip]:
    """The clips of some channels.

    Raises:
        CorpusError: there are none.
    """
    kept = [clip for clip in clips if clip.clip_id[3:5] in codes]
    if not kept:
        raise CorpusError(
            f"all {len(clips)} videos of RAVDESS below {root} are of another channel; unpack Video_Speech_Actor_01 and "
            f"the others there, or set {CHANNELS}=song"
        )
    if len(kept) < len(clips):
        _log.info("RAVDESS: %d sung takes are left out (%s)", len(clips) - len(kept), CHANNELS)
    return kept


def fold_of(actor: str) -> int:
    """The fold that tests an actor: 1 and 2 in fold 1, 3 and 4 in fold 2, ... 11 and 12 in fold 1 again."""
    return (int(actor) - 1) // 2 % len(FOLDS) + 1
