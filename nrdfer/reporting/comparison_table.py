"""Tables of paired tests, of what seeds say of published figures, and of the reproduction's card: words, cells and CSV.

The tests themselves belong to ``nrdfer.evaluation``; how a grid is written down to ``render``.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nrdfer.evaluation.paired_tests import Difference
from nrdfer.evaluation.result_table import GMACS, UAR, WAR, RepeatedFigure, ResultTable
from nrdfer.evaluation.seeds import FEWEST, likelihood_of, spread_of
from nrdfer.experiments.pairs import TablePairs
from nrdfer.reporting.table_layout import OPEN, OURS, PUBLISHED, Block, Cell, Grid, Group, Line, number

PAIR_HEADER = (
    "table", "a", "b", "measure", "aggregate", "difference", "low", "high", "seeds_low", "seeds_high", "only_a",
    "only_b", "p", "p_holm",
)  # fmt: skip
LIKELIHOOD_HEADER = ("table", "row", "measure", "published", "mean", "sd", "seeds", "z", "p")


@dataclass(frozen=True)
class ComparisonTable:
    """A table that is no table of the paper."""

    name: str
    title: str
    note: str
    grid: Grid
    header: tuple[str, ...]  # of the CSV
    rows: tuple[tuple[str, ...], ...]  # of the CSV
    line: str = ""  # the command that shows more


def pair_table(found: TablePairs) -> ComparisonTable:
    """The paired tests of one of the paper's tables."""
    first = found.comparisons[0]
    seeds = max(len(first.a.predicted), len(first.b.predicted))
    repeats = any(c.over_seeds for c in found.comparisons)
    blocks, rows = [], []
    for comparison, adjusted in zip(found.comparisons, found.adjusted, strict=True):
        cells = []
        for measure in (WAR, UAR):
            cells.append(_difference(comparison.difference(measure)))
            if repeats:
                cells.append(_points(comparison.over_seeds.get(measure)))
            rows.append(tuple(_csv_row(found, comparison.a.name, comparison.b.name, measure, adjusted)))
        only = [sum(getattr(test, side) for test in comparison.mcnemar) for side in ("only_a", "only_b")]
        cells += [
            Cell(" / ".join(map(str, only)), kind=OURS),
            *(Cell(p_text(p), kind=OURS) for p in (comparison.p_value, adjusted)),
        ]
        blocks.append(Block(f"{comparison.a.name} − {comparison.b.name}", "", "", (Line("", tuple(cells)),)))
    measured = [Group(name, ("difference", *(("over seeds",) if repeats else ()))) for name in (WAR, UAR)]
    tests = Group("McNemar", ("only first / only second right", "p", "p, Holm"))
    number_of = len(found.comparisons)
    caption = (
        "Honest protocol, first minus second, points; intervals are 95 % of a paired bootstrap over clips"
        f"{' and, over seeds, Welch’s, or Student’s of two readings of one training' if repeats else ''}; Holm’s "
        f"correction is for {number_of} "
        f"pair{'s' if number_of > 1 else ''}."
    )
    return ComparisonTable(
        f"pairs_{found.table.name}",
        f"Pairs of Table {found.table.number}",
        _note(found, seeds),
        Grid(caption, "Pair", (*measured, tests), tuple(blocks)),
        PAIR_HEADER,
        tuple(rows),
        shlex.join(["nrdfer", "compare", *(f"{found.table.name}/{side.name}" for side in (first.a, first.b))]),
    )


def likelihood_table(tables: Sequence[ResultTable]) -> ComparisonTable | None:
    """How likely the published figures are under our seeds; None without a figure of several trainings."""
    blocks, rows = [], []
    for table in tables:
        for label, measure, published, figure in _published(table):
            spread, found = spread_of(figure.values), likelihood_of(published, figure.values)
            words = "" if found else "cannot be said"
            z, p = (number(found.z, signed=True), p_text(found.p_value)) if found else (OPEN, OPEN)
            cells = (
                Cell(number(published), kind=PUBLISHED),
                Cell(number(spread.mean), f"sd {number(spread.sd)}", OURS),
                Cell(str(spread.seeds), kind=OURS),
                Cell(z, kind=OURS),
                Cell(p, kind=OURS),
            )
            title = f"Table {table.name.removeprefix('table_')}, {label}: {measure}"
            blocks.append(Block(title, words, "", (Line("", cells),)))
            exact = [f"{v:.13g}" for v in (published, spread.mean)] + ["" if spread.sd is None else f"{spread.sd:.13g}"]
            tested = (f"{found.z:.13g}", f"{found.p_value:.13g}") if found else ("", "")
            rows.append((table.name, label, measure, *exact, str(spread.seeds), *tested))
    if not blocks:
        return None
    groups = tuple(map(Group, ("published", "ours, paper protocol", "seeds", "z", "p")))
    return ComparisonTable(
        "likelihood",
        "Published figures under our seeds",
        "z is the published figure's distance from our mean in standard deviations of our trainings; p, by Student's t "
        f"with seeds minus one degrees of freedom, how often another training of ours would be as far from it. With "
        f"fewer than {FEWEST} seeds it cannot be said.",
        Grid("Paper protocol, percent.", "Row", groups, tuple(blocks)),
        LIKELIHOOD_HEADER,
        tuple(rows),
    )


def p_text(p_value: float) -> str:
    """A p-value of three digits."""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _published(table: ResultTable) -> Iterator[tuple[str, str, float, RepeatedFigure]]:
    for row in table.rows:
        for measure, published in row.published.items():
            figure = row.figure(measure, "paper", table.aggregates[0])
            if measure in (UAR, WAR) and measure != GMACS and isinstance(figure, RepeatedFigure):
                yield row.label, measure, published, figure


def _note(found: TablePairs, seeds: int) -> str:
    words = "The tests hold for other clips like these"
    words += (
        f" and for these {seeds} trainings each; the columns over seeds, for other trainings on these clips. Of "
        "several trainings p is twice the median of the tests of seed with seed, and the clips of all are counted."
        if seeds > 1
        else " and for these trainings: of one training each, nothing is said of another one."
    )
    words += (
        " Clips count as independent; those of one person or film are not, so the intervals are on the narrow side."
    )
    missing = ", ".join(f"{a} − {b}" for a, b in found.open)
    return f"{words} Not run: {missing}." if missing else words


def _difference(found: Difference | None) -> Cell:
    if found is None:
        return Cell(OPEN)
    value = number(100 * found.value, signed=True)
    if not found.has_interval:
        return Cell(value, kind=OURS)
    return Cell(value, *_interval(100 * found.low, 100 * found.high))


def _interval(low: float, high: float) -> tuple[str, str]:
    return f"{number(low, signed=True)} to {number(high, signed=True)}", OURS


def _points(interval: tuple[float, float] | None) -> Cell:
    return Cell("", *_interval(*interval)) if interval else Cell(OPEN)


def _csv_row(found: TablePairs, a: str, b: str, measure: str, adjusted: float) -> Iterator[str]:
    comparison = next(c for c in found.comparisons if (c.a.name, c.b.name) == (a, b))
    difference = comparison.difference(measure)
    yield from (found.table.name, a, b, measure, comparison.aggregates[0])
    yield f"{100 * difference.value:.13g}" if difference else ""
    ends = (difference.low, difference.high) if difference and difference.has_interval else ()
    yield from (f"{100 * end:.13g}" for end in ends) if ends else ("", "")
    yield from (f"{v:.13g}" for v in comparison.over_seeds[measure]) if measure in comparison.over_seeds else ("", "")
    yield str(sum(test.only_a for test in comparison.mcnemar))
    yield str(sum(test.only_b for test in comparison.mcnemar))
    yield from (f"{p:.13g}" for p in (comparison.p_value, adjusted))
