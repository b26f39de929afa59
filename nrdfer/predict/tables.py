"""Results as tables: windows and frames of one video, and one row per video of many. Pictures are elsewhere."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nrdfer.core.csv_cells import cell
from nrdfer.predict.inference import Answer
from nrdfer.predict.result import Prediction

_POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")  # left and right of the picture


def timeline_rows(prediction: Prediction) -> list[dict[str, Any]]:
    """One row per window."""
    return [
        {
            "window": number,
            "start_s": round(row.window.start, 6),
            "end_s": round(row.window.end, 6),
            "first_frame": row.window.first,
            "last_frame": row.window.last,
            "frames_with_face": row.frames_with_face,
            "status": row.status,
            **answer_columns(row.answer, prediction.emotions),
        }
        for number, row in enumerate(prediction.windows)
    ]


def frame_rows(prediction: Prediction) -> list[dict[str, Any]]:
    """One row per frame: time, the target's face, attention (1 is an even share), and its window's prediction."""
    speaking, attention = prediction.window_of_frames(), prediction.attention_of_frames()
    times = () if prediction.times is None else prediction.times.starts
    rows = []
    for record, time, window, looked in zip(prediction.records, times, speaking, attention, strict=True):
        answer = prediction.windows[window].answer
        box = dict(zip(("x1", "y1", "x2", "y2"), record.box or [None] * 4, strict=True))
        points = dict(zip(_POINTS, record.points or [(None, None)] * len(_POINTS), strict=True))
        rows.append(
            {
                "frame": record.index,
                "time_s": round(time, 6),
                "has_face": record.has_face,
                "score": record.score,
                **box,
                **{
                    f"{name}_{axis}": value for name, xy in points.items() for axis, value in zip("xy", xy, strict=True)
                },
                "attention": looked,
                "window": window,
                "emotion": None if answer is None else answer.emotion,
                "probability": None if answer is None else answer.probability,
            }
        )
    return rows


def answer_columns(answer: Answer | None, emotions: Sequence[str]) -> dict[str, Any]:
    """A prediction as columns, some of them of each emotion of the label set; all are empty if there is none."""
    numbers = [None] * len(emotions)
    return {
        "emotion": None if answer is None else answer.emotion,
        "probability": None if answer is None else answer.probability,
        "neutral_vetoed": None if answer is None else answer.vetoed,
        **{f"probability_{e}": p for e, p in zip(emotions, answer.probabilities if answer else numbers, strict=True)},
        **{f"logit_{e}": p for e, p in zip(emotions, answer.logits if answer else numbers, strict=True)},
    }


def as_csv(rows: Sequence[Mapping[str, Any]], columns: Iterable[str] = ()) -> bytes:
    """Rows as CSV; `columns` are needed where there may be no rows. See `nrdfer.core.csv_cells`."""
    names = list(columns) or list(rows[0])
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()
