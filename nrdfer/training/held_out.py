"""Clips that a training holds out of its training clips, to choose epoch and thresholds without reading test clips.

Nobody is both learned from and held out where the corpus says who is filmed, and every emotion has its share. What is
chosen on them belongs to ``nrdfer.evaluation.validation``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from nrdfer.core.errors import TrainingError
from nrdfer.core.plain_text import one_line
from nrdfer.core.records import ClipRecord
from nrdfer.data.dataset import ClipSource, StreamedSource

_STREAM = 7  # the seed's stream of random numbers for this choice


def hold_out(source: ClipSource, train_ids: Sequence[str], share: float, seed: int) -> tuple[list[str], list[str]]:
    """Divide training clips into those to learn from and those to choose on, both sorted.

    Of each emotion the rounded share of its clips is held out, at least one and never all. Clips of one person stay
    together; then shares are met as closely as whole people allow. A clip whose person is not known is one of its own.

    Args:
        source: of the clips' records.
        train_ids: to divide; their order does not matter.
        share: above 0 and below 1.
        seed: of the choice among equals.

    Raises:
        TrainingError: the shards are read as a stream, which does not say who is filmed; or an emotion has no clip to
            spare.
    """
    if isinstance(source, StreamedSource):
        raise TrainingError(
            "validation: shards that are read as a stream do not say who is filmed, so people could be learned from "
            "and held out; set data: {reader: indexed}, or leave validation out of the recipe"
        )
    records = [source.record(clip_id) for clip_id in sorted(train_ids)]
    emotions = sorted({str(record.emotion) for record in records})
    members = _members(records)
    counts_GK = np.zeros((len(members), len(emotions)), np.int64)
    for row, numbers in enumerate(members.values()):
        for number in numbers:
            counts_GK[row, emotions.index(str(records[number].emotion))] += 1
    clips_K = counts_GK.sum(0)
    for emotion, clips in zip(emotions, clips_K, strict=True):
        if clips < 2:
            raise TrainingError(
                f"validation: the only training clip of {one_line(emotion)} cannot be both learned from and held out; "
                "leave validation out of the recipe"
            )
    wanted_K = np.clip(np.rint(share * clips_K), 1, clips_K - 1)
    order = np.random.default_rng([seed, _STREAM]).permutation(len(members))
    chosen = _choose(counts_GK[order], wanted_K)
    _refuse_empty(emotions, counts_GK, counts_GK[order][chosen].sum(0))
    groups = list(members.values())
    held = {number for place in order[chosen] for number in groups[place]}
    ids = [record.clip_id for record in records]
    return [c for n, c in enumerate(ids) if n not in held], [c for n, c in enumerate(ids) if n in held]


def _members(records: Sequence[ClipRecord]) -> Mapping[tuple[str, str], list[int]]:
    """Positions of the clips of each person; of one that is not known, of each clip."""
    members: dict[tuple[str, str], list[int]] = {}
    for number, record in enumerate(records):
        key = ("person", record.person) if record.person else ("clip", record.clip_id)
        members.setdefault(key, []).append(number)
    return members


def _choose(counts_GK: npt.NDArray[np.int64], wanted_K: npt.NDArray[np.float64]) -> list[int]:
    """Rows that come closest to the wanted sums, taken greedily; none that leaves an emotion without a clip."""
    held_K = np.zeros(len(wanted_K), np.int64)
    most_K = counts_GK.sum(0) - 1
    free_G = np.ones(len(counts_GK), bool)
    chosen: list[int] = []
    while True:
        after_GK = held_K + counts_GK
        cost_G = (((after_GK - wanted_K) / wanted_K) ** 2).sum(1)
        cost_G[~free_G | (after_GK > most_K).any(1)] = np.inf
        best = int(cost_G.argmin())
        if not cost_G[best] < (((held_K - wanted_K) / wanted_K) ** 2).sum():
            return chosen
        chosen.append(best)
        free_G[best] = False
        held_K = held_K + counts_GK[best]


def _refuse_empty(emotions: Sequence[str], counts_GK: npt.NDArray[np.int64], held_K: npt.NDArray[np.int64]) -> None:
    for k, emotion in enumerate(emotions):
        if held_K[k]:
            continue
        people = int((counts_GK[:, k] > 0).sum())
        who = "are of one person, who" if people == 1 else f"are of {people} people, none of whom"
        can = "cannot be both learned from and held out" if people == 1 else "can be held out within the share"
        raise TrainingError(
            f"validation: all {int(counts_GK[:, k].sum())} training clips of {one_line(emotion)} {who} {can}; raise "
            "validation, or leave it out of the recipe"
        )
