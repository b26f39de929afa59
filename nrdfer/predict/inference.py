"""Inference on clips of crops: logits, probabilities after the snippet filter, attention by source frame.

A clip is any frames of a cropped video, in order; it becomes T frames as in testing (`nrdfer.data`), so all frames of a
video give the answer that an evaluation of it would. Which clips there are belongs to `predictor`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from nrdfer.core.errors import ClipError
from nrdfer.data.augment import apply_into, plain
from nrdfer.data.sampling import sample_indices
from nrdfer.data.settings import Sampling
from nrdfer.data.time_interpolation import interpolate
from nrdfer.models.base import ClipNetwork, trusted_clips
from nrdfer.predict.crops import CroppedVideo

BATCH = 16  # clips at a time, as in evaluation
#: Frames of a clip that is interpolated: all of them are in memory at the same time.
MAX_INTERPOLATED = 20_000


@dataclass(frozen=True)
class Answer:
    """The network's prediction for one clip; K numbers are in the order of `emotions`."""

    logits: tuple[float, ...]  # K, of the sequence, before the filter
    probabilities: tuple[float, ...]  # K, after it
    vetoed: bool  # a snippet vetoed neutral
    frames: tuple[int, ...]  # T source frames; of an interpolated clip the nearest ones
    emotions: tuple[str, ...]  # K, the network's label set
    attention: tuple[float, ...]  # T - 1, of each pair of frames, sum 1; empty for a network without a class token
    calibrated: bool = False  # the probabilities carry the model's temperature

    @property
    def emotion(self) -> str:
        """The predicted emotion."""
        return self.emotions[int(np.argmax(self.probabilities))]

    @property
    def probability(self) -> float:
        """Probability of the predicted emotion."""
        return max(self.probabilities)

    @property
    def uncertainty(self) -> float:
        """Entropy of the probabilities, 0 (sure) to 1 (all emotions alike)."""
        return uncertainty_of(self.probabilities)


def uncertainty_of(probabilities: Sequence[float]) -> float:
    """Entropy of K probabilities as a fraction of the largest possible."""
    p_K = np.asarray(probabilities, np.float64)
    return float(-(p_K * np.log(np.where(p_K > 0, p_K, 1))).sum() / np.log(len(p_K))) if len(p_K) > 1 else 0.0


def answers(
    network: ClipNetwork,
    sampling: Sampling,
    video: CroppedVideo,
    clips: Sequence[Sequence[int]],
    batch: int = BATCH,
    temperature: float | None = None,
) -> Iterator[Answer]:
    """Predictions for clips of a video, in order, a batch at a time.

    Args:
        network: in evaluation mode.
        sampling: of its training.
        video: the crops; those of `frames_needed` are read.
        clips: frames of each, rising, none empty.
        batch: how many at a time; bounds the memory.
        temperature: by which logits are divided before they become probabilities, see `nrdfer.predict.model`.

    Raises:
        ClipError: a stretch without a frame, or too long to be interpolated.
    """
    size = network.settings.image_size
    for start in range(0, len(clips), batch):
        part = clips[start : start + batch]
        x_BTSSC = np.empty((len(part), sampling.frames, size, size, 3), np.float32)
        seen = [_read(video, clip, sampling, x_TSSC) for clip, x_TSSC in zip(part, x_BTSSC, strict=True)]
        yield from _ask(network, x_BTSSC, seen, temperature)


def frames_needed(clip: Sequence[int], sampling: Sampling) -> list[int]:
    """The frames of a clip that are read for its prediction.

    Raises:
        ClipError: it has none.
    """
    if len(clip) == 0:
        raise ClipError(f"a clip of no frame ({clip}) cannot be classified")
    if sampling.strategy != "ds":
        return list(clip)
    return [clip[i] for i in sample_indices(len(clip), sampling.segments, sampling.duration)]


def _read(
    video: CroppedVideo, clip: Sequence[int], sampling: Sampling, x_TSSC: npt.NDArray[np.float32]
) -> tuple[int, ...]:
    """Fill in one clip; returns the source frames that it shows."""
    if sampling.strategy == "ds":
        indices = frames_needed(clip, sampling)
        frames = video.frames(indices)
    else:
        if len(clip) > MAX_INTERPOLATED:
            raise ClipError(
                f"a stretch of {len(clip):,} frames is too long to be interpolated (at most {MAX_INTERPOLATED:,}); "
                "split the video, or use a network trained with dynamic sampling"
            )
        indices = [clip[round(place)] for place in np.linspace(0, len(clip) - 1, sampling.frames)]
        frames = interpolate(video.frames(clip), sampling.frames, sampling.strategy)
    apply_into(frames, plain((frames.shape[1], frames.shape[2]), x_TSSC.shape[1]), x_TSSC)
    return tuple(indices)


def _ask(
    network: ClipNetwork, x_BTSSC: npt.NDArray[np.float32], seen: Sequence[tuple[int, ...]], temperature: float | None
) -> Iterator[Answer]:
    device = next(network.parameters()).device
    with torch.inference_mode(), trusted_clips():
        x_BTCHW = torch.from_numpy(x_BTSSC).permute(0, 1, 4, 2, 3).to(device)
        logits_BK, snippets_BSK, attention_BP = network.forward_with_attention(x_BTCHW)
        final_BK = network.probabilities(logits_BK / (temperature or 1.0), snippets_BSK).float().cpu()
        vetoed = network.vetoes(snippets_BSK).tolist()
    weights: list[list[float]] = [[]] * len(seen) if attention_BP is None else attention_BP.float().cpu().tolist()
    rows = zip(logits_BK.float().cpu().tolist(), final_BK.tolist(), vetoed, seen, weights, strict=True)
    for logits, final, veto, frames, attention in rows:
        emotions, calibrated = network.settings.emotions, temperature is not None
        yield Answer(tuple(logits), tuple(final), bool(veto), frames, emotions, tuple(attention), calibrated)
