"""Step: the report of one reproduction, in one folder: the page, the same as Markdown, every table as CSV, figures.

What a table or a picture shows belongs to ``nrdfer.reporting`` and ``nrdfer.experiments``; here they are gathered, and
nothing is computed that is not in the store.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nrdfer.config import Profile
from nrdfer.experiments.catalogue import FOLDS, TABLE_1, TABLES
from nrdfer.experiments.fill import Filled, fill
from nrdfer.experiments.results import Results
from nrdfer.profiles import made_with
from nrdfer.stages.evaluate import PROTOCOLS, read_metrics
from nrdfer.store import Artifact, Store

RESULTS = "results.json"
PAGE = "report.html"
REPORT = "report.md"
FIGURES, TABLES_FOLDER = "figures", "tables"
NOISE = "noise/benchmark"  # asset of the noise benchmark


@dataclass(frozen=True)
class Findings:
    """Everything that a report shows, found in the store."""

    profile: Profile
    folds: Mapping[str, Artifact]  # evaluations of DFEW's folds
    cross_validation: Artifact
    afew: Artifact  # evaluation on AFEW
    dfew_shards: Artifact
    digests: Mapping[str, str]  # of the graph's assets
    tables: tuple[Filled, ...]
    baseline: Mapping[str, Artifact] = field(default_factory=dict)  # Table 1's setting a, by fold
    learned_token: Artifact | None = None  # Table 1's network with DSF and without DCT, on fold 1
    noise: Artifact | None = None  # the noise benchmark

    @property
    def inputs(self) -> dict[str, str]:
        """Digests of everything the report depends on."""
        more = {} if self.noise is None else {NOISE: self.noise.digest}
        return {
            **self.digests,
            **more,
            **{f"{f.table.name}: {name}": digest for f in self.tables for name, digest in f.evaluations.items()},
        }


def find(
    profile: Profile,
    store: Store,
    folds: Mapping[str, Artifact],
    cross_validation: Artifact,
    afew: Artifact,
    dfew_shards: Artifact,
    digests: Mapping[str, str],
) -> Findings:
    """Look for everything else that a report can show: tables, their networks, the noise benchmark."""
    results = Results(profile, store)
    baseline = {fold: results.evaluation(TABLE_1.experiment("baseline"), fold) for fold in FOLDS}
    return Findings(
        profile,
        folds,
        cross_validation,
        afew,
        dfew_shards,
        digests,
        tuple(fill(table, results) for table in TABLES.values()),
        {fold: found for fold, found in baseline.items() if found is not None},
        results.evaluation(TABLE_1.experiment("dsf"), FOLDS[0]),
        made_with(profile).get(NOISE),
    )


def write_report(found: Findings, out: Path, made_by: Mapping[str, str]) -> dict[str, Any]:
    """Write `PAGE`, `REPORT`, `RESULTS`, and folders of tables and figures.

    Args:
        found: what is shown.
        out: receives the files.
        made_by: facts of the run that writes, for the page's provenance.

    Returns:
        How much of the tables is filled.
    """
    from nrdfer.reporting.contents import sections
    from nrdfer.reporting.markdown import write_markdown
    from nrdfer.reporting.page import write_page
    from nrdfer.reporting.render import csv_of, markdown_of

    results = results_of(found)
    (out / RESULTS).write_text(json.dumps(results, indent=1))
    for folder in (FIGURES, TABLES_FOLDER):
        (out / folder).mkdir()
    parts = sections(found, out / FIGURES, made_by)
    comparable = not found.profile.corpora.rendered
    for table in (table for part in parts for table in part.tables):
        base = out / TABLES_FOLDER / table.name
        base.with_suffix(".csv").write_text(csv_of(table, comparable=comparable))
        base.with_suffix(".md").write_text(markdown_of(table, comparable=comparable))
    title, subtitle = "NR-DFERNet: results", f"Profile {found.profile.name}. {found.profile.description}"
    statement = comparability(results)
    write_page(out / PAGE, title=title, subtitle=subtitle, statement=statement, comparable=comparable, sections=parts)
    write_markdown(
        out / REPORT, title=title, subtitle=subtitle, statement=statement, comparable=comparable, sections=parts
    )
    filled = {f.table.name: len(f.table.rows) - len(f.open_rows) for f in found.tables}
    return {"rows_filled": filled, "rows": {f.table.name: len(f.table.rows) for f in found.tables}}


def results_of(found: Findings) -> dict[str, Any]:
    """The figures as plain data, for programs and for ``nrdfer results``."""
    return {
        "profile": found.profile.name,
        "rendered": found.profile.corpora.rendered,
        "folds": {fold: read_metrics(artifact.path) for fold, artifact in sorted(found.folds.items())},
        "cross_validation": read_metrics(found.cross_validation.path),
        "afew": read_metrics(found.afew.path),
        "tables": {f.table.name: dataclasses.asdict(f.table) for f in found.tables},
        "artefacts": dict(sorted(found.inputs.items())),
        "settings": found.profile.to_dict(),
    }


def closing_rows(results: Mapping[str, Any]) -> list[list[str]]:
    """The closing table: header row, then WAR and UAR (percent) of both protocols for folds, means and AFEW."""
    rows = [["", *(f"{metric} {protocol}" for protocol in PROTOCOLS for metric in ("WAR", "UAR"))]]

    def row(name: str, figures: Mapping[str, Mapping[str, float]], war: str, uar: str) -> None:
        cells = (f"{100 * figures[protocol][key]:.2f}" for protocol in PROTOCOLS for key in (war, uar))
        rows.append([name, *cells])

    for fold, metrics in results["folds"].items():
        row(f"DFEW {fold}", metrics, "war", "uar")
    row("DFEW mean of folds", results["cross_validation"], "war_mean", "uar_mean")
    row("DFEW pooled", results["cross_validation"], "war_pooled", "uar_pooled")
    row("AFEW validation", results["afew"], "war", "uar")
    return rows


def comparability(results: Mapping[str, Any]) -> str:
    """What may be compared with the paper."""
    if results["rendered"]:
        return (
            "These clips are rendered: nothing here is comparable to the paper's figures. They show that every "
            "stage works, and that the network learns emotions of identities it has never seen."
        )
    return (
        "The row 'paper' picks the best epoch on the test fold, as published figures do; 'honest' picks nothing. "
        "DFEW is evaluated on the clips whose faces are distributed (11,697 of 12,059)."
    )
