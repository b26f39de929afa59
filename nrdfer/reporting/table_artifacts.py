"""Step: one of the paper's tables, filled from what is in the store, as Markdown and CSV.

Which evaluations fill it belongs to ``nrdfer.experiments``, how it looks to ``nrdfer.reporting``.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd

from nrdfer.config.profile import Profile
from nrdfer.core.optional_output import draw
from nrdfer.evaluation.result_table import POOLED, UAR, WAR, ResultTable
from nrdfer.experiments.catalogue import FILTER_THRESHOLDS, TableSpec
from nrdfer.experiments.fill import Filled, fill
from nrdfer.experiments.results import Results
from nrdfer.reporting.figures.mu_map import draw_mu_map
from nrdfer.reporting.render import csv_of, markdown_of
from nrdfer.store import Artifact, Store

MARKDOWN, CSV, PICTURE = "table.md", "table.csv", "table.png"


def build_table(spec: TableSpec, profile: Profile, store: Store) -> Artifact:
    """The artefact of a table: `MARKDOWN`, `CSV` and, for the thresholds, `PICTURE`.

    Raises:
        NrdferError: see `fill`.
    """
    filled = fill(spec, Results(profile, store))
    return store.build(
        f"{spec.name}/table",
        code_version="1",
        config={"rendered": profile.corpora.rendered, "table": dataclasses.asdict(filled.table)},
        inputs=filled.evaluations,
        build=lambda out: write_table(filled, out, comparable=not profile.corpora.rendered),
    )


def write_table(filled: Filled, out: Path, *, comparable: bool) -> dict[str, Any]:
    """Write a table into `out`; returns the rows that are still open."""
    table = filled.table
    (out / MARKDOWN).write_text(markdown_of(table, comparable=comparable), encoding="utf-8")
    (out / CSV).write_text(csv_of(table, comparable=comparable), encoding="utf-8")
    draw("The map of thresholds", out / PICTURE, lambda: draw_thresholds(table, out / PICTURE))
    return {"rows": len(table.rows), "open": filled.open_rows}


def draw_thresholds(table: ResultTable, path: Path) -> Path | None:
    """Draw the study of the filter's thresholds; None if `table` is another one, or not filled."""
    grid = thresholds(table)
    if grid is None:
        return None
    draw_mu_map(grid, path)
    return path


def thresholds(table: ResultTable) -> pd.DataFrame | None:
    """mu1, mu2, WAR and UAR (percent, pooled) of the thresholds' table; None if it is another one, or not filled."""
    if table.name != FILTER_THRESHOLDS.name or not all(row.figures for row in table.rows):
        return None
    rows = []
    for row in table.rows:
        war, uar = (row.figure(measure, "honest", POOLED) for measure in (WAR, UAR))
        if war is not None and uar is not None:
            rows.append(
                {"mu1": float(row.cells["mu1"]), "mu2": float(row.cells["mu2"]), "WAR": war.value, "UAR": uar.value}
            )
    return pd.DataFrame(rows)
