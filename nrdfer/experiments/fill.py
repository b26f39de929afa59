"""Filling of a table with figures for the catalogue's rows from the store, beside the published ones.

What is in the store belongs to ``results``, how figures are taken to ``nrdfer.reporting``.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nrdfer.core.emotions import emotions_in
from nrdfer.corpora.registry import corpus_of
from nrdfer.evaluation.apply_filter import Labels, decide, truth
from nrdfer.evaluation.checkpoints import PROTOCOLS, evaluated_protocols, predictions_path
from nrdfer.evaluation.filter_settings import Reading
from nrdfer.evaluation.result_table import GMACS, MEAN, POOLED, SINGLE, UAR, WAR, Figure, ResultTable, Row
from nrdfer.evaluation.row_metrics import figures_of
from nrdfer.experiments.catalogue import TRAINED, RowSpec, TableSpec
from nrdfer.experiments.published import published
from nrdfer.experiments.results import Results
from nrdfer.models.trained_files import MODEL

_AS_TRAINED = (Reading(), Reading(sf=False))
MEASURED, NOT_RUN, LITERATURE = "measured", "not run", "as published"


@dataclass(frozen=True)
class Filled:
    """A table, and the evaluations it was filled from: ``experiment/split`` -> digest."""

    table: ResultTable
    evaluations: Mapping[str, str]

    @property
    def open_rows(self) -> list[str]:
        """Rows with missing evaluations."""
        return _open(self.table.rows)


def line_of(table: TableSpec) -> str:
    """The command that fills a table."""
    if table.name in TRAINED:
        return f"dagster job backfill -j {table.name} --all --noprompt"
    return f"nrdfer run {table.name}"


def fill(table: TableSpec, results: Results) -> Filled:
    """Fill a table as far as its evaluations are in the store.

    Raises:
        ProfileError: an experiment's settings are not valid.
        StoreError: an evaluation is damaged.
    """
    evaluations: dict[str, str] = {}
    rows = tuple(_row(spec, table, results, evaluations) for spec in table.rows)
    return Filled(_with_rows(table, rows), evaluations)


def _with_rows(table: TableSpec, rows: tuple[Row, ...]) -> ResultTable:
    descriptive = tuple(dict.fromkeys(name for row in table.rows for name in row.cells))
    measures = (
        UAR,
        WAR,
        *(corpus_of(table.splits[0]).emotions if table.recalls else ()),
        *((GMACS,) if table.costs else ()),
    )
    aggregates = (MEAN, POOLED) if len(table.splits) > 1 else (SINGLE,)
    line = line_of(table) if _open(rows) else ""
    return ResultTable(table.name, table.title, table.note, line, descriptive, measures, aggregates, rows)


def _open(rows: tuple[Row, ...]) -> list[str]:
    return [row.label for row in rows if row.state not in (MEASURED, LITERATURE)]


def _row(spec: RowSpec, table: TableSpec, results: Results, evaluations: dict[str, str]) -> Row:
    printed = dict(published(table.number).get(spec.label, {})) if table.number else {}
    if not spec.experiment:
        return Row(spec.label, spec.cells, (), printed, LITERATURE, spec.note)
    experiment = table.experiment(spec.experiment)
    found = {split: results.evaluation(experiment, split) for split in table.splits}
    there = {split: artifact for split, artifact in found.items() if artifact is not None}
    evaluations.update({f"{experiment.name}/{split}": artifact.digest for split, artifact in there.items()})
    if len(there) < len(found):
        state = f"{len(there)} of {len(found)} folds" if there else NOT_RUN
        return Row(spec.label, spec.cells, (), printed, state, spec.note)
    folders = {split: artifact.path for split, artifact in there.items()}
    figures = read_figures(folders, spec.reading, by_emotion=table.recalls)
    if table.costs:
        figures.append(Figure(GMACS, "", "", _gmacs(next(iter(folders.values())))))
    return Row(spec.label, spec.cells, tuple(figures), printed, note=spec.note)


def read_figures(evaluations: Mapping[str, Path], reading: Reading, *, by_emotion: bool = False) -> list[Figure]:
    """The figures of each protocol: of the folders of some splits' evaluations, under a reading.

    What was validated with the filter's thresholds has no figure under other ones.
    """
    emotions = emotions_in(described(next(iter(evaluations.values())))["settings"])
    return [
        figure
        for protocol in _protocols(evaluations, reading)
        for figure in figures_of(
            _answers(evaluations, protocol, reading, emotions), protocol, emotions, by_emotion=by_emotion
        )
    ]


def _protocols(evaluations: Mapping[str, Path], reading: Reading) -> tuple[str, ...]:
    return evaluated_protocols(list(evaluations.values())) if reading in _AS_TRAINED else tuple(PROTOCOLS)


def _answers(
    evaluations: Mapping[str, Path], protocol: str, reading: Reading, emotions: Sequence[str]
) -> dict[str, tuple[Labels, Labels]]:
    """Split -> true and answered classes of its test clips, from the folders of its evaluations."""
    answers = {}
    for split, folder in evaluations.items():
        predictions = _predictions(predictions_path(folder, protocol))
        answers[split] = truth(predictions, emotions), decide(predictions, described(folder)["settings"], reading)
    return answers


@functools.lru_cache(maxsize=16)  # the rows of a table read the same predictions again and again
def _predictions(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path)


@functools.lru_cache(maxsize=64)
def described(evaluation: Path) -> dict[str, Any]:
    """The network of an evaluation: ``model``, ``settings``, ``recipe``."""
    found: dict[str, Any] = json.loads((evaluation / MODEL).read_text())
    return found


def _gmacs(evaluation: Path) -> float:
    """Cost of an evaluation's network in GMACs, counted as the published figures were."""
    network = described(evaluation)
    return _cost(network["model"], json.dumps(network["settings"]))


@functools.lru_cache(maxsize=64)
def _cost(model: str, settings: str) -> float:
    from nrdfer.models.costs import measure

    return measure(model, **json.loads(settings)).gmacs_published_counting
