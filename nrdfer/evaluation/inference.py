"""Predicting every clip of a list exactly once, with and without the snippet-based filter.

Metrics of the predictions belong to ``protocols``. Shapes: B clips, T frames, C channels, H x W, S snippets, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from nrdfer.data.augment import apply, plain
from nrdfer.data.dataset import ClipDataset, ClipSource
from nrdfer.data.frame_cache import FrameCache
from nrdfer.data.loader import Batch, BatchLoader
from nrdfer.data.settings import Sampling
from nrdfer.evaluation.protocols import check_complete
from nrdfer.models.base import ClipNetwork, trusted_clips, unit_clips
from nrdfer.runtime.distributed import Ranks, in_order

_BATCH = 16
#: Widths L of the snippets that `details` classifies at stride 1: those of the paper's Table 2.
WIDTHS = (3, 6)


def snippets_column(width: int) -> str:
    """Column of `evaluate`'s table that holds all snippets of a width, at stride 1."""
    return f"snippets_{width}"


def evaluate(
    model: ClipNetwork,
    source: ClipSource,
    clip_ids: Sequence[str],
    *,
    sampling: Sampling | None = None,
    batch: int = _BATCH,
    workers: int = 0,
    details: bool = False,
) -> pd.DataFrame:
    """Predict clips, each once.

    Args:
        model: the network; is put into evaluation mode.
        source: where clips are read.
        clip_ids: which to predict.
        sampling: how a clip becomes T frames; that of the training.
        batch: clips at a time.
        workers: threads that read ahead.
        details: also what figures and other settings of the filter need.

    Returns:
        One row a clip, sorted by id: ``clip_id``, ``emotion``, ``predicted`` (after the filter),
        ``predicted_unfiltered``, ``vetoed`` (whether a snippet vetoed neutral), ``logit_0`` to ``logit_<K - 1>``
        (of the sequence, before the filter), ``snippet_logits`` (S x K, flattened row by row). With `details` also
        ``frames`` (T indices of the clip's frames that were seen; none if they were interpolated), ``attention``
        (T - 1 numbers that sum to 1, see `ClipNetwork.inspect`; none without a class token), ``snippets_3`` and
        ``snippets_6`` (all snippets of that width at stride 1, as ``snippet_logits``), and ``state`` (D numbers: what
        the classifier sees).

    Raises:
        ValueError: no clip, or a clip is listed twice.
        TrainingError: a clip's emotion is not in the network's label set.
    """
    if not clip_ids or len(set(clip_ids)) != len(clip_ids):
        raise ValueError(
            f"{len(clip_ids)} clips listed, {len(set(clip_ids))} different; every clip is evaluated exactly once"
        )
    s = model.settings
    data = ClipDataset(source, sorted(clip_ids), image_size=s.image_size, emotions=s.emotions, sampling=sampling)
    return predict(model, data, batch=batch, workers=workers, details=details)


def predict(
    model: ClipNetwork,
    data: ClipDataset,
    *,
    batch: int = _BATCH,
    workers: int = 0,
    cache: FrameCache | None = None,
    ranks: Ranks | None = None,
    between: Callable[[], None] | None = None,
    details: bool = False,
) -> pd.DataFrame:
    """Predict the clips of a data set, each once; see `evaluate`.

    The clips are cut into the same batches on any number of ranks, which divide whole batches among them: so neither
    their number nor that of the loader's threads changes a digit. Of a stream each rank takes neighbouring batches, so
    that it reads few shards of the others'.

    Args:
        model: the network; is put into evaluation mode. Computed in its weights' own precision.
        data: without augmentation, in the order of the table.
        batch: clips at a time.
        workers: threads that read ahead.
        cache: decoded frames to take instead of reading.
        ranks: the processes that evaluate together; each returns the whole table.
        between: called after each batch; may raise to leave early.
        details: see `evaluate`.

    Raises:
        ValueError: not exactly these clips came back from the ranks.
    """
    ranks = ranks or Ranks()
    order = data.test_order()
    whole = [order[start : start + batch] for start in range(0, len(data), batch)]
    mine = ranks.part(whole) if data.streamed else whole[ranks.rank :: ranks.world]
    loader = BatchLoader(data, next(model.parameters()).device, workers=workers, cache=cache)
    model.eval()
    parts: list[list[dict[str, Any]]] = []
    with torch.inference_mode(), trusted_clips():
        for loaded in loader.batches(mine, 0):
            found = _predict(model, data, loaded)
            parts.append(
                [row | more for row, more in zip(found, _details(model, data, loaded), strict=True)]
                if details
                else found
            )
            if between is not None:
                between()
    place = {clip_id: number for number, clip_id in enumerate(data.clip_ids)}
    rows: list[dict[str, Any]] = [row for part in in_order(ranks.gather(parts)) for row in part]
    rows.sort(key=lambda row: place[row["clip_id"]])
    table = pd.DataFrame(rows)
    check_complete(table, data.clip_ids, "evaluation")
    return table


def _predict(model: ClipNetwork, data: ClipDataset, loaded: Batch) -> list[dict[str, Any]]:
    """The rows of one batch."""
    logits_BK, snippets_BSK = model.forward_with_snippets(loaded.x_BTCHW)
    chosen, plain_choice = model.decide(logits_BK, snippets_BSK).argmax(-1).tolist(), logits_BK.argmax(-1).tolist()
    vetoed = model.vetoes(snippets_BSK).tolist()
    emotions = model.settings.emotions
    logits, snippets = logits_BK.float().cpu().tolist(), snippets_BSK.float().flatten(1).cpu().tolist()
    return [
        {
            "clip_id": data.clip_ids[position],
            "emotion": data.emotions[data.labels[position]],
            "predicted": emotions[chosen[i]],
            "predicted_unfiltered": emotions[plain_choice[i]],
            "vetoed": vetoed[i],
            **{f"logit_{k}": logit for k, logit in enumerate(logits[i])},
            "snippet_logits": snippets[i],
        }
        for i, position in enumerate(loaded.positions)
    ]


def _details(model: ClipNetwork, data: ClipDataset, loaded: Batch) -> list[dict[str, Any]]:
    """Additional columns of `evaluate` for the rows of one batch, if details are requested."""
    seen = model.inspect(loaded.x_BTCHW, [width for width in WIDTHS if width < data.sampling.frames])
    columns = {
        "attention": seen.attention_BP,
        **{snippets_column(width): seen.snippets.get(width) for width in WIDTHS},
        "state": seen.state_BD,
    }
    none = np.empty((len(loaded.positions), 0), np.float32)
    values = {name: none if t is None else t.float().flatten(1).cpu().numpy() for name, t in columns.items()}
    return [
        {"frames": list(data.plan(int(position)).indices or ()), **{name: rows[i] for name, rows in values.items()}}
        for i, position in enumerate(loaded.positions)
    ]


@torch.inference_mode()
def predict_clips(model: ClipNetwork, x_BTCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and final probabilities (B, K) of clips of aligned crops of any size, values 0 to 1 or uint8.

    Raises:
        ClipError: see `ClipNetwork.forward`.
    """
    x_BTCHW = unit_clips(x_BTCHW, model.settings, any_size=True)
    size = model.settings.image_size
    if x_BTCHW.shape[-2:] != (size, size):
        # The same resizing as in testing, on the 8-bit values that crops have.
        crops = (x_BTCHW.permute(0, 1, 3, 4, 2).numpy() * 255).round().astype(np.uint8)
        change = plain((crops.shape[2], crops.shape[3]), size)
        x_BTCHW = torch.from_numpy(np.stack([apply(clip, change, size) for clip in crops]))
    logits_BK, snippets_BSK = model.forward_with_snippets(x_BTCHW)
    return logits_BK, model.probabilities(logits_BK, snippets_BSK)
