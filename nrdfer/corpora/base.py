"""Interface of every corpus: labelled clips below a folder, and how they are divided into training and test.

Assets, trainings, lineage and commands know corpora only through `Corpus`, so that DFEW, AFEW and a new one are treated
alike. The folders and label format of a corpus belong to its own module; the list of corpora, to ``registry``;
processing of the clips, to ``nrdfer.preprocessing``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import CorpusError
from nrdfer.corpora.label_counts import LabelCounts

#: A clip's id followed by a frame's number (``.0123456.jpg``) must fit into a tar's header: 100 characters.
LONGEST_ID = 88
MEAN, POOLED, SINGLE = "mean of folds", "pooled", "one test set"


@dataclass(frozen=True, slots=True)
class VideoClip:
    """One clip that is distributed as a video."""

    path: Path
    clip_id: str  # unique in the corpus, and valid as a file's name
    emotion: str
    split: str  # of `Corpus.parts`, where the corpus has them
    note: str = ""  # set if the clip was renamed
    person: str = ""  # who is filmed, where the corpus says so


@dataclass(frozen=True, slots=True)
class PictureClip:
    """One clip that is distributed as face pictures, in order. DFEW has 900,000, so only their names are held."""

    clip_id: str
    emotion: str
    folder: Path
    names: tuple[str, ...]
    scene: str = ""  # the kind of scene, where the corpus says so

    @property
    def n_frames(self) -> int:
        """Number of pictures."""
        return len(self.names)

    @property
    def frames(self) -> tuple[Path, ...]:
        """Paths of the pictures, built at each access."""
        return tuple(self.folder / name for name in self.names)


@dataclass(frozen=True, slots=True)
class Fold:
    """Clip ids of one fold."""

    train: tuple[str, ...]
    test: tuple[str, ...]


Clip = TypeVar("Clip", VideoClip, PictureClip)


@dataclass(frozen=True)
class Contents(Generic[Clip]):
    """All labelled clips of a corpus, its folds as labelled, and labelled clips that cannot be used."""

    root: Path
    folder: Path  # of the clips
    clips: list[Clip]
    folds: Mapping[int, Fold] = field(default_factory=dict)  # by number from 1 on; empty if a clip names its own part
    excluded: list[tuple[str, str]] = field(default_factory=list)  # clip id and reason


@dataclass(frozen=True)
class Finding:
    """Result of one check of a corpus."""

    level: str  # ok; known: differs as other copies do, for the reason given; warning; error: cannot be used
    text: str


@dataclass
class Examination:
    """Findings and counts of one corpus."""

    corpus: str
    root: str
    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, Any] = field(default_factory=dict)

    def note(self, level: str, text: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(level, text))

    @property
    def usable(self) -> bool:
        """Whether the pipeline can use it."""
        return all(finding.level != "error" for finding in self.findings)


class Corpus(Protocol):
    """A corpus; a new one inherits from it, sets its name, title and splits, and reads its folder.

    A corpus of videos passes detection, alignment and enhancement; one of face pictures is written to the shards as it
    is. It is divided by `parts`, where each video states its own, or by numbered folds, which are lists of clip ids
    (a single official division is one fold); face pictures always have folds.
    """

    name: str  # of its assets, shards and models: dfew
    title: str  # as it is displayed: DFEW
    splits: tuple[str, ...]  # names of its trainings, unique among all corpora; its own name, if there is only one
    videos: bool = False  # whether faces must be found in videos first
    parts: tuple[str, str] | None = None  # of videos: names of their training and test set
    holds: str = ""  # contents of its folder, for messages
    labels: str = ""  # names of its label files, for messages; empty if `label_counts` finds none
    default_root: Path | None = None  # its folder, where a user gave it when the corpus was added
    emotions: tuple[str, ...] = EMOTIONS  # that its clips are labelled with
    recipe: str = "dfew-paper"  # in `nrdfer.config.recipe`, if a profile sets none
    initial: str | None = None  # split of another corpus, whose checkpoint its trainings start from
    of_paper: bool = False  # whether the job full_reproduction and the report include it
    rendered_as: str | None = None  # folder of the rendered corpus that has its layout and can replace it
    rendered_alone: bool = False  # whether a small copy of its own is rendered (`nrdfer.corpora.synthetic.further`)
    published: Mapping[str, int] = {}  # clips of each emotion, as far as they are known

    @abstractmethod
    def read(self, root: Path) -> Contents[Any]:
        """Find all clips and folds below `root`; no video or picture is opened.

        Raises:
            CorpusError: the folder, clips or labels are missing, or contradict each other.
        """
        ...

    def label_counts(self, root: Path) -> list[LabelCounts]:
        """Counts of the labels in each place below `root`, without pictures and videos; empty if there is none.

        Raises:
            CorpusError: labels contradict themselves.
        """
        return []

    def examine(self, root: Path) -> Examination:
        """Check a copy as the pipeline reads it: whether it can be used, and has as many clips as `published` says."""
        found = Examination(self.name, str(root))
        try:
            contents = self.read(root)
        except CorpusError as error:
            found.note("error", str(error))
            return found
        have = Counter(clip.emotion for clip in contents.clips)
        found.counts["clips"] = {emotion: have[emotion] for emotion in self.emotions}
        found.note("ok", f"{len(contents.clips):,} clips in {contents.folder}")
        if foreign := sorted(set(have) - set(self.emotions)):
            found.note("error", f"clips are labelled {', '.join(foreign)}, but {self.title} has {self.emotions}")
        if self.published and (changes := difference(have, self.published)):
            found.note("warning", f"published: {changes}")
        if contents.excluded:
            clip_id, reason = contents.excluded[0]
            found.note("warning", f"{len(contents.excluded)} clips are excluded, e.g. {clip_id}: {reason}")
        return found

    @property
    def listing(self) -> str:
        """The step that lists it."""
        return "videos" if self.videos else "clips"

    @property
    def aggregates(self) -> tuple[str, ...]:
        """Aggregates that are published: mean and pooled over the folds, or figures of the one test set."""
        return (MEAN, POOLED) if len(self.splits) > 1 else (SINGLE,)

    @property
    def variable(self) -> str:
        """The environment variable that names its folder."""
        return f"NRDFER_{self.name.upper()}_ROOT"

    def asset(self, step: str, split: str | None = None) -> str:
        """The asset of a step, ``dfew/shards``, or of a step of one of its splits: ``dfew/fd1/checkpoint``."""
        return f"{self.name}/{step}" if split in (None, self.name) else f"{self.name}/{split}/{step}"

    def fold(self, split: str) -> int:
        """The number of a split among its folds."""
        return self.splits.index(split) + 1


def difference(have: Mapping[str, int], expected: Mapping[str, int]) -> str:
    """Differences from the expected counts, as ``neutral -2, anger +2``."""
    changes = {emotion: have.get(emotion, 0) - n for emotion, n in expected.items() if have.get(emotion, 0) != n}
    total = f"{sum(expected.values()):,} in all" if sum(changes.values()) else ""
    text = ", ".join(f"{emotion} {change:+d}" for emotion, change in changes.items())
    return ", ".join(part for part in (total, text) if part)
