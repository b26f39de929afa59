"""A table of results as tidy CSV, as Markdown and as a fragment of HTML.

What the cells say belongs to ``table_layout``; the page around the fragments to ``page``.
"""

from __future__ import annotations

import csv
import io
import re

from markupsafe import Markup

from nrdfer.core.csv_cells import cell
from nrdfer.core.html_templates import templates
from nrdfer.core.markdown_text import plain, table
from nrdfer.core.plain_text import lines, one_line
from nrdfer.evaluation.result_table import Figure, RepeatedFigure, ResultTable
from nrdfer.evaluation.seeds import spread_of
from nrdfer.reporting.comparison_table import ComparisonTable
from nrdfer.reporting.table_layout import NO_COMPARISON, Block, Cell, Grid, compare, grids, repeats

CSV_HEADER = (
    "table",
    "row",
    "measure",
    "protocol",
    "aggregate",
    "value",
    "low",
    "high",
    "published",
    "difference",
)
MORE = "Clip by clip, and as a picture"  # what the command below a table of pairs shows
SPREAD_HEADER = ("sd", "lowest", "highest", "seeds")  # more columns of a table whose trainings are repeated


def csv_of(table: ResultTable | ComparisonTable, *, comparable: bool) -> str:
    """Tidy CSV, one line per figure, not rounded.

    The published figure and the difference stand on the line of the figure that is compared: the paper protocol's, over
    the table's first aggregate. A published figure without it has a line of its own, so that rows which were not
    measured are there too. If nothing is comparable, every difference is empty.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if isinstance(table, ComparisonTable):
        writer.writerows([table.header, *(map(cell, row) for row in table.rows)])
        return out.getvalue()
    spread = _spread if repeats(table) else lambda _: ()
    writer.writerow([*CSV_HEADER, *(SPREAD_HEADER if repeats(table) else ())])
    for row in table.rows:
        for measure in table.measures:
            found = compare(table, row, measure, comparable=comparable)
            for figure in row.figures:
                if figure.measure == measure:
                    notes = (found.published, found.difference) if figure is found.paper else (None, None)
                    kind = (figure.protocol, figure.aggregate)
                    values = map(_exact, (figure.value, figure.low, figure.high, *notes))
                    writer.writerow([table.name, cell(row.label), measure, *kind, *values, *spread(figure)])
            if found.paper is None and found.published is not None:
                given = ("", "", "", "", "", _exact(found.published), "")
                writer.writerow([table.name, cell(row.label), measure, *given, *spread(None)])
    return out.getvalue()


def _spread(figure: Figure | None) -> tuple[str, ...]:
    if not isinstance(figure, RepeatedFigure):
        return ("",) * len(SPREAD_HEADER)
    found = spread_of(figure.values)
    return (*map(_exact, (found.sd, found.lowest, found.highest)), str(found.seeds))


def markdown_of(table: ResultTable | ComparisonTable, *, comparable: bool) -> str:
    """Markdown: a heading of the third level, what to keep in mind, and the tables; ends with a line break."""
    if isinstance(table, ComparisonTable):
        return _comparison_markdown(table)
    first, *others = grids(table, comparable=comparable)
    parts = [f"### {plain(heading(table))}"]
    parts += [plain(table.note)] if table.note else []
    parts += [] if comparable else [f"**{NO_COMPARISON}**"]
    parts += [f"{plain(first.caption)}\n\n{_grid(first)}"]
    parts += [_notes(first.blocks)] if any(block.note or block.state for block in first.blocks) else []
    parts += [f"{plain(grid.caption)}\n\n{_grid(grid)}" for grid in others]
    parts += [f"To make what is missing, run:\n\n    {_one_line(table.line)}"] if table.line else []
    return "\n\n".join(parts) + "\n"


def _comparison_markdown(table: ComparisonTable) -> str:
    parts = [f"### {plain(table.title)}", plain(table.note), f"{plain(table.grid.caption)}\n\n{_grid(table.grid)}"]
    parts += [_notes(table.grid.blocks)] if any(block.note or block.state for block in table.grid.blocks) else []
    parts += [f"{MORE}:\n\n    {_one_line(table.line)}"] if table.line else []
    return "\n\n".join(filter(None, parts)) + "\n"


def html_of(table: ResultTable | ComparisonTable, *, comparable: bool) -> Markup:
    """A fragment of HTML: a ``section`` whose id is the table's name, with a heading of the third level."""
    of_pairs = isinstance(table, ComparisonTable)
    found = (table.grid,) if isinstance(table, ComparisonTable) else grids(table, comparable=comparable)
    values = {"table": table, "heading": heading(table), "grids": found, "breakable": breakable}
    values["open"] = MORE if of_pairs else "What is missing is made by"
    template = templates("nrdfer.reporting").get_template("table.html")
    return Markup(template.render(values, warning="" if comparable or of_pairs else NO_COMPARISON))  # noqa: S704


def heading(table: ResultTable | ComparisonTable) -> str:
    """The table's heading: with its number, if it has one in the paper."""
    number = re.fullmatch(r"table_(\d+)", table.name)
    return f"Table {number[1]}. {table.title}" if number else table.title


def breakable(label: str) -> Markup:
    """A label with line breaks allowed after plus signs, where browsers would not break."""
    return Markup("+<wbr>").join(lines(label).split("+"))


def _exact(value: float | None) -> str:
    """All significant digits: the last of the sixteen are rounding errors of a subtraction."""
    return "" if value is None else f"{value:.13g}"


def _grid(grid: Grid) -> str:
    columns = [grid.corner, *(["figure"] if grid.named else [])]
    for group in grid.groups:
        columns += [f"{group.title} {column}" for column in group.columns] or [group.title]
    rows = (
        [plain(block.label), *([plain(line.name)] if grid.named else []), *map(_cell, line.cells)]
        for block in grid.blocks
        for line in block.lines
    )
    return table(list(map(plain, columns)), rows)


def _cell(cell: Cell) -> str:
    return plain(f"{cell.text} ({cell.interval})" if cell.interval else cell.text)


def _notes(blocks: tuple[Block, ...]) -> str:
    notes = [(block.label, "; ".join(filter(None, (block.state, block.note)))) for block in blocks]
    return "\n".join(f"- {plain(label)}: {plain(text)}" for label, text in notes if text)


def _one_line(text: str) -> str:
    return one_line(" ".join(text.split()))
