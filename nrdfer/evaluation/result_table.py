"""A table of results: rows as the paper prints them, each figure with its protocol, interval and published value.

What is measured for a row belongs to ``measure``, which rows there are to ``nrdfer.experiments``, how a table looks
to ``render``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nrdfer.corpora import base

MEAN, POOLED, SINGLE = base.MEAN, base.POOLED, base.SINGLE
UAR, WAR, GMACS = "UAR", "WAR", "GMACs"
WHOLE = (UAR, WAR, GMACS)  # measures that are no emotion's recall


@dataclass(frozen=True)
class Figure:
    """One figure: its measure, protocol, aggregate and interval. Percent, except costs."""

    measure: str  # UAR, WAR, GMACs, or an emotion: its recall
    protocol: str  # honest | paper; empty for costs
    aggregate: str  # MEAN, POOLED or SINGLE; empty for costs
    value: float
    low: float | None = None  # 95 % bootstrap interval
    high: float | None = None


@dataclass(frozen=True)
class RepeatedFigure(Figure):
    """The mean of one figure over trainings of several seeds; it has no bootstrap interval."""

    values: tuple[float, ...] = ()  # of each training, in the order of their seeds


@dataclass(frozen=True)
class Row:
    """One row: its labels, the measured figures, and the paper's."""

    label: str  # as the paper prints it
    cells: Mapping[str, str]  # descriptive columns and their text
    figures: tuple[Figure, ...] = ()  # empty: not measured yet
    published: Mapping[str, float] = field(default_factory=dict)  # measure -> the paper's figure
    state: str = "measured"  # or what is missing: "2 of 5 folds", "not run"
    note: str = ""
    reproduction: bool = False  # network and recipe are those of the authors of the published figures

    def figure(self, measure: str, protocol: str = "", aggregate: str = "") -> Figure | None:
        """The figure of that kind, if it was measured."""
        found = (f for f in self.figures if (f.measure, f.protocol, f.aggregate) == (measure, protocol, aggregate))
        return next(found, None)


@dataclass(frozen=True)
class ResultTable:
    """One table."""

    name: str  # table_1 .. table_5, filter_thresholds
    title: str
    note: str  # how its rows came about, and what to keep in mind
    line: str  # the command that fills it; empty if nothing more can be run
    descriptive: tuple[str, ...]  # names of the descriptive columns, in order
    measures: tuple[str, ...]  # names of what is measured, in order
    aggregates: tuple[str, ...]  # in order; the first is the one that is compared with the paper
    rows: tuple[Row, ...]
