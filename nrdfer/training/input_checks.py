"""Checks of the clips of a training before it starts; each failure is one message.

The lists themselves are made by ``nrdfer.corpora`` and the fold step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nrdfer.config.recipe import Recipe
from nrdfer.core.errors import TrainingError
from nrdfer.data.dataset import ClipDataset, ClipSource


def check_lists(train_ids: Sequence[str], test_ids: Sequence[str]) -> None:
    """Check that both lists hold clips, each once, and share none.

    Raises:
        TrainingError: they do not.
    """
    for name, ids in (("training", train_ids), ("test", test_ids)):
        if not ids or len(set(ids)) != len(ids):
            raise TrainingError(f"the {name} list has {len(ids)} clips, {len(set(ids))} different; need each once")
    shared = sorted(set(train_ids) & set(test_ids))
    if shared:
        raise TrainingError(f"{len(shared)} clips are to be trained on and tested on, e.g. {shared[0]}")


def learnable(source: ClipSource, train_ids: Sequence[str], min_frames: int) -> list[str]:
    """The clips to train on, sorted: those of at least `min_frames` frames.

    Raises:
        TrainingError: none is left.
    """
    ids = sorted(train_ids)
    if min_frames:
        ids = [clip_id for clip_id in ids if source.record(clip_id).n_frames >= min_frames]
    if not ids:
        raise TrainingError(f"none of {len(train_ids)} clips has {min_frames} frames; lower min_frames in the recipe")
    return ids


def check_emotions(train: ClipDataset, test: ClipDataset, recipe: Recipe) -> None:
    """Check that the training list fills a batch, and that every emotion occurs in both lists.

    Raises:
        TrainingError: it does not, or one does not.
    """
    if recipe.batch > len(train):
        raise TrainingError(
            f"a batch of {recipe.batch} clips is larger than the training list of {len(train)}; lower batch in the "
            f"recipe to {len(train)} or less"
        )
    if recipe.absent_emotions:
        return
    for name, data, harm in (
        ("training", train, "a network cannot learn an emotion that it never sees"),
        ("test", test, "UAR over fewer emotions is not comparable"),
    ):
        counts = np.bincount(data.labels, minlength=len(data.emotions))
        absent = [emotion for emotion, count in zip(data.emotions, counts, strict=True) if not count]
        if absent:
            raise TrainingError(
                f"the {name} list of {len(data)} clips has none of {', '.join(absent)}: {harm}. Look for missing "
                "clips in set_aside.csv beside the shards and with `nrdfer doctor`, or set absent_emotions: true"
            )


def check_sampling(recipe: Recipe, frames: int) -> None:
    """Check that the recipe samples as many frames as the network takes.

    Raises:
        TrainingError: it does not.
    """
    sampling = recipe.sampling
    if sampling.frames != frames:
        raise TrainingError(
            f"the recipe samples {sampling.segments} x {sampling.duration} = {sampling.frames} frames, but the network "
            f"takes {frames}; change the sampling's segments and duration, or the network's frames"
        )


def cache_kind(kind: str, streamed: bool) -> str:
    """Cache of decoded frames for a training: a stream has none, because a clip cannot be read again.

    Raises:
        TrainingError: one is requested by name for a stream.
    """
    if streamed and kind not in ("auto", "none"):
        raise TrainingError(
            f"cache: {kind} keeps every clip decoded, which a stream is to avoid; set the engine's cache to none, or "
            "data: {reader: indexed}"
        )
    return "none" if streamed else kind
