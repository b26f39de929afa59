"""Expressions: facial actions of the emotions of all corpora, and their course over a clip.

The actions follow the prototypes of the facial action coding system (Tian et al. 2001), coarsely: happiness pulls
the lip corners, surprise raises brows and drops the jaw, and so on. How they look belongs to `face`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nrdfer.corpora.synthetic.identity import Identity

#: Names of the components of a facial action vector, each about 0 (rest) to 1 (strongest), some signed.
ACTIONS = ("brow_raise", "brow_inner", "brow_lower", "eye_open", "smile", "jaw", "press", "wrinkle", "cheek")
Action = npt.NDArray[np.float32]  # (9,)

_PROTOTYPES: dict[str, dict[str, float]] = {
    "happiness": {"smile": 1.0, "jaw": 0.3, "cheek": 1.0, "eye_open": -0.25, "brow_raise": 0.1},
    "sadness": {"brow_inner": 1.0, "smile": -0.9, "eye_open": -0.35, "press": 0.15},
    "neutral": {},
    "anger": {"brow_lower": 1.3, "brow_inner": -1.0, "press": 1.0, "smile": -0.5, "eye_open": 0.4, "wrinkle": 0.25},
    "surprise": {"brow_raise": 1.0, "eye_open": 0.6, "jaw": 1.0},
    "disgust": {"wrinkle": 1.0, "brow_lower": 0.5, "smile": -0.5, "eye_open": -0.4, "cheek": 0.5, "jaw": 0.2},
    "fear": {
        "brow_raise": 0.7,
        "brow_inner": 0.9,
        "eye_open": 0.5,
        "smile": -0.5,
        "jaw": 0.4,
        "brow_lower": 0.25,
    },
    # of further corpora; the face is symmetrical, so that contempt's one-sided smile is a weak one with pressed lips
    "contempt": {"smile": 0.35, "press": 0.9, "brow_lower": 0.3, "eye_open": -0.4, "wrinkle": 0.2},
    "anxiety": {"brow_inner": 0.8, "brow_raise": 0.3, "eye_open": 0.35, "press": 0.6},
    "helplessness": {"brow_inner": 1.1, "brow_raise": 0.4, "smile": -0.5, "jaw": 0.25},
    "disappointment": {"smile": -0.8, "press": 0.4, "eye_open": -0.5, "brow_lower": 0.2},
    "calm": {"smile": 0.3, "cheek": 0.2, "eye_open": -0.2},
}


def prototype(emotion: str) -> Action:
    """The facial actions of an emotion at its apex."""
    values = _PROTOTYPES[emotion]
    return np.array([values.get(name, 0.0) for name in ACTIONS], np.float32)


@dataclass(frozen=True)
class Course:
    """Intensity of an expression over a clip: onset, apex, offset, in shares of the clip."""

    onset: float
    apex: float
    offset: float
    end: float
    peak: float

    def at(self, time: float) -> float:
        """Intensity at `time` (0 to 1), smooth."""
        if time <= self.onset or time >= self.end:
            return 0.0
        if time < self.apex:
            level = (time - self.onset) / (self.apex - self.onset)
        elif time <= self.offset:
            level = 1.0
        else:
            level = (self.end - time) / (self.end - self.offset)
        return self.peak * level * level * (3 - 2 * level)


def draw_course(rng: np.random.Generator, mostly_neutral: bool) -> Course:
    """Draw a course; `mostly_neutral` squeezes the whole expression into about a third of the clip (noise N2)."""
    peak = float(rng.uniform(0.75, 1.1))
    if mostly_neutral:
        start = rng.uniform(0.05, 0.6)
        return Course(start, start + 0.06, start + 0.26, start + 0.34, peak)
    onset = rng.uniform(-0.25, 0.12)
    apex = max(onset, 0.0) + rng.uniform(0.08, 0.25)
    offset = rng.uniform(0.75, 1.05)
    return Course(onset, apex, offset, offset + rng.uniform(0.15, 0.4), peak)


def act(identity: Identity, emotion: str, intensity: float, style: Action, flutter: Action) -> Action:
    """The facial actions of a person at one moment.

    Args:
        identity: who; adds a resting face and a personal amplitude.
        emotion: what is shown.
        intensity: 0 to about 1.
        style: factors on the prototype, the same for the clip.
        flutter: small additions of this frame.
    """
    displayed: Action = identity.habit + flutter + identity.expressiveness * intensity * prototype(emotion) * style
    return displayed
