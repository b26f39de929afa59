"""The report's first tables: the profile's own network on DFEW's folds and on AFEW.

The paper's own tables belong to ``nrdfer.experiments``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.dfew import DFEW
from nrdfer.evaluation.filter_settings import Reading
from nrdfer.evaluation.result_table import SINGLE, UAR, WAR, ResultTable, Row
from nrdfer.experiments.catalogue import OURS
from nrdfer.experiments.fill import read_figures
from nrdfer.experiments.published import published
from nrdfer.models.registry import title_of

_MEASURES = (UAR, WAR)
_READINGS = {"with the filter": Reading(), "without the filter": Reading(sf=False)}


def summary_tables(
    model: str, folds: Mapping[str, Path], afew: Path | None, *, from_scratch: bool = False
) -> tuple[ResultTable, ...]:
    """DFEW over its five folds, AFEW, and every fold by itself; without what was not evaluated.

    Figures over folds need all five.

    Args:
        model: name of the profile's network; the paper's figures stand beside NR-DFERNet's own only.
        folds: evaluation of each fold, as far as there are.
        afew: evaluation on AFEW; None if there is none.
        from_scratch: whether AFEW's network did not start from DFEW's, as the paper's does; then no published figure
            stands beside it.
    """
    whole = len(folds) == len(DFEW.splits)
    title = title_of(model)
    row = f"{title} DS"  # of the paper's tables
    ours = model == OURS
    dfew = ResultTable(
        DFEW.name,
        f"{title} on {DFEW.title}, five folds",
        "",
        "",
        ("Decision",),
        (*_MEASURES, *DFEW.emotions),
        DFEW.aggregates,
        tuple(
            Row(name, {"Decision": name}, tuple(read_figures(folds, reading, by_emotion=True)),
                published("5")[row] if ours and reading.sf else {})
            for name, reading in (_READINGS if whole else {}).items()
        ),
    )  # fmt: skip
    on_afew = ResultTable(
        AFEW.name,
        f"{title} on {AFEW.title}'s validation split",
        "",
        "",
        ("Decision",),
        _MEASURES,
        AFEW.aggregates,
        tuple(
            Row(name, {"Decision": name}, tuple(read_figures({AFEW.name: afew} if afew else {}, reading)),
                published("4")[row] if ours and reading.sf and not from_scratch else {})
            for name, reading in (_READINGS if afew else {}).items()
        ),
    )  # fmt: skip
    each = ResultTable(
        "folds",
        "Each fold separately, with the filter",
        "",
        "",
        ("Fold",),
        _MEASURES,
        (SINGLE,),
        tuple(Row(fold, {"Fold": fold}, tuple(read_figures({fold: path}, Reading()))) for fold, path in folds.items()),
    )
    return tuple(table for table in (dfew, on_afew, each) if table.rows)
