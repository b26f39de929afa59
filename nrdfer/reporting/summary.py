"""The report's first tables: the profile's own network on DFEW's folds and on AFEW.

The paper's own tables belong to ``nrdfer.experiments``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nrdfer.emotions import EMOTIONS
from nrdfer.experiments.catalogue import OURS
from nrdfer.experiments.reading import Reading
from nrdfer.models.names import TITLES
from nrdfer.reporting.decide import Labels, decide, truth
from nrdfer.reporting.measure import figures_of
from nrdfer.reporting.pictures import HONEST, PAPER, predictions_of
from nrdfer.reporting.published import published
from nrdfer.reporting.tables import MEAN, POOLED, SINGLE, UAR, WAR, Figure, ResultTable, Row

_MEASURES = (UAR, WAR)
_READINGS = {"with the filter": Reading(), "without the filter": Reading(sf=False)}


def summary_tables(model: str, folds: Mapping[str, Path], afew: Path) -> tuple[ResultTable, ...]:
    """DFEW over its five folds, AFEW, and every fold by itself.

    Args:
        model: name of the profile's network; the paper's figures stand beside NR-DFERNet's own only.
        folds: evaluation of each fold.
        afew: evaluation on AFEW.
    """
    dfew_row, afew_row = f"{TITLES[model]} DS", f"{TITLES[model]} DS"
    ours = model == OURS
    dfew = ResultTable(
        "dfew",
        f"{TITLES[model]} on DFEW, five folds",
        "",
        "",
        ("Decision",),
        (*_MEASURES, *EMOTIONS),
        (MEAN, POOLED),
        tuple(
            Row(name, {"Decision": name}, _figures(folds, reading, recalls=True),
                published("5")[dfew_row] if ours and reading.sf else {})
            for name, reading in _READINGS.items()
        ),
    )  # fmt: skip
    on_afew = ResultTable(
        "afew",
        f"{TITLES[model]} on AFEW's validation split",
        "",
        "",
        ("Decision",),
        _MEASURES,
        (SINGLE,),
        tuple(
            Row(name, {"Decision": name}, _figures({"afew": afew}, reading),
                published("4")[afew_row] if ours and reading.sf else {})
            for name, reading in _READINGS.items()
        ),
    )  # fmt: skip
    each = ResultTable(
        "folds",
        "Each fold by itself, with the filter",
        "",
        "",
        ("Fold",),
        _MEASURES,
        (SINGLE,),
        tuple(Row(fold, {"Fold": fold}, _figures({fold: path}, Reading())) for fold, path in folds.items()),
    )
    return dfew, on_afew, each


def _figures(evaluations: Mapping[str, Path], reading: Reading, *, recalls: bool = False) -> tuple[Figure, ...]:
    return tuple(
        figure
        for protocol in (HONEST, PAPER)
        for figure in figures_of(
            {split: _answers(path, protocol, reading) for split, path in evaluations.items()}, protocol, recalls=recalls
        )
    )


def _answers(evaluation: Path, protocol: str, reading: Reading) -> tuple[Labels, Labels]:
    predictions = predictions_of(evaluation, protocol)
    return truth(predictions), decide(predictions, {}, reading)
