"""Conversion of a training log's lines to points of MLflow's metrics.

Keep here: the choice and the names. Keep out: sending them (``log_uploader``). The choice depends on the
lines alone, so that an upload that starts again chooses the same points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Fields of a ``batch`` line and their curves. MLflow's page sorts charts by name, those with a slash before all
#: others: so a training's page begins with UAR, WAR and loss over epochs, and has those of every update later.
BATCH_CURVES = {
    "loss": "update_loss",
    "lr": "update_lr",
    "clips_per_second": "update_clips_per_second",
    "waiting_share": "update_waiting_share",
}
_LATER = {"lr": "update_lr_by_epoch"}
SYSTEM = "system/"  # MLflow's page of system metrics shows what begins so
_NO_FIGURE = {"kind", "time", "step", "epoch"}


def epoch_curve(field: str) -> str:
    """The curve of a field of an epoch's figures."""
    return _LATER.get(field, field)


@dataclass(frozen=True)
class Point:
    """One point of one metric."""

    key: str
    value: float
    time: float  # seconds since 1970
    step: int  # batches, epochs or samples of the system, as the curve counts


class Curves:
    """Chooses points, line by line.

    Args:
        every: seconds from one batch that is shown to the next.
    """

    def __init__(self, every: float = 1.0) -> None:
        self._every = every
        self._last: float | None = None
        self._seen: set[tuple[str, int]] = set()

    def points(self, line: Mapping[str, Any]) -> list[Point]:
        """The points of the log's next line; none for a step that was logged before, as its values are the same."""
        kind, time = line["kind"], line["time"]
        if kind == "batch":
            if not self._is_due(time):
                return []
            figures = {curve: line.get(field) for field, curve in BATCH_CURVES.items()}
            step = int(line["step"])
        elif kind == "epoch":
            figures = {epoch_curve(key): value for key, value in line.items() if key not in _NO_FIGURE}
            step = int(line["epoch"])
        elif kind == "system":
            figures = {SYSTEM + key: value for key, value in line.items() if key not in _NO_FIGURE}
            step = int(line["step"])
        else:
            return []
        if (kind, step) in self._seen:
            return []
        self._seen.add((kind, step))
        if kind == "batch":
            self._last = time
        return [
            Point(key, float(value), time, step)
            for key, value in figures.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        ]

    def _is_due(self, time: float) -> bool:
        # a clock that was set back must not leave a gap
        return self._last is None or not 0 <= time - self._last < self._every
