"""Filling of a table with figures for the catalogue's rows from the store, beside the published ones.

What is in the store belongs to ``results``, how figures are taken to ``nrdfer.reporting``.
"""

from __future__ import annotations

import dataclasses
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
from nrdfer.evaluation.bootstrap import DRAWS
from nrdfer.evaluation.checkpoints import PROTOCOLS, evaluated_protocols, predictions_path
from nrdfer.evaluation.filter_settings import Reading
from nrdfer.evaluation.result_table import (
    GMACS,
    MEAN,
    POOLED,
    SINGLE,
    UAR,
    WAR,
    Figure,
    RepeatedFigure,
    ResultTable,
    Row,
)
from nrdfer.evaluation.row_metrics import figures_of
from nrdfer.experiments.authors import is_reproduction
from nrdfer.experiments.catalogue import TABLE_1, TRAINED, Experiment, RowSpec, TableSpec
from nrdfer.experiments.published import published
from nrdfer.experiments.results import Results
from nrdfer.models.trained_files import MODEL
from nrdfer.store import Artifact

_AS_TRAINED = (Reading(), Reading(sf=False))
_SCRATCH = (
    "This profile trains from scratch (`initial`), unlike the paper, so no published figure stands beside its rows. "
    "With the paper's start:"
)
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


def line_of(table: TableSpec, seeds: int = 1) -> str:
    """The command that fills a table; further seeds of the main job's network are trained for Table 1."""
    if table.name not in TRAINED and seeds > 1:
        return line_of(TABLE_1)
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
    if corpus_of(table.splits[0]).name in results.from_scratch:
        table = dataclasses.replace(table, note=f"{_SCRATCH} {table.note}")
    return Filled(_with_rows(table, rows, results.seeds), evaluations)


def _with_rows(table: TableSpec, rows: tuple[Row, ...], seeds: int) -> ResultTable:
    descriptive = tuple(dict.fromkeys(name for row in table.rows for name in row.cells))
    measures = (
        UAR,
        WAR,
        *(corpus_of(table.splits[0]).emotions if table.recalls else ()),
        *((GMACS,) if table.costs else ()),
    )
    aggregates = (MEAN, POOLED) if len(table.splits) > 1 else (SINGLE,)
    line = line_of(table, seeds) if _open(rows) else ""
    return ResultTable(table.name, table.title, table.note, line, descriptive, measures, aggregates, rows)


def _open(rows: tuple[Row, ...]) -> list[str]:
    return [row.label for row in rows if row.state not in (MEASURED, LITERATURE)]


def _row(spec: RowSpec, table: TableSpec, results: Results, evaluations: dict[str, str]) -> Row:
    printed = dict(published(table.number).get(spec.label, {})) if table.number else {}
    if not spec.experiment:
        return Row(spec.label, spec.cells, (), printed, LITERATURE, spec.note)
    if corpus_of(table.splits[0]).name in results.from_scratch:
        printed = {}  # of networks that started otherwise
    experiment = table.experiment(spec.experiment)
    found = evaluations_of(table, experiment, results)
    for seed, there in enumerate(found):
        names = {split: f"{experiment.name}/{split}{f' seed {seed}' if seed else ''}" for split in there}
        evaluations.update({names[split]: artifact.digest for split, artifact in there.items()})
    whole = [there for there in found if len(there) == len(table.splits)]
    if not whole:
        done, of = sum(map(len, found)), len(table.splits) * results.seeds
        state = f"{done} of {of} {'folds' if results.seeds == 1 else 'trainings'}" if done else NOT_RUN
        return Row(spec.label, spec.cells, (), printed, state, spec.note)
    folders = [{split: artifact.path for split, artifact in there.items()} for there in whole]
    if results.seeds == 1:
        figures = read_figures(folders[0], spec.reading, by_emotion=table.recalls)
    else:
        figures = _repeated([read_figures(each, spec.reading, by_emotion=table.recalls, draws=1) for each in folders])
    if table.costs:
        figures.append(Figure(GMACS, "", "", _gmacs(next(iter(folders[0].values())))))
    state = MEASURED if len(whole) == results.seeds else f"{len(whole)} of {results.seeds} seeds"
    network, corpus = described(next(iter(folders[0].values()))), corpus_of(table.splits[0]).name
    reproduction = bool(printed) and is_reproduction(experiment, corpus, network)
    return Row(spec.label, spec.cells, tuple(figures), printed, state, spec.note, reproduction=reproduction)


def evaluations_of(table: TableSpec, experiment: Experiment, results: Results) -> list[dict[str, Artifact]]:
    """Of each seed, the evaluations of an experiment on the table's splits that are in the store."""
    found = [
        {split: results.evaluation(experiment, split, seed) for split in table.splits} for seed in range(results.seeds)
    ]
    return [{split: artifact for split, artifact in of.items() if artifact is not None} for of in found]


def _repeated(seeds: Sequence[Sequence[Figure]]) -> list[Figure]:
    """Means over seeds of the same figures."""
    means: list[Figure] = []
    for figures in zip(*seeds, strict=True):
        first, values = figures[0], tuple(figure.value for figure in figures)
        mean = sum(values) / len(values)
        means.append(RepeatedFigure(first.measure, first.protocol, first.aggregate, mean, values=values))
    return means


def read_figures(
    evaluations: Mapping[str, Path], reading: Reading, *, by_emotion: bool = False, draws: int = DRAWS
) -> list[Figure]:
    """The figures of each protocol: of the folders of some splits' evaluations, under a reading.

    What was validated with the filter's thresholds has no figure under other ones.
    """
    emotions = emotions_in(described(next(iter(evaluations.values())))["settings"])
    return [
        figure
        for protocol in _protocols(evaluations, reading)
        for figure in figures_of(
            answers_of(evaluations, protocol, reading, emotions), protocol, emotions, by_emotion=by_emotion, draws=draws
        )
    ]


def _protocols(evaluations: Mapping[str, Path], reading: Reading) -> tuple[str, ...]:
    return evaluated_protocols(list(evaluations.values())) if reading in _AS_TRAINED else tuple(PROTOCOLS)


def answers_of(
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
