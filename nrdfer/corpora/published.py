"""Published contents of the corpora: totals that all public copies share, and the deviations that are normal.

Counted from the label files of Former-DFER, IAL, DFER-CLIP, S2D and MAE-DFER (DFEW), and of Former-DFER, Emotion-FAN
and the organisers (AFEW); the further corpora's sources are with them. Comparing a copy with them belongs to ``doctor``
and ``copy_counts``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: DFEW: clips whose faces are distributed, which is what every published evaluation uses.
DFEW_EMOTIONS = {
    "happiness": 2445,
    "sadness": 1894,
    "neutral": 2669,
    "anger": 2173,
    "surprise": 1469,
    "disgust": 145,
    "fear": 902,
}
DFEW_CLIPS = sum(DFEW_EMOTIONS.values())  # 11,697
DFEW_NOMINAL = 12_059  # single-labelled clips, as papers print; 362 of them come without faces
DFEW_TESTS = {1: 2341, 2: 2341, 3: 2340, 4: 2339, 5: 2336}
DFEW_FRAMES = 901_703
DFEW_SHORT = 14  # clips of fewer than 16 frames; the shortest has 11

#: AFEW as its organisers distribute it.
AFEW_EMOTIONS = {
    "train": {
        "happiness": 150,
        "sadness": 117,
        "neutral": 144,
        "anger": 133,
        "surprise": 74,
        "disgust": 74,
        "fear": 81,
    },
    "val": {"happiness": 63, "sadness": 61, "neutral": 63, "anger": 64, "surprise": 46, "disgust": 40, "fear": 46},
}
#: Sums that differ from the organisers' and are known: split -> clips -> why.
AFEW_KNOWN = {
    "train": {771: "Emotion-FAN's list, two clips without a usable face left out"},
    "val": {381: "what is evaluated in published work: two clips without a usable face are left out"},
}


@dataclass(frozen=True)
class KnownCounts:
    """What a whole copy of a further corpus holds; None or empty where no source says."""

    source: str
    emotions: Mapping[str, int]  # clips
    tests: Mapping[int, int] = field(default_factory=dict)  # clips that each fold tests
    frames: int | None = None
    short: int | None = None  # clips of fewer than 16 frames
    scenes: int | None = None
    people: int | None = None


FERV39K = KnownCounts(
    "counted from DFER-CLIP's lists of the official division",
    {
        "happiness": 7327,
        "sadness": 6916,
        "neutral": 9748,
        "anger": 7393,
        "surprise": 3140,
        "disgust": 2300,
        "fear": 2111,
    },
    {1: 7847},
    frames=1_090_633,
    short=4070,
    scenes=22,
)
MAFW = KnownCounts(
    "counted from DFER-CLIP's lists of the official folds",
    {
        "happiness": 1242,
        "sadness": 1470,
        "neutral": 1138,
        "anger": 1390,
        "surprise": 1072,
        "disgust": 639,
        "fear": 625,
        "contempt": 236,
        "anxiety": 916,
        "helplessness": 262,
        "disappointment": 182,
    },
    {1: 1839, 2: 1837, 3: 1833, 4: 1832, 5: 1831},
)
MAFW_VIDEOS = 10_045  # with those of several emotions, which have no single label
CREMAD = KnownCounts(
    "7,442 clips of 91 actors, as its authors describe it",
    {"happiness": 1271, "sadness": 1271, "neutral": 1087, "anger": 1271, "disgust": 1271, "fear": 1271},
    people=91,
)
RAVDESS = KnownCounts(
    "1,440 spoken takes of 24 actors, as its authors describe it",
    {
        "happiness": 192,
        "sadness": 192,
        "neutral": 96,
        "anger": 192,
        "surprise": 192,
        "disgust": 192,
        "fear": 192,
        "calm": 192,
    },
    people=24,
)
