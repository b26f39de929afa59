"""Published contents of the two corpora: totals that all public copies share, and the deviations that are normal.

Counted from the label files of Former-DFER, IAL, DFER-CLIP, S2D and MAE-DFER (DFEW), and of Former-DFER, Emotion-FAN
and the organisers (AFEW). Comparing a copy with them belongs to ``doctor``.
"""

from __future__ import annotations

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
