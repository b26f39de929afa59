"""Predicting every clip of a list exactly once, with and without the snippet-based filter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from nrdfer.clips.augment import apply, plain
from nrdfer.clips.dataset import ClipDataset, ClipSource
from nrdfer.emotions import EMOTIONS
from nrdfer.models.nrdfernet import NRDFERNet
from nrdfer.models.registry import build_model
from nrdfer.models.snippet_filter import filter_logits

_BATCH = 16


def load_model(settings: Path, weights: Path) -> NRDFERNet:
    """A trained network in evaluation mode, from ``model.json`` and safetensors.

    Raises:
        WeightsError: the weights do not fit.
    """
    from nrdfer.training.loop import load_weights

    described = json.loads(settings.read_text())
    model = build_model(described["model"], described["settings"])
    load_weights(model, weights)
    return model.eval()


@torch.inference_mode()
def evaluate(
    model: NRDFERNet,
    source: ClipSource,
    clip_ids: Sequence[str],
    *,
    segments: int = 8,
    duration: int = 2,
) -> pd.DataFrame:
    """Predict clips, each once, sampling the middle of the segments.

    Returns:
        One row a clip: ``clip_id``, ``emotion``, ``logits`` (7 of the sequence), ``snippet_logits`` (S x 7, flattened),
        ``predicted`` (after the filter), ``predicted_unfiltered``.

    Raises:
        ValueError: a clip is listed twice.
    """
    if len(set(clip_ids)) != len(clip_ids):
        raise ValueError("a clip is listed twice; every clip is evaluated exactly once")
    device = next(model.parameters()).device
    size = model.settings.image_size
    data = ClipDataset(source, sorted(clip_ids), image_size=size, segments=segments, duration=duration)
    model.eval()
    rows = []
    for start in range(0, len(data), _BATCH):
        positions = list(range(start, min(start + _BATCH, len(data))))
        x, y = data.batch(positions)
        logits_BK, snippets_BSK = model.forward_with_snippets(torch.from_numpy(x).to(device))
        filtered_BK = filter_logits(logits_BK, snippets_BSK, model.settings.mu1, model.settings.mu2)
        for i, position in enumerate(positions):
            rows.append(
                {
                    "clip_id": data.clip_ids[position],
                    "emotion": EMOTIONS[y[i]],
                    "predicted": EMOTIONS[int(filtered_BK[i].argmax())],
                    "predicted_unfiltered": EMOTIONS[int(logits_BK[i].argmax())],
                    "logits": logits_BK[i].float().cpu().tolist(),
                    "snippet_logits": snippets_BSK[i].float().cpu().flatten().tolist(),
                }
            )
    return pd.DataFrame(rows)


@torch.inference_mode()
def predict_clips(model: NRDFERNet, x_BTCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and filtered logits (B, K) of clips of aligned crops of any size, values 0 to 1."""
    size = model.settings.image_size
    if x_BTCHW.shape[-2:] != (size, size):
        # The same resizing as in testing, on the 8-bit values that crops have.
        crops = (x_BTCHW.permute(0, 1, 3, 4, 2).numpy() * 255).round().astype(np.uint8)
        change = plain((crops.shape[2], crops.shape[3]), size)
        x_BTCHW = torch.from_numpy(np.stack([apply(clip, change, size) for clip in crops]))
    logits_BK, snippets_BSK = model.forward_with_snippets(x_BTCHW)
    return logits_BK, filter_logits(logits_BK, snippets_BSK, model.settings.mu1, model.settings.mu2)
