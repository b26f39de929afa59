"""Rows of the tables of all videos and of all people in them. Making them belongs to `video_output` and `batch`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nrdfer.predict.result import NO_FACE, OK, TOO_FEW
from nrdfer.predict.tables import answer_columns, whole_columns

_NESTED = ("answer", "others")


@dataclass(frozen=True)
class Row:
    """Result of one video."""

    video: str  # path, as `nrdfer.core.plain_text.name_text` makes it
    clip_id: str  # name of its folder
    status: str  # see predict.result
    reason: str
    emotion: str | None
    probability: float | None
    frames: int
    frames_with_face: int
    duration_s: float
    seconds: float  # that it took; of one that was there before, when it was made
    repeated: bool  # it was there already
    note: str
    answer: dict[str, Any]  # columns of tables.answer_columns and tables.whole_columns
    person: int | None = None  # the main person's number; the columns above are this person's
    people: int = 0  # found in the video
    others: tuple[dict[str, Any], ...] = ()  # columns of everyone who was asked for, tables.person_columns

    @property
    def answered(self) -> bool:
        """Whether the video has a result, which may be that no person is in it."""
        return self.status in (OK, NO_FACE, TOO_FEW)

    def flat(self) -> dict[str, Any]:
        """The row of a table."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in _NESTED}
        return {**values, **self.answer}

    def people_flat(self) -> list[dict[str, Any]]:
        """The rows of a table of people."""
        return [{"video": self.video, "clip_id": self.clip_id, **columns} for columns in self.others]


def columns_of(emotions: Sequence[str]) -> tuple[str, ...]:
    """Columns of the table of all videos, for a network's label set."""
    own = (f.name for f in dataclasses.fields(Row) if f.name not in _NESTED)
    whole = (*answer_columns(None, emotions), *whole_columns(None))
    return tuple(dict.fromkeys((*own, *whole, "model", "warning")))


def people_columns(emotions: Sequence[str]) -> tuple[str, ...]:
    """Columns of the table of all people of all videos."""
    whole = (*answer_columns(None, emotions), *whole_columns(None))
    own = ("video", "clip_id", "person", "colour", "status", "reason", "frames", "frames_with_face")
    return (*own, *whole, "model", "warning")
