"""Step: the report of one reproduction, in one folder: the page, the same as Markdown, every table as CSV, figures.

What a table or a picture shows belongs to ``nrdfer.reporting`` and ``nrdfer.experiments``; here they are gathered, and
nothing is computed that is not in the store.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from nrdfer.config import Profile
from nrdfer.decoration import Missing, reason
from nrdfer.errors import NrdferError
from nrdfer.experiments.catalogue import FOLDS, TABLE_1, TABLES
from nrdfer.experiments.fill import Filled, fill
from nrdfer.experiments.results import Results
from nrdfer.profiles import made_with
from nrdfer.stages.results import RESULTS, comparability, figures_of
from nrdfer.store import Artifact, Store

PAGE = "report.html"
REPORT = "report.md"
FIGURES, TABLES_FOLDER = "figures", "tables"
NOISE = "noise/benchmark"  # asset of the noise benchmark

Kept = TypeVar("Kept")


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
    gaps: tuple[Missing, ...] = ()  # what is in the store and cannot be read

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
    """Look for everything else that a report can show: tables, their networks, the noise benchmark.

    None of it is what the run was for, so what is damaged there is told in the report and does not end it.
    """
    results, gaps = Results(profile, store), _Gaps()

    def fold_of(experiment: str, fold: str) -> Artifact | None:
        asked = TABLE_1.experiment(experiment)
        return gaps.keep(f"What table_1's {asked.name} shows of {fold}", lambda: results.evaluation(asked, fold))

    baseline = {fold: fold_of("baseline", fold) for fold in FOLDS}
    tables = [gaps.keep(f"The table {name}", partial(fill, table, results)) for name, table in TABLES.items()]
    return Findings(
        profile,
        folds,
        cross_validation,
        afew,
        dfew_shards,
        digests,
        tuple(filled for filled in tables if filled is not None),
        {fold: found for fold, found in baseline.items() if found is not None},
        fold_of("dsf", FOLDS[0]),
        gaps.keep("The noise benchmark", lambda: made_with(profile).get(NOISE)),
        tuple(gaps.found),
    )


class _Gaps:
    """Collects what cannot be read."""

    def __init__(self) -> None:
        self.found: list[Missing] = []

    def keep(self, what: str, get: Callable[[], Kept]) -> Kept | None:
        """What `get` returns; None if it is damaged or its settings cannot be meant."""
        try:
            return get()
        except NrdferError as error:
            self.found.append(Missing(what, reason(error)))
            return None


def write_report(found: Findings, out: Path, made_by: Mapping[str, str]) -> dict[str, Any]:
    """Write `PAGE`, `REPORT`, `RESULTS`, and folders of tables and figures.

    Args:
        found: what is shown.
        out: receives the files.
        made_by: facts of the run that writes, for the page's provenance.

    Returns:
        How much of the tables is filled, and which pictures could not be made.
    """
    from nrdfer.reporting.contents import sections
    from nrdfer.reporting.markdown import write_markdown
    from nrdfer.reporting.page import write_page
    from nrdfer.reporting.render import csv_of, markdown_of

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
    title, subtitle = "NR-DFERNet: results", f"Profile {found.profile.name}. {found.profile.description}"
    statement = comparability(results)
    write_page(out / PAGE, title=title, subtitle=subtitle, statement=statement, comparable=comparable, sections=parts)
    write_markdown(
        out / REPORT, title=title, subtitle=subtitle, statement=statement, comparable=comparable, sections=parts
    )
    filled = {f.table.name: len(f.table.rows) - len(f.open_rows) for f in found.tables}
    missing = [str(missing) for part in parts for missing in part.missing]
    rows = {f.table.name: len(f.table.rows) for f in found.tables}
    return {"rows_filled": filled, "rows": rows} | ({"missing": missing} if missing else {})


def results_of(found: Findings) -> dict[str, Any]:
    """The figures as plain data, for programs and for ``nrdfer results``."""
    return {
        **figures_of(found.profile, found.folds, found.cross_validation, found.afew),
        "tables": {f.table.name: dataclasses.asdict(f.table) for f in found.tables},
        "artefacts": dict(sorted(found.inputs.items())),
        "settings": found.profile.to_dict(),
    }
