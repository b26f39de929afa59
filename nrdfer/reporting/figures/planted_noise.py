"""Planted noise among the frames that a network saw, the attention on them, and the clips to show.

Only for a rendered corpus is it known which frames are noise; for a real one every function here finds nothing. The
picture belongs to ``attention``. Feature i of a sequence is made of frames i and i + 1 (paper, equations 1 and 2: the
static part of frame i, the dynamic part of both) and counts here as frame i, as in Figure 5.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

Noise = Mapping[str, Sequence[str]]  # clip -> kind of each of the clip's frames, as `synthetic.timeline.Noise`
_PICKS = 1 << 22  # clips of a bootstrap that are drawn at once
_TRUTH = "ground_truth.jsonl"


def is_n1(kind: str) -> bool:
    """Whether a frame does not show the target's face (N1)."""
    return kind.startswith("n1")


def is_n2(kind: str) -> bool:
    """Whether a frame is a neutral one of a clip with another emotion (N2)."""
    return kind.startswith("n2")


def read_planted_noise(corpus: Path) -> dict[str, tuple[str, ...]]:
    """Kind of noise of every frame of every clip; empty for a corpus that was not rendered.

    Args:
        corpus: the rendered corpus, or one of the two (``AFEW``, ``DFEW``) in it.

    Raises:
        ValueError: its ground truth is damaged.
    """
    path = next((folder / _TRUTH for folder in (corpus, corpus.parent) if (folder / _TRUTH).is_file()), None)
    if path is None:
        return {}
    try:
        truths = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return {truth["clip_id"]: tuple(truth["noise"]) for truth in truths}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error!r}; render the corpus again") from error


def noise_of_features(frames: Sequence[int], noise: Sequence[str]) -> list[str]:
    """Kind of noise of the frame of each of the T - 1 features.

    Args:
        frames: T, which frames of the clip were shown.
        noise: of every frame of the clip.

    Raises:
        ValueError: a frame was shown that the ground truth does not know.
    """
    if len(frames) and max(frames) >= len(noise):
        raise ValueError(
            f"frame {max(frames)} was shown, but the ground truth ends at {len(noise) - 1}; another corpus?"
        )
    return [noise[frame] for frame in frames[:-1]]


@dataclass(frozen=True)
class SeenClip:
    """A clip's frames as a network saw them, and the attention to each."""

    clip_id: str
    emotion: str
    frames: list[int]  # T, indices into the clip's frames
    attention: list[float]  # T - 1


def seen_clips(predictions: pd.DataFrame) -> dict[str, SeenClip]:
    """The clips of a table that have frames (time interpolation has none) and attention (other networks have none).

    Raises:
        ValueError: a clip has another number of attention weights than features.
    """
    columns = ("clip_id", "emotion", "frames", "attention")
    found: dict[str, SeenClip] = {}
    for clip_id, emotion, frames, attention in zip(*(predictions[name] for name in columns), strict=True):
        if len(frames) and len(attention):
            clip = SeenClip(clip_id, emotion, [int(i) for i in frames], [float(w) for w in attention])
            if len(clip.attention) != len(clip.frames) - 1:
                raise ValueError(f"clip {clip_id}: {len(attention)} attention weights for {len(frames)} frames")
            found[clip_id] = clip
    return found


@dataclass(frozen=True)
class _Candidate:
    clip_id: str
    emotion: str
    n1: int  # features
    n2: int

    def rank(self, chosen: Sequence[_Candidate]) -> tuple[int, bool, bool, int, str]:
        """Sort key, lowest first, given the clips chosen so far."""
        alike = sum(other.emotion == self.emotion for other in chosen)
        n2_wanted = not any(other.n2 for other in chosen)
        return alike, self.n1 == 0, n2_wanted and self.n2 == 0, -min(self.n1, 4), self.clip_id


def choose_clips(predictions: pd.DataFrame, noise: Noise, count: int = 3) -> list[str]:
    """Clips to show, chosen by their planted noise, never by attention or by the correctness of a prediction.

    Other emotions than those chosen already come first, then clips with N1 among their features, then, until one was
    chosen, clips with N2, then more N1 (up to four features), then the smallest id. Only `seen_clips` are chosen.
    Without ground truth, emotions and ids decide.

    Args:
        predictions: ``clip_id``, ``emotion``, ``frames``, ``attention``.
        noise: from `read_planted_noise`.
        count: at most that many.
    """
    left: list[_Candidate] = []
    for clip in seen_clips(predictions).values():
        kinds = noise_of_features(clip.frames, noise[clip.clip_id]) if clip.clip_id in noise else []
        left.append(_Candidate(clip.clip_id, clip.emotion, sum(map(is_n1, kinds)), sum(map(is_n2, kinds))))
    chosen: list[_Candidate] = []
    while left and len(chosen) < count:
        best = min(left, key=lambda candidate: candidate.rank(chosen))
        left.remove(best)
        chosen.append(best)
    return [candidate.clip_id for candidate in chosen]


@dataclass(frozen=True)
class NoiseAttention:
    """Attention on planted N1 frames, mean over the clips that have any."""

    clips: int  # that were shown N1
    mass: float  # 0 to 1, attention on N1 features
    share: float  # 0 to 1, share of N1 among the features: what even attention would give
    low: float  # 95 % bootstrap interval of `ratio`, clips resampled
    high: float

    @property
    def ratio(self) -> float:
        """1: noise gets as much attention as any other frame; below: it is avoided."""
        return self.mass / self.share

    @property
    def relation(self) -> str:
        """What the interval says of the share of frames."""
        if self.high < 1:
            return "less than its share"
        return "more than its share" if self.low > 1 else "not told from its share"

    @property
    def reading(self) -> str:
        """What the interval says of the paper's figure, in which noise gets little attention."""
        if self.high < 1:
            return f"{self.relation}, as the paper's figure shows it"
        if self.low > 1:
            return f"{self.relation}, the opposite of what the paper's figure shows"
        return f"{self.relation}, so the paper's figure is neither confirmed nor contradicted"

    @property
    def words(self) -> str:
        """Text for a caption."""
        return (
            f"{100 * self.mass:.1f} % of attention on {100 * self.share:.1f} % of frames "
            f"(ratio {self.ratio:.2f}, 95 % {self.low:.2f} to {self.high:.2f}, {self.clips:,} clips)"
        )


def attention_on_noise(predictions: pd.DataFrame, noise: Noise) -> NoiseAttention | None:
    """Measure how strongly N1 is avoided, over all clips of a table.

    Args:
        predictions: ``clip_id``, ``emotion``, ``frames``, ``attention``.
        noise: from `read_planted_noise`.

    Returns:
        None if no clip with attention is known to have been shown N1.

    Raises:
        ValueError: a clip has another number of attention weights than features.
    """
    found: list[tuple[float, float]] = []
    for clip in seen_clips(predictions).values():
        if clip.clip_id not in noise:
            continue
        weights = np.array(clip.attention)
        bad = np.array([is_n1(kind) for kind in noise_of_features(clip.frames, noise[clip.clip_id])])
        if bad.any():
            found.append((float(weights[bad].sum() / weights.sum()), float(bad.mean())))
    if not found:
        return None
    pairs_N2 = np.array(found)
    mass, share = pairs_N2.mean(0)
    low, high = _interval(pairs_N2)
    return NoiseAttention(len(found), float(mass), float(share), low, high)


def _interval(pairs_N2: npt.NDArray[np.float64], draws: int = 2000) -> tuple[float, float]:
    rng, n = np.random.default_rng(0), len(pairs_N2)
    # a few draws at a time: all at once would take gigabytes of a large corpus; the numbers drawn are the same
    several = max(1, _PICKS // n)
    sums_R2 = np.concatenate(
        [pairs_N2[rng.integers(n, size=(min(several, draws - done), n))].sum(1) for done in range(0, draws, several)]
    )
    low, high = np.quantile(sums_R2[:, 0] / sums_R2[:, 1], (0.025, 0.975))
    return float(low), float(high)
