"""Step: the report of one reproduction, in one folder: the page, the same as Markdown, every table as CSV, figures.

What a table or a picture shows belongs to ``nrdfer.reporting`` and ``nrdfer.experiments``; here they are gathered, and
nothing is computed that is not in the store.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nrdfer.experiments.pairs import TablePairs
from nrdfer.reporting.card import card_of
from nrdfer.reporting.collect import Findings
from nrdfer.reporting.comparison_table import PAIR_HEADER, pair_table
from nrdfer.reporting.results import RESULTS, comparability, figures_of

PAGE = "report.html"
REPORT = "report.md"
FIGURES, TABLES_FOLDER = "figures", "tables"


def write_report(found: Findings, out: Path, made_by: Mapping[str, str]) -> dict[str, Any]:
    """Write `PAGE`, `REPORT`, `RESULTS`, and folders of tables and figures.

    Args:
        found: what is shown.
        out: receives the files.
        made_by: facts of the run that writes, for the page's provenance.

    Returns:
        How much of the tables is filled, and which pictures could not be made.
    """
    from nrdfer.reporting.markdown import write_markdown
    from nrdfer.reporting.page import Report, write_page
    from nrdfer.reporting.render import csv_of, markdown_of
    from nrdfer.reporting.sections import sections

    results = results_of(found)
    (out / RESULTS).write_text(json.dumps(results, indent=1), encoding="utf-8")
    for folder in (FIGURES, TABLES_FOLDER):
        (out / folder).mkdir()
    parts = sections(found, out / FIGURES, made_by)
    comparable = not found.profile.corpora.rendered
    for table in (table for part in parts for table in part.tables):
        base = out / TABLES_FOLDER / table.name
        base.with_suffix(".csv").write_text(csv_of(table, comparable=comparable), encoding="utf-8")
        base.with_suffix(".md").write_text(markdown_of(table, comparable=comparable), encoding="utf-8")
    subtitle = f"Profile {found.profile.name}. {found.profile.description}"
    report = Report("NR-DFERNet: results", subtitle, comparability(results), comparable, parts)
    write_page(out / PAGE, report)
    write_markdown(out / REPORT, report)
    filled = {f.table.name: len(f.table.rows) - len(f.open_rows) for f in found.tables}
    missing = [str(missing) for part in parts for missing in part.missing]
    rows = {f.table.name: len(f.table.rows) for f in found.tables}
    return {"rows_filled": filled, "rows": rows} | ({"missing": missing} if missing else {})


def results_of(found: Findings) -> dict[str, Any]:
    """The figures as plain data, for programs and for ``nrdfer results``."""
    figures = figures_of(found.profile, found.folds, found.cross_validation, found.afew)
    card = card_of(figures, found.evaluations, found.profile.model)
    pairs = [pair_table(each) for each in found.pairs if isinstance(each, TablePairs) and each.comparisons]
    return {
        **figures,
        "card": [dataclasses.asdict(row) for row in card],
        "pairs": [dict(zip(PAIR_HEADER, row, strict=True)) for table in pairs for row in table.rows],
        "tables": {f.table.name: dataclasses.asdict(f.table) for f in found.tables},
        "artefacts": dict(sorted(found.inputs.items())),
        "settings": found.profile.to_dict(),
    }
