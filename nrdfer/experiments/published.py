"""Published figures: every number of the paper's Tables 1 to 5, from ``published.csv``.

Figures only. Which experiment fills a row belongs to ``nrdfer.experiments``; what the corpora hold, to
``nrdfer.corpora.published``.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from nrdfer.core.emotions import EMOTIONS
from nrdfer.evaluation.result_table import GMACS, UAR, WAR

PUBLISHED = Path(__file__).with_name("published.csv")
TABLES = ("1", "2", "3", "4", "5")
HEADER = ["table", "row", "column", "value", "source"]
COLUMNS = (UAR, WAR, GMACS, *EMOTIONS)

Table = Mapping[str, Mapping[str, float]]  # row -> column -> figure


def published(table: str) -> Table:
    """The figures of one table of the paper: row -> column -> figure, in the paper's order.

    Percent, except ``GMACs``, which the paper heads "FLOPs (G)". Cells that the paper leaves open are left out.

    Args:
        table: its number, "1" to "5".

    Raises:
        ValueError: the paper has no such table with figures.
    """
    if table not in TABLES:
        raise ValueError(f"the paper has no table {table!r} with figures; it has {', '.join(TABLES)}")
    return _published()[table]


def read(path: Path) -> dict[str, Table]:
    """Table -> its figures, from a file in the long format.

    Raises:
        ValueError: a line is not understood, or a figure is there twice; says which line.
    """
    tables: dict[str, dict[str, dict[str, float]]] = {table: {} for table in TABLES}
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        if (header := next(lines, [])) != HEADER:
            raise ValueError(f"{path}: the first line must be {','.join(HEADER)}, not {','.join(header)}")
        for cells in lines:
            where = f"{path}, line {lines.line_num}"
            if len(cells) != len(HEADER):
                raise ValueError(f"{where}: {len(cells)} cells instead of {len(HEADER)}; quote a cell that has a comma")
            table, row, column, value, source = cells
            if table not in tables or column not in COLUMNS or not row or not source:
                raise ValueError(
                    f"{where}: a line needs a table ({', '.join(TABLES)}), a row, a column ({', '.join(COLUMNS)}), "
                    f"a value and a source; it says {','.join(cells)}"
                )
            figures = tables[table].setdefault(row, {})
            if column in figures:
                raise ValueError(f"{where}: table {table} has a second {column} for the row {row!r}; keep one")
            figures[column] = _number(value, where)
    return {
        table: MappingProxyType({row: MappingProxyType(figures) for row, figures in rows.items()})
        for table, rows in tables.items()
    }


@cache
def _published() -> dict[str, Table]:
    return read(PUBLISHED)


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{where}: the value {text!r} is not a number; leave a cell without a figure out")
    return value
