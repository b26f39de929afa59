"""Figures of a larger corpus from those of two smaller ones, and hours from rates.

Keep out: what is measured (``bench/scaling.py``, ``bench/growth.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

EPOCHS, FOLDS = 70, 5
LEAST_SECONDS, LEAST_MEGABYTES = 0.2, 16.0  # below them, an exponent would be that of noise


def projected(sizes: list[int], measured: list[dict[str, dict[str, float]]], target: int) -> dict[str, Any]:
    """Each figure at `target` clips, in proportion to the largest size measured, and the exponent of its growth."""
    found: dict[str, Any] = {}
    for kind in measured[-1]:
        for figure, last in measured[-1][kind].items():
            before = measured[-2][kind][figure]
            grown = math.log(last / before) / math.log(sizes[-1] / sizes[-2]) if before > 0 and last > 0 else None
            found.setdefault(kind, {})[figure] = {
                "exponent": None if grown is None else round(grown, 2),
                "projected": round(last * target / sizes[-1], 1),
            }
    return found


def stage_hours(
    rates: Mapping[str, float], machines: list[int], target: int, frames: int
) -> dict[str, dict[str, float]]:
    """Hours of each stage by number of machines; training is five folds of 70 epochs on four fifths of the clips."""
    work = {stage: target * FOLDS * EPOCHS * 4 / 5 if stage == "training" else target * frames for stage in rates}
    return {stage: {str(n): round(work[stage] / rate / n / 3600, 1) for n in machines} for stage, rate in rates.items()}


def exponents(sizes: list[int], measured: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float | None]]:
    """Exponent of each figure's growth between the two largest sizes; None where it is too small to have one."""
    least = {"cpu_seconds": LEAST_SECONDS, "megabytes": LEAST_MEGABYTES}

    def grown(stage: str, figure: str) -> float | None:
        before, last = (each[stage][figure] for each in measured[-2:])
        if last < least[figure]:
            return None
        return round(math.log(last / max(before, least[figure] / 10)) / math.log(sizes[-1] / sizes[-2]), 2)

    return {stage: {figure: grown(stage, figure) for figure in least} for stage in measured[-1]}
