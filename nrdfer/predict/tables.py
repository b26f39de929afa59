"""Results as tables: windows and frames of one person, people of one video, one row per video of many.

Pictures are elsewhere.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nrdfer.core.csv_cells import cell
from nrdfer.faces.people import PERSON
from nrdfer.predict.headline import Headline
from nrdfer.predict.inference import Answer
from nrdfer.predict.result import Person, Prediction

_POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")  # left and right of the picture


def timeline_rows(prediction: Prediction) -> list[dict[str, Any]]:
    """One row per window of the target."""
    person = _number(prediction)
    return [
        {
            "window": number,
            "start_s": round(row.window.start, 6),
            "end_s": round(row.window.end, 6),
            "first_frame": row.window.first,
            "last_frame": row.window.last,
            "frames_with_face": row.frames_with_face,
            "status": row.status,
            "label": row.label,
            "person": person,
            **answer_columns(row.answer, prediction.emotions),
        }
        for number, row in enumerate(prediction.windows)
    ]


def frame_rows(prediction: Prediction) -> Iterator[dict[str, Any]]:
    """One row per frame: time, the target's face, attention (1 is an even share), and its window's prediction.

    They are made one at a time: all rows of a long video take more memory than the rest of its prediction.
    """
    person = _number(prediction)
    labels = () if prediction.target is None else prediction.target.labels
    speaking, attention = prediction.window_of_frames(), prediction.attention_of_frames()
    times = () if prediction.times is None else prediction.times.starts
    for record, time, window, looked, label in zip(prediction.records, times, speaking, attention, labels, strict=True):
        answer = prediction.windows[window].answer
        box = dict(zip(("x1", "y1", "x2", "y2"), record.box or [None] * 4, strict=True))
        points = dict(zip(_POINTS, record.points or [(None, None)] * len(_POINTS), strict=True))
        yield {
            "frame": record.index,
            "time_s": round(time, 6),
            "has_face": record.has_face,
            "label": label,
            "person": person,
            "score": record.score,
            **box,
            **{f"{name}_{axis}": value for name, xy in points.items() for axis, value in zip("xy", xy, strict=True)},
            "attention": looked,
            "window": window,
            "emotion": None if answer is None else answer.emotion,
            "probability": None if answer is None else answer.probability,
        }


def people_rows(prediction: Prediction) -> list[dict[str, Any]]:
    """One row per person, the main one first."""
    return [person_columns(person, prediction.emotions) for person in prediction.people]


def person_columns(person: Person, emotions: Sequence[str]) -> dict[str, Any]:
    """One person as columns."""
    frames = len(person.labels)
    return {
        "person": person.number,
        "colour": person.colour,
        "status": person.status,
        "reason": person.reason,
        "frames": frames,
        "frames_with_face": sum(label == PERSON for label in person.labels),
        **answer_columns(person.answer, emotions),
        **whole_columns(person.answer),
    }


def whole_columns(answer: Headline | None) -> dict[str, Any]:
    """What an answer of a whole video stands for, as columns; all are empty if there is none."""
    return {
        "answer_of": None if answer is None else answer.kind,
        "share": None if answer is None else answer.share,
        "answered_share": None if answer is None else answer.answered_share,
    }


def _number(prediction: Prediction) -> int | None:
    """The target's number; None where nobody is seen."""
    found = prediction.target is not None and prediction.people_found
    return prediction.target.number if found and prediction.target is not None else None


def answer_columns(answer: Answer | Headline | None, emotions: Sequence[str]) -> dict[str, Any]:
    """A prediction as columns, some of them of each emotion of the label set; all are empty if there is none."""
    numbers = [None] * len(emotions)
    return {
        "emotion": None if answer is None else answer.emotion,
        "probability": None if answer is None else answer.probability,
        "uncertainty": None if answer is None else answer.uncertainty,
        "calibrated": None if answer is None else answer.calibrated,
        "neutral_vetoed": None if answer is None else answer.vetoed,
        **{f"probability_{e}": p for e, p in zip(emotions, answer.probabilities if answer else numbers, strict=True)},
        **{f"logit_{e}": p for e, p in zip(emotions, answer.logits if answer else numbers, strict=True)},
    }


def as_csv(rows: Iterable[Mapping[str, Any]], columns: Iterable[str] = ()) -> bytes:
    """Rows as CSV; `columns` are needed where there may be no rows. See `nrdfer.core.csv_cells`."""
    names, rest = list(columns), iter(rows)
    if not names:
        first = next(rest)
        names, rest = list(first), itertools.chain([first], rest)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: cell(value) for name, value in row.items()} for row in rest)
    return text.getvalue().encode()
