"""The reproduction card: of each fold the last epoch, the best one on the test clips and the published figures.

The difference between the first two is what choosing the epoch on the test clips adds; the log of every epoch is
named, so that anybody can see what another choice would have given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.dfew import DFEW
from nrdfer.experiments.catalogue import OURS
from nrdfer.experiments.published import published
from nrdfer.models.saved_model import best_of, read_history
from nrdfer.models.trained_files import HISTORY
from nrdfer.reporting.comparison_table import ComparisonTable
from nrdfer.reporting.results import FROM_SCRATCH
from nrdfer.reporting.table_layout import DIFFERENCE, OPEN, PUBLISHED, Block, Cell, Grid, Group, Line, number
from nrdfer.reporting.table_layout import OURS as MEASURED
from nrdfer.store import Artifact

_ROW = "NR-DFERNet DS"  # of the paper's Tables 4 and 5
TITLE = "Reproduction card"
NOTE = (
    "Last is the honest protocol, best the paper's: the epoch that is best on the test clips. Their difference, "
    "best - last, is what choosing on test clips adds, and no property of the network."
)


@dataclass(frozen=True)
class CardRow:
    """One line; figures in percent."""

    name: str
    epochs: int | None  # None of several trainings together
    best_epoch: int | None
    war_last: float
    war_best: float
    uar_last: float
    uar_best: float
    war_published: float | None
    uar_published: float | None
    log: str  # the history below the store's folder, a line an epoch; empty of several trainings together

    @property
    def best_minus_last(self) -> tuple[float, float]:
        """Points of WAR and UAR that choosing the epoch on test clips adds."""
        return self.war_best - self.war_last, self.uar_best - self.uar_last


def card_of(figures: Mapping[str, Any], evaluations: Mapping[str, Artifact], model: str) -> list[CardRow]:
    """The card's rows.

    Args:
        figures: as `nrdfer.reporting.results.figures_of`; what was not evaluated has no row.
        evaluations: of each fold, and of AFEW, which hold the histories.
        model: name of the network; the paper's figures stand beside NR-DFERNet's own only, and never beside figures
            of rendered clips.
    """
    return list(_rows(figures, evaluations, model == OURS and not figures["rendered"]))


def _rows(figures: Mapping[str, Any], evaluations: Mapping[str, Artifact], comparable: bool) -> Iterator[CardRow]:
    dfew, afew = ({"WAR": None, "UAR": None} | (dict(published(n)[_ROW]) if comparable else {}) for n in ("5", "4"))
    for fold, metrics in figures["folds"].items():
        yield _row(f"{DFEW.title} {fold}", metrics, "", evaluations.get(fold), {})
    if "cross_validation" in figures:
        whole = figures["cross_validation"]
        yield _row(f"{DFEW.title} mean of folds", whole, "_mean", None, dfew)
        yield _row(f"{DFEW.title} pooled", whole, "_pooled", None, {})
    if AFEW.name in figures:
        scratch = bool(figures.get(FROM_SCRATCH))  # the paper's network started from DFEW's first fold
        name = f"{AFEW.title} validation{', from scratch' if scratch else ''}"
        yield _row(name, figures[AFEW.name], "", evaluations.get(AFEW.name), {} if scratch else afew)


def _row(
    name: str, metrics: Mapping[str, Any], suffix: str, evaluation: Artifact | None, printed: Mapping[str, float | None]
) -> CardRow:
    history = read_history(evaluation.path) if evaluation is not None else []

    def percent(protocol: str, key: str) -> float:
        return 100 * float(metrics[protocol][f"{key}{suffix}"])

    return CardRow(
        name,
        epochs=len(history) or None,
        best_epoch=int(best_of(history)["epoch"]) if history else None,
        war_last=percent("honest", "war"),
        war_best=percent("paper", "war"),
        uar_last=percent("honest", "uar"),
        uar_best=percent("paper", "uar"),
        war_published=printed.get("WAR"),
        uar_published=printed.get("UAR"),
        log=f"{evaluation.asset}/{evaluation.digest}/{HISTORY}" if evaluation is not None and history else "",
    )


def card_table(rows: list[CardRow]) -> ComparisonTable:
    """The card as a table of the report."""
    with_paper = any(row.war_published is not None for row in rows)
    columns = ("last", "best", *(("published",) if with_paper else ()), "best - last")
    blocks = []
    for row in rows:
        cells = [Cell(_count(row.epochs), kind=MEASURED), Cell(_count(row.best_epoch), kind=MEASURED)]
        for last, best, printed, added in (
            (row.war_last, row.war_best, row.war_published, row.best_minus_last[0]),
            (row.uar_last, row.uar_best, row.uar_published, row.best_minus_last[1]),
        ):
            cells += [Cell(number(last), kind=MEASURED), Cell(number(best), kind=MEASURED)]
            cells += [Cell(number(printed), kind=PUBLISHED)] if with_paper else []
            cells += [Cell(number(added, signed=True), kind=DIFFERENCE)]
        note = f"every epoch: {row.log}" if row.log else ""
        blocks.append(Block(row.name, "", note, (Line("", tuple(cells)),)))
    groups = (Group("epochs"), Group("best epoch"), Group("WAR", columns), Group("UAR", columns))
    header = tuple(asdict(rows[0]))
    return ComparisonTable(
        "card",
        TITLE,
        NOTE,
        Grid("Percent, with the filter.", "", groups, tuple(blocks)),
        header,
        tuple(tuple("" if value is None else str(value) for value in asdict(row).values()) for row in rows),
    )


def _count(value: int | None) -> str:
    return OPEN if value is None else str(value)
