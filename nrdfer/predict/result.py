"""Result for one video, as one value and as JSON.

Finding it belongs to `predictor`; tables and pictures made of it, to `tables`, `strip` and `annotate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nrdfer.core.records import FrameRecord
from nrdfer.predict.crops import CroppedVideo
from nrdfer.predict.inference import Answer
from nrdfer.predict.windows import Window, nearest_window
from nrdfer.video.timestamps import FrameTimes

SCHEMA = 2
OK, NO_FACE, UNREADABLE = "ok", "no_face", "unreadable"
REFUSED = "refused"  # of a row: its folder would replace what this project did not make


@dataclass(frozen=True)
class WindowAnswer:
    """One window; without a prediction it shows the target in too few frames, and nothing is guessed."""

    window: Window
    frames_with_face: int
    answer: Answer | None

    @property
    def status(self) -> str:
        """`OK` or `NO_FACE`."""
        return NO_FACE if self.answer is None else OK

    @property
    def emotion(self) -> str | None:
        """The predicted emotion, if there is one."""
        return None if self.answer is None else self.answer.emotion


@dataclass(frozen=True, eq=False)
class Prediction:
    """One video.

    Attributes:
        status: `OK`; `NO_FACE`: no person is in it for long enough for a prediction of the whole;
            `UNREADABLE`: it is no video, or broken.
        reason: why the status is not `OK`.
        note: facts that do not change the status.
        answer: of the whole video, as an evaluation would give it; only with `OK`.
        windows: the timeline; empty if unreadable.
        times: of the T frames.
        cropped: the crops and the faces, None if unreadable.
        size: width and height of a frame, pixels.
        emotions: the network's label set; empty if unreadable.
    """

    status: str
    reason: str = ""
    note: str = ""
    answer: Answer | None = None
    windows: tuple[WindowAnswer, ...] = ()
    times: FrameTimes | None = None
    cropped: CroppedVideo | None = None
    size: tuple[int, int] = (0, 0)
    emotions: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)  # where the time went

    @property
    def records(self) -> tuple[FrameRecord, ...]:
        """The target's face in each frame."""
        return () if self.cropped is None else self.cropped.plan.records

    @property
    def frames_with_face(self) -> int:
        """Number of frames that show the target."""
        return sum(record.has_face for record in self.records)

    @property
    def duration(self) -> float:
        """Seconds from the first frame's appearance to the last one's end; 0 if unreadable."""
        return 0.0 if self.times is None else self.times.duration

    def looked_at(self) -> tuple[FrameTimes, CroppedVideo]:
        """Times and crops of a video that could be read.

        Raises:
            ValueError: it was unreadable.
        """
        if self.times is None or self.cropped is None:
            raise ValueError(f"the video was unreadable ({self.reason}); there is nothing to show")
        return self.times, self.cropped

    def window_of_frames(self) -> list[int]:
        """Index of each frame's window; empty if unreadable."""
        if self.times is None:
            return []
        windows = [row.window for row in self.windows]
        starts = self.times.starts
        ends = [*starts[1:], self.times.end]
        return [nearest_window(windows, (a + b) / 2) for a, b in zip(starts, ends, strict=True)]

    def attention_of_frames(self) -> list[float | None]:
        """Attention of the class token to each frame; 1 is an even share, None for a frame in no window.

        A window's weight belongs to a pair of frames and is given for the first; of several windows it is the mean.
        """
        looks: list[list[float]] = [[] for _ in self.records]
        for row in self.windows:
            if row.answer is not None and row.answer.attention:
                for frame, weight in attention_by_frame(row.answer).items():
                    looks[frame].append(weight * len(row.answer.attention))
        return [sum(seen) / len(seen) if seen else None for seen in looks]


def attention_by_frame(answer: Answer) -> dict[int, float]:
    """Source frame -> weight, of the first frame of each pair; a frame that was sampled twice gets the sum."""
    weights: dict[int, float] = {}
    for frame, weight in zip(answer.frames, answer.attention, strict=False):  # the last frame begins no pair
        weights[frame] = weights.get(frame, 0.0) + weight
    return weights


def answer_to_dict(answer: Answer | None) -> dict[str, Any] | None:
    """Plain types, with emotions by name."""
    if answer is None:
        return None
    return {
        "emotion": answer.emotion,
        "probability": answer.probability,
        "probabilities": dict(zip(answer.emotions, answer.probabilities, strict=True)),
        "logits": dict(zip(answer.emotions, answer.logits, strict=True)),
        "neutral_vetoed": answer.vetoed,
        "frames_seen": list(answer.frames),
        "attention": [{"frame": f, "weight": w} for f, w in attention_by_frame(answer).items()],
    }


def prediction_to_dict(prediction: Prediction) -> dict[str, Any]:
    """Plain types, ready for JSON."""
    times = prediction.times
    return {
        "status": prediction.status,
        "reason": prediction.reason,
        "note": prediction.note,
        "frames": len(prediction.records),
        "frames_with_face": prediction.frames_with_face,
        "width": prediction.size[0],
        "height": prediction.size[1],
        "fps": None if times is None else times.fps,
        "start_s": None if times is None else times.starts[0],
        "end_s": None if times is None else times.end,
        "answer": answer_to_dict(prediction.answer),
        "timeline": timeline_to_list(prediction),
        "seconds": dict(prediction.seconds),
    }


def timeline_to_list(prediction: Prediction) -> list[dict[str, Any]]:
    """The windows, in order, as plain types."""
    return [
        {
            "start_s": row.window.start,
            "end_s": row.window.end,
            "first_frame": row.window.first,
            "last_frame": row.window.last,
            "status": row.status,
            "frames_with_face": row.frames_with_face,
            "answer": answer_to_dict(row.answer),
        }
        for row in prediction.windows
    ]
