"""Layout of a table of results: the texts of its cells, the same for Markdown and HTML.

Every figure is compared in one place, `compare`. How cells are written down belongs to ``render``.

A table becomes up to three grids: its costs and metrics, one line per row; the recalls, which are too many for that
line; and figures averaged in another way, which are not compared with anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from nrdfer.evaluation.result_table import GMACS, MEAN, POOLED, SINGLE, WHOLE, Figure, RepeatedFigure, ResultTable, Row
from nrdfer.evaluation.seeds import spread_of

HONEST, PAPER = "honest", "paper"
MEASURED = "measured"
NO_COMPARISON = "Nothing in this table is comparable with the published figures, so no differences are given."
REPRODUCTION = "reproduction"  # of a row whose network and recipe are its authors'
OPEN = "–"  # a cell without a figure
_AGGREGATES = {MEAN: "mean of folds", POOLED: "all folds pooled", SINGLE: "one test set"}
PUBLISHED, OURS, DIFFERENCE, OURS_HONEST = "published", "ours, paper protocol", "difference", "ours, honest"


@dataclass(frozen=True)
class Comparison:
    """One measure of one row compared with the published one."""

    published: float | None
    paper: Figure | None  # the compared one; of costs, which know no protocol, the only one
    difference: float | None  # None also where nothing may be compared
    honest: Figure | None


@dataclass(frozen=True)
class Cell:
    """One cell: its text, and the interval shown with it."""

    text: str
    interval: str = ""
    kind: str = ""  # PUBLISHED, OURS, DIFFERENCE, OURS_HONEST; empty: words


@dataclass(frozen=True)
class Line:
    """One line of a block."""

    name: str  # what the line holds, where a block has several; else empty
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Block:
    """The lines of one row of the table."""

    label: str
    state: str  # what is missing; empty if nothing is
    note: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Group:
    """Columns below one heading; without columns the heading is itself a column."""

    title: str
    columns: tuple[str, ...] = ()
    words: bool = False  # its cells are words, not figures


@dataclass(frozen=True)
class Grid:
    """One rectangle of cells."""

    caption: str
    corner: str  # heading of the labels
    groups: tuple[Group, ...]
    blocks: tuple[Block, ...]
    secondary: bool = False  # not what the table is about: may be folded away

    @cached_property  # used for every line
    def named(self) -> bool:
        """Whether lines have names."""
        return any(line.name for block in self.blocks for line in block.lines)


def compare(table: ResultTable, row: Row, measure: str, *, comparable: bool) -> Comparison:
    """One measure of one row: the paper protocol's figure over the table's first aggregate, and the honest one."""
    aggregate = table.aggregates[0] if table.aggregates else ""
    cost = row.figure(measure)
    paper = cost or row.figure(measure, PAPER, aggregate)
    published = row.published.get(measure)
    difference = paper.value - published if comparable and paper and published is not None else None
    return Comparison(published, paper, difference, None if cost else row.figure(measure, HONEST, aggregate))


def grids(table: ResultTable, *, comparable: bool) -> tuple[Grid, ...]:
    """The table's grids, in the order to show them; there is always a first."""
    recalls = [measure for measure in table.measures if measure not in WHOLE]  # emotions
    found = [_main(table, [measure for measure in table.measures if measure in WHOLE], comparable)]
    if recalls:
        found.append(_recalls(table, recalls, comparable))
    found += [grid for aggregate in table.aggregates[1:] if (grid := _other(table, aggregate))]
    return tuple(found)


def number(value: float | None, *, signed: bool = False) -> str:
    """Two digits after the point; a difference has its sign, a zero has none."""
    if value is None:
        return OPEN
    text = f"{abs(value):.2f}"
    if float(text) == 0:
        return text
    return ("−" if value < 0 else "+" if signed else "") + text


def interval(figure: Figure | None) -> str:
    """The figure's interval, or its spread over seeds; empty if it has none."""
    if isinstance(figure, RepeatedFigure):
        spread = spread_of(figure.values)
        if spread.sd is None:
            return "1 seed"
        return f"sd {number(spread.sd)}; {number(spread.lowest)}–{number(spread.highest)}"
    if figure is None or figure.low is None or figure.high is None:
        return ""
    return f"{number(figure.low)}–{number(figure.high)}"


def _main(table: ResultTable, measures: Sequence[str], comparable: bool) -> Grid:
    columns = [name for name in table.descriptive if not _is_described(table, name)]
    described = [name for name in table.descriptive if name not in columns]
    kinds = {measure: tuple(_kinds(table, measure, comparable)) for measure in measures}
    blocks = []
    for row in table.rows:
        words = [Cell(row.cells.get(name, "")) for name in columns]
        figures = [_cell(table, row, measure, kind, comparable) for measure in measures for kind in kinds[measure]]
        mark = REPRODUCTION if comparable and row.reproduction else ""
        blocks.append(_block(row, [Line("", (*words, *figures))], mark))
    units = "percent" + (f"; {GMACS} in billions a clip" if GMACS in measures else "")
    return Grid(
        f"{_over(table.aggregates[:1])}{units}; {_uncertainty(table)}.",
        " · ".join(described) or "Row",
        (*(Group(name, words=True) for name in columns), *(Group(measure, kinds[measure]) for measure in measures)),
        tuple(blocks),
    )


def _recalls(table: ResultTable, recalls: Sequence[str], comparable: bool) -> Grid:
    """One block per row, one line per kind of figure: twenty-eight columns would not be legible."""
    kinds = [kind for kind in (PUBLISHED, OURS, DIFFERENCE, OURS_HONEST) if comparable or kind != DIFFERENCE]
    blocks = []
    for row in table.rows:
        cells = {kind: tuple(_cell(table, row, emotion, kind, comparable) for emotion in recalls) for kind in kinds}
        lines = [Line(kind, of) for kind, of in cells.items() if any(cell.text != OPEN for cell in of)]
        if lines:
            blocks.append(_block(row, lines))
    caption = f"Recall of each emotion. {_over(table.aggregates[:1])}percent; {_uncertainty(table)}."
    return Grid(caption, "Row", tuple(Group(emotion) for emotion in recalls), tuple(blocks))


def _other(table: ResultTable, aggregate: str) -> Grid | None:
    """Our figures over another aggregate; nothing if none were measured."""
    over = {figure.measure for row in table.rows for figure in row.figures if figure.aggregate == aggregate}
    measures = [measure for measure in table.measures if measure in over]
    blocks = []
    for row in table.rows:
        lines = []
        for protocol, kind in ((PAPER, OURS), (HONEST, OURS_HONEST)):
            figures = [row.figure(measure, protocol, aggregate) for measure in measures]
            if any(figures):
                lines.append(Line(kind, tuple(_measured(figure, kind) for figure in figures)))
        if lines:
            blocks.append(_block(row, lines))
    caption = f"{_over([aggregate])}percent; {_uncertainty(table)}."
    return Grid(caption, "Row", tuple(map(Group, measures)), tuple(blocks), secondary=True) if blocks else None


def _kinds(table: ResultTable, measure: str, comparable: bool) -> Iterator[str]:
    """The columns of one measure: costs have no protocols, and not every table was published."""
    published = any(measure in row.published for row in table.rows)
    cost = measure == GMACS
    if published:
        yield PUBLISHED
    yield "ours" if cost else OURS
    if published and comparable:
        yield DIFFERENCE
    if not cost:
        yield OURS_HONEST


def _cell(table: ResultTable, row: Row, measure: str, kind: str, comparable: bool) -> Cell:
    found = compare(table, row, measure, comparable=comparable)
    if kind == PUBLISHED:
        return Cell(number(found.published), kind=PUBLISHED)
    if kind == DIFFERENCE:
        return Cell(number(found.difference, signed=True), kind=DIFFERENCE)
    return _measured(found.honest, OURS_HONEST) if kind == OURS_HONEST else _measured(found.paper, OURS)


def _measured(figure: Figure | None, kind: str) -> Cell:
    return Cell(number(figure.value if figure else None), interval(figure), kind)


def _block(row: Row, lines: Sequence[Line], mark: str = "") -> Block:
    note = "; ".join(filter(None, (mark, row.note)))
    return Block(row.label, "" if row.state == MEASURED else row.state, note, tuple(lines))


def _over(aggregates: Sequence[str]) -> str:
    text = ", ".join(_AGGREGATES.get(name, name) for name in aggregates)
    return f"{text[:1].upper()}{text[1:]}, " if text else ""


def repeats(table: ResultTable) -> int:
    """The most trainings that a figure of a table is the mean of; 0 where none is repeated."""
    figures = (figure for row in table.rows for figure in row.figures)
    return max((len(figure.values) for figure in figures if isinstance(figure, RepeatedFigure)), default=0)


def _uncertainty(table: ResultTable) -> str:
    seeds = repeats(table)
    if not seeds:
        return "intervals are 95\u00a0%"
    return f"mean over {seeds} seed{'s' if seeds > 1 else ''}, with standard deviation and range"


def _is_described(table: ResultTable, column: str) -> bool:
    """Whether the labels already contain a descriptive column: "S2 L3" needs no columns S and L."""
    for row in table.rows:
        text, label = row.cells.get(column, ""), set(_words(row.label))
        if text in ("", "n/a"):
            continue
        if not (set(_words(text)) <= label or set(_words(column + text)) <= label):
            return False
    return True


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text)
