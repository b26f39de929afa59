"""The leak report of a corpus: test clips with a near-duplicate in training, and the figures with and without them.

Finding near-duplicates belongs to ``near_duplicates``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nrdfer.core.errors import StoreError
from nrdfer.core.progress import Progress
from nrdfer.evaluation.checkpoints import predictions_path, read_metrics
from nrdfer.evaluation.near_duplicates import (
    ASKED,
    FRAMES,
    MOST_BITS,
    SAME,
    Neighbour,
    near_neighbours,
    read_pictures,
)
from nrdfer.evaluation.protocols import fold_metrics
from nrdfer.models.saved_model import read_emotions
from nrdfer.models.trained_files import MODEL
from nrdfer.shards.reader import ShardReader
from nrdfer.shards.split import Split

LEAKS = "leaks.json"
_FIGURES = ("war", "uar")
#: What the result depends on, besides the clips.
SETTINGS: Mapping[str, Any] = {"frames": FRAMES, "asked": ASKED, "bits": MOST_BITS, "same": SAME}


@dataclass(frozen=True)
class Leaks:
    """The near-duplicates between training and test clips of one split."""

    split: str
    train: int  # clips
    test: int
    neighbours: tuple[Neighbour, ...]

    @property
    def clip_ids(self) -> frozenset[str]:
        """Test clips with a near-duplicate in training."""
        return frozenset(neighbour.clip_id for neighbour in self.neighbours)


def find_leaks(splits: Sequence[Split], *, workers: int = 2, progress: Progress | None = None) -> list[Leaks]:
    """The leaks of splits that share their shards; every clip is read once.

    Args:
        splits: of one corpus.
        workers: threads; they never change the result.
        progress: called with (clips read or looked up, all of them).

    Raises:
        StoreError: a shard is missing or damaged.
    """
    ids = sorted({clip_id for split in splits for clip_id in (*split.train_ids, *split.test_ids)})
    whole = len(ids) + sum(len(split.test_ids) for split in splits)
    done = 0

    def report(now: int, _: int) -> None:
        if progress is not None:
            progress(done + now, whole)

    with ShardReader(splits[0].shards) as reader:
        lengths = {clip_id: reader.index.clips[clip_id].n_frames for clip_id in ids}
        pictures = read_pictures(reader, lengths, workers=workers, progress=report)
    done = len(ids)
    found = []
    for split in splits:
        neighbours = near_neighbours(pictures, split.train_ids, split.test_ids, workers=workers, progress=report)
        found.append(Leaks(split.name, len(split.train_ids), len(split.test_ids), tuple(neighbours)))
        done += len(split.test_ids)
    return found


def without_leaks(
    predictions: pd.DataFrame, emotions: Sequence[str], leaks: Leaks
) -> dict[str, dict[str, float | int]]:
    """WAR and UAR (0 to 1) of all test clips, and of those without a near-duplicate in training.

    Args:
        predictions: of the split's test clips.
        emotions: the label set.
        leaks: of the split.
    """
    kept = predictions[~predictions["clip_id"].isin(leaks.clip_ids)]
    parts = {"all": predictions, "without": kept}
    return {
        name: {"clips": len(part), **{key: fold_metrics(part, emotions)[key] for key in _FIGURES}}
        for name, part in parts.items()
        if len(part)
    }


def figures_of(evaluation: Path, leaks: Leaks) -> dict[str, dict[str, dict[str, float | int]]]:
    """`without_leaks` of each protocol of the folder of an evaluation.

    Raises:
        StoreError: it is not of this split's test clips.
    """
    emotions = read_emotions(evaluation / MODEL)
    figures = {}
    for protocol in read_metrics(evaluation):
        predictions = pd.read_parquet(predictions_path(evaluation, protocol))
        if len(predictions) != leaks.test or not leaks.clip_ids <= set(predictions["clip_id"]):
            raise StoreError(
                f"{evaluation} predicts {len(predictions)} clips, not the {leaks.test} test clips of {leaks.split}"
            )
        figures[protocol] = without_leaks(predictions, emotions, leaks)
    return figures


def rebuilt(values: Mapping[str, Any]) -> list[Leaks]:
    """The leaks in `plain` values."""
    return [
        Leaks(name, split["train"], split["test"], tuple(Neighbour(**each) for each in split["neighbours"]))
        for name, split in values.items()
    ]


def plain(leaks: Sequence[Leaks], figures: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Leaks and the figures of their splits (`without_leaks` by protocol) as plain values."""
    return {
        split.split: {
            "train": split.train,
            "test": split.test,
            "with_neighbour": len(split.neighbours),
            "neighbours": [asdict(neighbour) for neighbour in split.neighbours],
            "figures": dict(figures.get(split.split, {})),
        }
        for split in leaks
    }


def write_leaks(folder: Path, values: Mapping[str, Any]) -> None:
    """Write `LEAKS`."""
    (folder / LEAKS).write_text(json.dumps(values, indent=1), encoding="utf-8")


def read_leaks(folder: Path) -> dict[str, Any]:
    """What `write_leaks` wrote.

    Raises:
        StoreError: the file is missing or damaged.
    """
    path = folder / LEAKS
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for split in values.values():
            split_in_words("", split)
        rebuilt(values)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise StoreError(f"{path} holds no leak report: it was changed or damaged; run nrdfer corpus leaks") from error
    return values


def split_in_words(name: str, values: Mapping[str, Any]) -> str:
    """The report of one split on one line."""
    share = 100 * values["with_neighbour"] / values["test"]
    text = (
        f"{name}: {values['with_neighbour']} of {values['test']} test clips ({share:.2f} %) have a near-duplicate "
        f"among {values['train']} training clips"
    )
    for protocol, parts in values["figures"].items():
        if "without" in parts:
            war = f"{100 * parts['all']['war']:.2f} with, {100 * parts['without']['war']:.2f} without them"
            text += f"; WAR {protocol} {war}"
    return text
