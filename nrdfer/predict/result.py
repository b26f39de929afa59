"""Result for one video, as one value and as JSON: what is known of each person, and which of them is the main one.

Finding it belongs to `predictor`; tables and pictures made of it, to `tables`, `strip` and `annotate`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nrdfer.core.records import FrameRecord
from nrdfer.faces.people import NOBODY, OTHER, PERSON, UNSURE
from nrdfer.predict.crops import CroppedVideo
from nrdfer.predict.headline import Headline
from nrdfer.predict.inference import Answer
from nrdfer.predict.windows import Window, nearest_windows
from nrdfer.video.timestamps import FrameTimes

SCHEMA = 3
OK, NO_FACE, UNREADABLE = "ok", "no_face", "unreadable"
TOO_FEW = "too_few_faces"  # the person is seen, but in too few frames for an answer of the whole video
REFUSED = "refused"  # of a row: its folder would replace what this project did not make
LABEL_WORDS = {PERSON: "face", NOBODY: "no face", OTHER: "another person", UNSURE: "target not sure"}
#: Colours of people, the main one's first; they are not those of emotions. Further people begin again.
PERSON_COLOURS = ("#FFB000", "#648FFF", "#DC267F", "#22C3A6", "#FE6100", "#785EF0", "#B6E34B", "#A0522D")


@dataclass(frozen=True)
class WindowAnswer:
    """One window; without a prediction it shows the person in too few frames, and nothing is guessed.

    Attributes:
        window: its frames and times.
        frames_with_face: that show the person.
        answer: None without enough of them.
        label: what most of its frames show, see `LABELS`; `PERSON` if it has an answer.
    """

    window: Window
    frames_with_face: int
    answer: Answer | None
    label: str = NOBODY

    @property
    def status(self) -> str:
        """`OK` or `NO_FACE`."""
        return NO_FACE if self.answer is None else OK

    @property
    def emotion(self) -> str | None:
        """The predicted emotion, if there is one."""
        return None if self.answer is None else self.answer.emotion


@dataclass(frozen=True, eq=False)
class Person:
    """One person of a video.

    Attributes:
        number: 1 is the main person, the target; further people by how long and how large they are seen.
        status: `OK`; `TOO_FEW`; `NO_FACE`.
        reason: why the status is not `OK`.
        answer: of the whole video; only with `OK`.
        windows: the timeline; all people have the same windows.
        cropped: the crops and the faces.
        labels: of the T frames, see `LABELS`.
    """

    number: int
    status: str
    reason: str
    answer: Headline | None
    windows: tuple[WindowAnswer, ...]
    cropped: CroppedVideo
    labels: tuple[str, ...]

    @property
    def colour(self) -> str:
        """``#RRGGBB``, in pictures."""
        return PERSON_COLOURS[(self.number - 1) % len(PERSON_COLOURS)]

    @property
    def records(self) -> tuple[FrameRecord, ...]:
        """The person's face in each frame."""
        return self.cropped.plan.records

    @property
    def frames_with_face(self) -> int:
        """Number of frames that show the person."""
        return sum(record.has_face for record in self.records)


@dataclass(frozen=True, eq=False)
class Prediction:
    """One video.

    Attributes:
        status: of the main person: `OK`; `NO_FACE`: nobody is in it for long enough to be a person; `TOO_FEW`;
            `UNREADABLE`: it is no video, or broken.
        reason: why the status is not `OK`.
        note: facts that do not change the status.
        target: the main person, or nobody's timeline if there is none; None if unreadable.
        people: everyone who was asked for and found, the main person first.
        people_found: number of people in the video, also of those that were not asked for.
        times: of the T frames.
        size: width and height of a frame, pixels, upright.
        turned: quarters, counter-clockwise, by which the footage was turned to be upright.
        emotions: the network's label set; empty if unreadable.
    """

    status: str
    reason: str = ""
    note: str = ""
    target: Person | None = None
    people: tuple[Person, ...] = ()
    people_found: int = 0
    times: FrameTimes | None = None
    size: tuple[int, int] = (0, 0)
    turned: int = 0
    emotions: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)  # where the time went

    @property
    def answer(self) -> Headline | None:
        """The main person's emotion; only with `OK`."""
        return None if self.target is None else self.target.answer

    @property
    def windows(self) -> tuple[WindowAnswer, ...]:
        """The main person's timeline; empty if unreadable."""
        return () if self.target is None else self.target.windows

    @property
    def cropped(self) -> CroppedVideo | None:
        """The main person's crops and faces, None if unreadable."""
        return None if self.target is None else self.target.cropped

    def of(self, person: Person) -> Prediction:
        """The same video with another of its people as its target."""
        return replace(self, target=person, status=person.status, reason=person.reason)

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
        return nearest_windows(windows, [(a + b) / 2 for a, b in zip(starts, ends, strict=True)])

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


def attention_by_frame(answer: Answer | Headline) -> dict[int, float]:
    """Source frame -> weight, of the first frame of each pair; a frame that was sampled twice gets the sum."""
    weights: dict[int, float] = {}
    for frame, weight in zip(answer.frames, answer.attention, strict=False):  # the last frame begins no pair
        weights[frame] = weights.get(frame, 0.0) + weight
    return weights


def answer_to_dict(answer: Answer | Headline | None) -> dict[str, Any] | None:
    """Plain types, with emotions by name."""
    if answer is None:
        return None
    return {
        "emotion": answer.emotion,
        "probability": answer.probability,
        "probabilities": dict(zip(answer.emotions, answer.probabilities, strict=True)),
        "logits": dict(zip(answer.emotions, answer.logits, strict=True)),
        "calibrated": answer.calibrated,
        "uncertainty": answer.uncertainty,
        "neutral_vetoed": answer.vetoed,
        "frames_seen": list(answer.frames),
        "attention": [{"frame": f, "weight": w} for f, w in attention_by_frame(answer).items()],
        **_of_whole(answer),
    }


def _of_whole(answer: Answer | Headline) -> dict[str, Any]:
    if isinstance(answer, Answer):
        return {}
    return {"answer_of": answer.kind, "share": answer.share, "answered_share": answer.answered_share}


def person_to_dict(person: Person) -> dict[str, Any]:
    """Plain types, ready for JSON."""
    return {
        "person": person.number,
        "colour": person.colour,
        "status": person.status,
        "reason": person.reason,
        "frames_with_face": person.frames_with_face,
        "answer": answer_to_dict(person.answer),
        "timeline": timeline_to_list(person),
        "labels": _runs(person.labels),
    }


def _runs(labels: Sequence[str]) -> list[dict[str, Any]]:
    """Runs of frames of one label."""
    runs: list[dict[str, Any]] = []
    for frame, label in enumerate(labels):
        if runs and runs[-1]["label"] == label:
            runs[-1]["last_frame"] = frame
        else:
            runs.append({"label": label, "first_frame": frame, "last_frame": frame})
    return runs


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
        "turned_quarters": prediction.turned,
        "answer": answer_to_dict(prediction.answer),
        "timeline": timeline_to_list(prediction),
        "people_found": prediction.people_found,
        "people": [person_to_dict(person) for person in prediction.people],
        "seconds": dict(prediction.seconds),
    }


def timeline_to_list(subject: Prediction | Person) -> list[dict[str, Any]]:
    """The windows, in order, as plain types."""
    return [
        {
            "start_s": row.window.start,
            "end_s": row.window.end,
            "first_frame": row.window.first,
            "last_frame": row.window.last,
            "status": row.status,
            "label": row.label,
            "frames_with_face": row.frames_with_face,
            "answer": answer_to_dict(row.answer),
        }
        for row in subject.windows
    ]
