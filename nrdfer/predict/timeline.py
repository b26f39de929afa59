"""Timeline and headline of one person: which windows show the person enough, of which frames each is answered.

A window is answered from the frames in it that show the person, and from no other; so it is the same as in an
evaluation where the person is always seen. Asking the network belongs to `inference`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nrdfer.faces.people import PERSON, UNSURE, PersonPlan
from nrdfer.predict.asked import CLIP
from nrdfer.predict.crops import CroppedVideo
from nrdfer.predict.headline import of_clip, of_windows
from nrdfer.predict.inference import Answer
from nrdfer.predict.result import NO_FACE, OK, TOO_FEW, Person, WindowAnswer
from nrdfer.predict.windows import Window, WindowSettings


@dataclass(frozen=True, eq=False)
class ClipsOfPerson:
    """The clips that are asked about for one person.

    Attributes:
        counts: frames of each window that show the person.
        windows: for each window these frames, or None where they are too few.
        whole: all frames of the video where one clip of it is asked about, too; else None.
    """

    counts: tuple[int, ...]
    windows: tuple[tuple[int, ...] | None, ...]
    whole: range | None = None

    @property
    def clips(self) -> list[Sequence[int]]:
        """All of them, the whole last."""
        return [*(clip for clip in self.windows if clip is not None), *([self.whole] if self.whole else [])]


def plan_clips(person: PersonPlan, windows: Sequence[Window], settings: WindowSettings, answer: str) -> ClipsOfPerson:
    """Choose the clips of one person.

    Args:
        person: in which frames who is seen.
        windows: of the video.
        settings: how many of a window's frames have to show the person.
        answer: `WINDOWS` or `CLIP`.
    """
    has_face = [record.has_face for record in person.plan.records]
    found: list[tuple[int, ...] | None] = []
    counts = []
    for window in windows:
        present = tuple(frame for frame in window.frames if has_face[frame])
        counts.append(len(present))
        found.append(present if present and len(present) >= settings.least_face * len(window.frames) else None)
    whole = range(len(has_face)) if answer == CLIP and any(clip is not None for clip in found) else None
    return ClipsOfPerson(tuple(counts), tuple(found), whole)


def assemble(
    number: int,
    person: PersonPlan,
    cropped: CroppedVideo,
    clips: ClipsOfPerson,
    answers: Iterator[Answer],
    windows: Sequence[Window],
    seconds: Sequence[float],
    settings: WindowSettings,
) -> Person:
    """One person's result.

    Args:
        number: 1 for the main person.
        person: how each frame was cropped.
        cropped: the crops.
        clips: of `plan_clips`.
        answers: to these clips, in order.
        windows: of the video.
        seconds: for which each window is the nearest.
        settings: of the windows.
    """
    rows = []
    for window, count, clip in zip(windows, clips.counts, clips.windows, strict=True):
        answer = None if clip is None else next(answers)
        label = PERSON if answer is not None else _most(person.labels[window.first : window.last + 1])
        rows.append(WindowAnswer(window, count, answer, label))
    headline = of_windows([row.answer for row in rows], seconds)
    status, reason = _status(person, rows, settings)
    if status != OK or headline is None:
        return Person(number, status, reason, None, tuple(rows), cropped, person.labels)
    if clips.whole is not None:
        whole = next(answers)
        seen = sum(person.plan.records[frame].has_face for frame in whole.frames)
        if seen < settings.least_face * len(whole.frames) or not seen:
            why = (
                f"the person is in {seen} of the {len(whole.frames)} frames that an answer to one clip of the whole "
                f"video uses; the timeline answers {sum(row.answer is not None for row in rows)} of {len(rows)} windows"
            )
            return Person(number, TOO_FEW, why, None, tuple(rows), cropped, person.labels)
        headline = of_clip(whole, headline)
    return Person(number, OK, "", headline, tuple(rows), cropped, person.labels)


def _most(labels: Sequence[str]) -> str:
    """The label of most frames, apart from those of the person."""
    counts = Counter(label for label in labels if label != PERSON)
    return max(counts, key=lambda label: (counts[label], label == UNSURE), default=UNSURE)


def _status(person: PersonPlan, rows: Sequence[WindowAnswer], settings: WindowSettings) -> tuple[str, str]:
    """Whether there is enough of a person for an answer of the whole video, and why not."""
    frames = len(person.labels)
    present = sum(record.has_face for record in person.plan.records)
    if not present:
        return NO_FACE, person.plan.reason
    answered = sum(row.answer is not None for row in rows)
    presence = f"the face is in {present} of {frames} frames"
    if not answered:
        return TOO_FEW, (
            f"{presence}, too few for an answer: no window of {settings.window:g} s shows it in "
            f"{settings.least_face:.0%} of its frames (see least_face)"
        )
    if present < settings.least_share * frames:
        return TOO_FEW, (
            f"{presence}, less than {settings.least_share:.0%} (see least_share), too few for an answer of the whole "
            f"video; the timeline answers {answered} of {len(rows)} windows"
        )
    return OK, ""
