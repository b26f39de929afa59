"""The emotion of a whole video: that which its timeline shows longest, or the answer to the paper's single clip.

Which windows are answered belongs to `predictor`, a window's own answer to `inference`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nrdfer.predict.asked import CLIP, WINDOWS
from nrdfer.predict.inference import Answer, uncertainty_of


@dataclass(frozen=True)
class Headline:
    """Emotion of one person in a whole video; K numbers are in the order of `emotions`.

    Attributes:
        kind: `WINDOWS`: over the windows that show the person; `CLIP`: one clip sampled from the whole video.
        emotion: of the windows, the one that the timeline shows longest; of a clip, the most probable one.
        logits: K; of the windows, means by time.
        probabilities: K, likewise.
        vetoed: whether a snippet vetoed neutral, in any of the windows.
        frames: source frames that were seen.
        emotions: K, the network's label set.
        share: of the video's time, for which the timeline shows this emotion, 0 to 1.
        answered_share: of the video's time, for which the timeline shows any emotion, 0 to 1.
        attention: of a clip, as in `Answer`.
        calibrated: whether the probabilities carry the model's temperature.
    """

    kind: str
    emotion: str
    logits: tuple[float, ...]
    probabilities: tuple[float, ...]
    vetoed: bool
    frames: tuple[int, ...]
    emotions: tuple[str, ...]
    share: float
    answered_share: float
    attention: tuple[float, ...] = ()
    calibrated: bool = False

    @property
    def probability(self) -> float:
        """Probability of `emotion`; another one's mean may be higher where the timeline is divided."""
        return self.probabilities[self.emotions.index(self.emotion)]

    @property
    def uncertainty(self) -> float:
        """Entropy of the probabilities, 0 (sure) to 1 (all emotions alike)."""
        return uncertainty_of(self.probabilities)

    @property
    def divided(self) -> str:
        """The emotion of the highest mean probability where it is not the one that is shown longest, else ""."""
        highest = self.emotions[int(np.argmax(self.probabilities))]
        return "" if highest == self.emotion else highest


def of_windows(answers: Sequence[Answer | None], seconds: Sequence[float]) -> Headline | None:
    """The headline of a timeline; None without a window that has an answer for some time.

    Args:
        answers: of the windows, in order; None where a window has none.
        seconds: for which each window answers: those of the frames to which it is nearest.
    """
    rows = [(a, s) for a, s in zip(answers, seconds, strict=True) if a is not None and s > 0]
    if not rows:
        return None
    total, spoken = math.fsum(seconds), math.fsum(s for _, s in rows)
    first = rows[0][0]
    weights = np.array([s for _, s in rows]) / spoken
    mean = np.array([a.probabilities for a, _ in rows]).T @ weights
    lasting = {name: math.fsum(s for a, s in rows if a.emotion == name) for name in first.emotions}
    emotion = max(first.emotions, key=lambda name: (round(lasting[name], 6), mean[first.emotions.index(name)]))
    return Headline(
        kind=WINDOWS,
        emotion=emotion,
        logits=tuple((np.array([a.logits for a, _ in rows]).T @ weights).tolist()),
        probabilities=tuple(mean.tolist()),
        vetoed=any(a.vetoed for a, _ in rows),
        frames=tuple(sorted({frame for a, _ in rows for frame in a.frames})),
        emotions=first.emotions,
        share=lasting[emotion] / total,
        answered_share=spoken / total,
        calibrated=first.calibrated,
    )


def of_clip(answer: Answer, timeline: Headline) -> Headline:
    """The answer to one clip of the whole video as its headline; `timeline` says how long it is shown."""
    return Headline(
        kind=CLIP,
        emotion=answer.emotion,
        logits=answer.logits,
        probabilities=answer.probabilities,
        vetoed=answer.vetoed,
        frames=answer.frames,
        emotions=answer.emotions,
        share=timeline.share if timeline.emotion == answer.emotion else 0.0,
        answered_share=timeline.answered_share,
        attention=answer.attention,
        calibrated=answer.calibrated,
    )
