"""Division of a user's own clips into training and test: the table's own, or folds that are drawn once and kept.

A corpus has one division, or folds that each test other clips. Which labels there are belongs to ``own_labels``; what a
division is worth, to ``own_checks``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nrdfer.core.errors import CorpusError
from nrdfer.corpora.own_labels import TEST, TRAIN, LabelledPath

NEVER = 0  # instead of a fold's number: only trained on
_SEED = 0


def divide(rows: Sequence[LabelledPath], folds: int, test: str = TEST) -> tuple[int, list[int]]:
    """The number of folds, and the fold that tests each clip (`NEVER` for one that is only trained on).

    A table's column ``fold`` or ``split`` decides. Without either, folds are drawn so that each has like shares of the
    labels, and nobody is in two of them where the table names people; equal tables are divided equally.

    Args:
        rows: the clips.
        folds: how many to draw, 2 or more.
        test: the part that tests, of a table with a column split; without it, val tests.

    Raises:
        CorpusError: the columns contradict each other, leave clips out or a part empty, or fewer people than folds.
    """
    numbered, parted = [row for row in rows if row.fold], [row for row in rows if row.split]
    if numbered and parted:
        raise CorpusError(f"{numbered[0].where}: the columns fold and split both divide the clips; keep one of them")
    for name, some in (("fold", numbered), ("split", parted)):
        if some and len(some) < len(rows):
            without = next(row for row in rows if not getattr(row, name))
            raise CorpusError(f"{without.where}: it has no {name}, but {some[0].where} has one; give every line one")
    if numbered:
        return _numbered(rows)
    if parted:
        return _parted(rows, test)
    return folds, _drawn(rows, folds)


def _numbered(rows: Sequence[LabelledPath]) -> tuple[int, list[int]]:
    most = max(row.fold for row in rows)
    missing = sorted(set(range(1, most + 1)) - {row.fold for row in rows})
    if most < 2 or missing:
        lacks = f"number {missing[0]} is missing" if missing else "there is only one"
        raise CorpusError(f"the column fold must number the folds from 1 on, two or more: {lacks}")
    return most, [row.fold for row in rows]


def _parted(rows: Sequence[LabelledPath], test: str) -> tuple[int, list[int]]:
    parts = {row.split for row in rows}
    if parts == {TRAIN, "val"}:
        test = "val"
    if further := sorted(parts - {TRAIN, test}):
        raise CorpusError(
            f"the column split has {', '.join(sorted(parts))}, but a network is trained on one part and tested on "
            f"another: give --test val or --test test; the clips of {' and of '.join(further)} are left out then"
        )
    if missing := sorted({TRAIN, test} - parts):
        raise CorpusError(
            f"the column split has no line of {' and of '.join(missing)}; train and {test} both need clips"
        )
    return 1, [1 if row.split == test else NEVER for row in rows]


def _drawn(rows: Sequence[LabelledPath], folds: int) -> list[int]:
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    if folds < 2:
        raise CorpusError(f"--folds {folds}: there must be two folds or more; or add a column split to the table")
    people = {row.person for row in rows}
    by_person = all(row.person for row in rows)
    if by_person and len(people) < folds:
        raise CorpusError(
            f"{len(people)} people cannot be divided into {folds} folds; give --folds {len(people)} or less"
        )
    labels = np.array([row.label for row in rows])
    fewest = min(np.unique(labels, return_counts=True)[1])
    if not by_person and fewest < folds:
        raise CorpusError(
            f"a label has {fewest} clips, too few for {folds} folds that all test it; give --folds {fewest} or less, "
            "or merge the label with another one (--label OLD=NEW)"
        )
    method = (StratifiedGroupKFold if by_person else StratifiedKFold)(folds, shuffle=True, random_state=_SEED)
    groups = np.array([row.person for row in rows]) if by_person else None
    tested = np.zeros(len(rows), int)
    for number, (_, chosen) in enumerate(method.split(np.zeros(len(rows)), labels, groups), start=1):
        tested[chosen] = number
    return tested.tolist()
