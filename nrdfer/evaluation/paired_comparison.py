"""Comparison of two networks on the same clips: their figures, the paired tests, and the clips on which they disagree.

The tests belong to ``paired_tests`` and ``seeds``; where answers come from, to the callers. Shapes: S trainings of
one network, N clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nrdfer.core.errors import NrdferError
from nrdfer.core.plain_text import one_line
from nrdfer.evaluation.apply_filter import Labels
from nrdfer.evaluation.paired_tests import Difference, McNemar, mcnemar_exact, paired_bootstrap
from nrdfer.evaluation.result_table import MEAN, POOLED, SINGLE, UAR, WAR
from nrdfer.evaluation.row_metrics import figures_of
from nrdfer.evaluation.seeds import difference_over_seeds, together

_NAMED = 3  # clips that a message names


@dataclass(frozen=True)
class Answers:
    """A network's answers to the test clips of one or more splits, of one or more trainings."""

    name: str
    protocol: str
    emotions: tuple[str, ...]
    clip_ids: tuple[str, ...]
    folds: tuple[str, ...]  # split in which each clip is tested; empty names where there is one
    truth: Labels  # (N,)
    predicted: Labels  # (S, N)
    trainings: tuple[str, ...] = ()  # digests of the S trainings, where they are known
    seeds: tuple[int, ...] = ()  # of the S trainings, where they are known

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Which answers are right, (S, N)."""
        return np.asarray(self.predicted == self.truth)

    def values(self, measure: str, aggregate: str) -> list[float]:
        """A figure of each training, percent."""
        folds = np.array(self.folds)
        found = []
        for answers in self.predicted:
            parts = {fold: (self.truth[folds == fold], answers[folds == fold]) for fold in sorted(set(self.folds))}
            figures = figures_of(parts, self.protocol, self.emotions, by_emotion=measure in self.emotions, draws=2)
            found += [f.value for f in figures if (f.measure, f.aggregate) == (measure, aggregate)]
        return found


@dataclass(frozen=True)
class Comparison:
    """What differs between A and B; differences are A minus B."""

    a: Answers
    b: Answers
    differences: tuple[Difference, ...]  # fractions
    mcnemar: tuple[McNemar, ...]  # one a pair of trainings
    over_seeds: Mapping[str, tuple[float, float]]  # WAR, UAR -> interval, percent; empty unless both repeat
    seeds: tuple[int, ...] = ()  # of the pairs, where they are known: both networks of a pair have the same

    @property
    def same_trainings(self) -> bool:
        """Whether A and B are two readings of the same trainings."""
        return bool(self.a.trainings) and self.a.trainings == self.b.trainings

    @property
    def p_value(self) -> float:
        """Of McNemar's test, over all pairs of trainings."""
        return together([test.p_value for test in self.mcnemar])

    @property
    def aggregates(self) -> tuple[str, ...]:
        """The ways to take figures, the paper's first."""
        return (MEAN, POOLED) if len(set(self.a.folds)) > 1 else (SINGLE,)

    def difference(self, measure: str, aggregate: str = "") -> Difference | None:
        """One difference, over the first aggregate unless another is named; None for an emotion without clips."""
        wanted = measure, aggregate or self.aggregates[0]
        return next((d for d in self.differences if (d.measure, d.aggregate) == wanted), None)

    def disagreements(self, *, a_is_right: bool) -> list[int]:
        """Clips that only A gets right, or only B: in the majority of the trainings of each."""
        a, b = (answers.right.mean(0) > 0.5 for answers in (self.a, self.b))
        return np.flatnonzero(a & ~b if a_is_right else b & ~a).tolist()


def compare(a: Answers, b: Answers) -> Comparison:
    """Compare two networks.

    Raises:
        NrdferError: they were not asked the same: other clips, labels, splits, emotions or protocols; or no seed is
            common to both.
    """
    b = _alike(a, b)
    seeds, pairs = _pairs(a, b)
    aggregate = MEAN if len(set(a.folds)) > 1 else SINGLE
    differences = paired_bootstrap(a.right.mean(0), b.right.mean(0), a.truth, a.folds, a.emotions)
    tests = tuple(mcnemar_exact(a.right[ours], b.right[other]) for ours, other in pairs)
    over_seeds = {}
    same = bool(a.trainings) and a.trainings == b.trainings
    if min(len(a.predicted), len(b.predicted)) > 1:
        for measure in (WAR, UAR):
            found = difference_over_seeds(a.values(measure, aggregate), b.values(measure, aggregate), paired=same)
            if found is not None:
                over_seeds[measure] = found
    return Comparison(a, b, differences, tests, over_seeds, seeds)


def _pairs(a: Answers, b: Answers) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    """Seeds, and the trainings of A and B with each of them; in order where seeds are not known.

    Raises:
        NrdferError: no seed is common to both.
    """
    if not a.seeds or not b.seeds:
        return (), [(n, n) for n in range(min(len(a.predicted), len(b.predicted)))]
    common = tuple(seed for seed in a.seeds if seed in b.seeds)
    if not common:
        mine, theirs = (", ".join(map(str, side.seeds)) for side in (a, b))
        raise NrdferError(
            f"no seed is common to both: {a.name} is complete with seed {mine}, {b.name} with seed {theirs}; train one "
            "of them with a seed of the other"
        )
    return common, [(a.seeds.index(seed), b.seeds.index(seed)) for seed in common]


def _alike(a: Answers, b: Answers) -> Answers:
    """B with its clips in A's order and its classes in A's, if both were asked the same."""
    if a.protocol != b.protocol:
        raise NrdferError(
            f"{a.name} is read under the {a.protocol} protocol and {b.name} under the {b.protocol} protocol: the best "
            "epoch on the test clips compared with the last one says nothing of the networks; read both alike"
        )
    if set(a.emotions) != set(b.emotions):
        only = [_only(a, set(a.emotions) - set(b.emotions)), _only(b, set(b.emotions) - set(a.emotions))]
        raise NrdferError(f"they have different label sets: {'; '.join(filter(None, only))}; nothing to compare")
    where = {clip: n for n, clip in enumerate(b.clip_ids)}
    mine = set(a.clip_ids)
    if mine != set(where):
        only = [_only(a, mine - set(where), "clip"), _only(b, set(where) - mine, "clip")]
        common = len(mine & set(where))
        raise NrdferError(
            f"they were tested on different clips: {'; '.join(filter(None, only))}; {common} are common to both. "
            "Paired tests need the same list: evaluate both on one split"
        )
    order = np.array([where[clip] for clip in a.clip_ids])
    classes = np.array([a.emotions.index(emotion) for emotion in b.emotions])
    truth = classes[b.truth][order]
    folds = tuple(b.folds[n] for n in order)
    for what, differs in (
        ("true emotion", truth != a.truth),
        ("split", np.array(folds) != np.array(a.folds)),
    ):
        if differs.any():
            ids = _few([a.clip_ids[n] for n in np.flatnonzero(differs)])
            raise NrdferError(
                f"{int(differs.sum())} clips have another {what} in {a.name} than in {b.name}, e.g. {ids}: they were "
                "made of different labels or folds; evaluate both on the same ones"
            )
    predicted = classes[b.predicted][:, order]
    return Answers(b.name, b.protocol, a.emotions, a.clip_ids, folds, truth, predicted, b.trainings, b.seeds)


def _only(answers: Answers, names: set[str], what: str = "") -> str:
    if not names:
        return ""
    count = f"{len(names)} {what}{'s' if len(names) > 1 else ''}, " if what else ""
    return f"only {answers.name} has {count}{_few(sorted(names))}"


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return one_line(", ".join(names[:_NAMED])) + more
