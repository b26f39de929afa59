"""Pairs of rows that the paper compares, and their comparison on stored predictions.

The tests belong to ``nrdfer.evaluation``, how they look to ``nrdfer.reporting``. Everything is read under the honest
protocol: a test of answers that were chosen on the very clips it is made on would not hold what it promises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nrdfer.core.emotions import emotions_in
from nrdfer.core.errors import NrdferError
from nrdfer.core.plain_text import one_line
from nrdfer.evaluation.apply_filter import decide, truth
from nrdfer.evaluation.checkpoints import predictions_path
from nrdfer.evaluation.paired_comparison import Answers, Comparison, compare
from nrdfer.evaluation.paired_tests import holm
from nrdfer.experiments.catalogue import TABLE_1, TABLE_2, TABLE_3, TABLE_4, TABLE_5, TABLES, TableSpec
from nrdfer.experiments.fill import described, evaluations_of, line_of
from nrdfer.experiments.results import Results

HONEST = "honest"
_OURS, _FORMER = "NR-DFERNet DS", "Former-DFER DS"
_OVERSAMPLED = "NR-DFERNet DS oversampled"


def _against(row: str, table: TableSpec) -> tuple[tuple[str, str], ...]:
    """One row against every other that is trained."""
    return tuple((row, other.label) for other in table.rows if other.experiment and other.label != row)


#: Table -> (A, B), rows that the paper's sections 4.3 and 4.4 compare; A is what the paper holds to be better.
PAIRS: Mapping[str, tuple[tuple[str, str], ...]] = {
    TABLE_1.name: (
        ("e", "a"), ("f", "b"), ("h", "d"),  # dynamic-static fusion
        ("g", "e"),  # dynamic class token
        ("h", "a"),  # everything
        ("b", "a"), ("d", "c"), ("f", "e"), ("h", "g"),  # snippet-based filter
    ),
    TABLE_2.name: (
        ("S1 L3", "S1 L6"), ("S2 L3", "S2 L6"), ("S3 L3", "S3 L6"),  # width
        ("S2 L3", "S1 L3"), ("S2 L3", "S3 L3"),  # stride
    ),
    TABLE_3.name: _against("M2 N4", TABLE_3),
    TABLE_4.name: _against(_OURS, TABLE_4),
    TABLE_5.name: (*_against(_OURS, TABLE_5), (_OVERSAMPLED, _FORMER)),
}  # fmt: skip


@dataclass(frozen=True)
class TablePairs:
    """The comparisons of one table's pairs, as far as both rows are there."""

    table: TableSpec
    comparisons: tuple[Comparison, ...]
    adjusted: tuple[float, ...]  # p-values after Holm's correction for the comparisons of this table
    open: tuple[tuple[str, str], ...]  # pairs of which a row is missing, or no seed is common to both


def compare_pairs(table: TableSpec, results: Results) -> TablePairs:
    """Compare the pairs of a table.

    Raises:
        NrdferError: see `row_answers` and `compare`.
    """
    rows = {label: row_answers(table, label, results) for pair in PAIRS[table.name] for label in pair}
    found, missing = [], []
    for pair in PAIRS[table.name]:
        a, b = (rows[label] for label in pair)
        if a is None or b is None or not set(a.seeds) & set(b.seeds):
            missing.append(pair)
        else:
            found.append(compare(a, b))
    adjusted = holm([comparison.p_value for comparison in found])
    return TablePairs(table, tuple(found), adjusted, tuple(missing))


def row_answers(table: TableSpec, label: str, results: Results, protocol: str = HONEST) -> Answers | None:
    """Answers of one row of a table, of every seed that is complete; None if none is.

    Raises:
        NrdferError: there is no such row, or nothing is trained for it.
        StoreError: an evaluation is damaged.
    """
    spec = next((row for row in table.rows if row.label == label), None)
    if spec is None or not spec.experiment:
        rows = ", ".join(row.label for row in table.rows if row.experiment)
        raise NrdferError(f"{table.name} has no row {one_line(label)!r} of its own; it has {rows}")
    of_seeds = evaluations_of(table, table.experiment(spec.experiment), results)
    complete = {seed: there for seed, there in enumerate(of_seeds) if len(there) == len(table.splits)}
    if not complete:
        return None
    whole = list(complete.values())
    emotions = emotions_in(described(next(iter(whole[0].values())).path)["settings"])
    predicted, ids, folds, true = [], [], [], []
    trainings = tuple(" ".join(there[split].digest for split in table.splits) for there in whole)
    for number, there in enumerate(whole):
        answers = []
        for split in table.splits:
            path = there[split].path
            clips = pd.read_parquet(predictions_path(path, protocol)).sort_values("clip_id", ignore_index=True)
            answers.append(decide(clips, described(path)["settings"], spec.reading))
            if number == 0:
                ids += clips["clip_id"].astype(str).tolist()
                folds += [split if len(table.splits) > 1 else ""] * len(clips)
                true.append(truth(clips, emotions))
        predicted.append(np.concatenate(answers))
    return Answers(
        *(label, protocol, emotions, tuple(ids), tuple(folds), np.concatenate(true), np.stack(predicted)),
        trainings=trainings,
        seeds=tuple(complete),
    )


def row_of_address(address: str, results: Results, protocol: str) -> Answers | None:
    """Answers of ``table_1/h``; None if the address names no table.

    Raises:
        NrdferError: there is no such row, or its evaluations are not in the store.
    """
    name, slash, label = address.partition("/")
    table = TABLES.get(name)
    if table is None or not slash:
        return None
    found = row_answers(table, label, results, protocol)
    if found is None:
        raise NrdferError(
            f"{one_line(address)} is not evaluated on all its splits; run: {line_of(table, results.seeds)}"
        )
    return found
