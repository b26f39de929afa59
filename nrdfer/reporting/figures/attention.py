"""Figure 5: attention of the class token to each frame, learned token against dynamic class token (section 4.5).

Frames of planted noise are marked: N1 in a red frame with a hatched bar, N2 in a dashed blue one, both with their
names, so that the picture is read without colour too. Which clips to show and what attention falls on noise overall
belong to ``planted_noise``; the weights themselves are `NRDFERNet.frame_attention`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.patches import Patch, Rectangle

from nrdfer.plotting.style import BLACK, BLUE, NORMAL, SMALL, VERMILLION, new_figure, save, tidy
from nrdfer.reporting.figures.planted_noise import Noise, NoiseAttention, is_n1, is_n2, noise_of_features, seen_clips

Pictures = npt.NDArray[np.uint8]
TOKENS = ("learned token", "dynamic token")
_WIDTH, _LEFT, _RIGHT = 7.4, 0.95, 0.08  # inches
_HEAD, _BARS, _GAP = 0.28, 0.55, 0.12


@dataclass(frozen=True, eq=False)
class AttentionRow:
    """One clip of the figure; P = T - 1 features.

    Raises:
        ValueError: the parts have different lengths, or there is no attention at all.
    """

    clip_id: str
    emotion: str
    pictures_PHWC: Pictures  # the frame of each feature
    noise: Sequence[str]  # P; empty if nothing is known
    learned: Sequence[float] | None = None  # P, sums to 1
    dynamic: Sequence[float] | None = None

    def __post_init__(self) -> None:
        length = len(self.pictures_PHWC)
        parts = [len(part) for part in (*self.weights.values(), *((self.noise,) if self.noise else ()))]
        if not self.weights or any(part != length for part in parts):
            raise ValueError(f"clip {self.clip_id}: {length} frames, but weights and marks of {parts or 'none'}")

    @property
    def weights(self) -> dict[str, Sequence[float]]:
        """The available attention weights, in the order of the paper's rows."""
        both = zip(TOKENS, (self.learned, self.dynamic), strict=True)
        return {token: weights for token, weights in both if weights is not None}


def attention_rows(
    clip_ids: Sequence[str],
    frames_of: Callable[[str, Sequence[int]], Pictures],
    *,
    dynamic: pd.DataFrame | None = None,
    learned: pd.DataFrame | None = None,
    noise: Noise | None = None,
) -> list[AttentionRow]:
    """Collect the figure's data for some clips.

    Args:
        clip_ids: which, for example from `choose_clips`.
        frames_of: reads frames of a clip: `ShardReader.frames`.
        dynamic: predictions of the network with the dynamic class token (``clip_id``, ``emotion``, ``frames``,
            ``attention``).
        learned: of the one without.
        noise: from `read_planted_noise`.

    Raises:
        ValueError: neither table, a clip that a table lacks or has no frames or attention of, or tables that saw
            different frames of a clip.
    """
    given = zip(TOKENS, (learned, dynamic), strict=True)
    tables = {token: seen_clips(table) for token, table in given if table is not None}
    if not tables:
        raise ValueError("no predictions with attention")
    rows: list[AttentionRow] = []
    for clip_id in clip_ids:
        lacking = [token for token, clips in tables.items() if clip_id not in clips]
        if lacking:
            raise ValueError(f"clip {clip_id}: no frames or no attention of the {', '.join(lacking)}")
        seen = {token: clips[clip_id] for token, clips in tables.items()}
        first = next(iter(seen.values()))
        if any(clip.frames != first.frames for clip in seen.values()):
            raise ValueError(f"clip {clip_id}: the two networks saw different frames")
        kinds = noise_of_features(first.frames, noise[clip_id]) if noise and clip_id in noise else []
        weights = [seen[token].attention if token in seen else None for token in TOKENS]
        rows.append(AttentionRow(clip_id, first.emotion, frames_of(clip_id, first.frames[:-1]), kinds, *weights))
    return rows


def draw_attention(
    rows: Sequence[AttentionRow],
    path: Path,
    *,
    overall: NoiseAttention | None = None,
    overall_learned: NoiseAttention | None = None,
) -> None:
    """Draw Figure 5: for each clip its frames, and below them a row of bars for each token.

    Args:
        rows: the clips.
        path: PNG to write.
        overall: of the dynamic token over all test clips, printed below the picture.
        overall_learned: of the learned one.

    Raises:
        ValueError: no clip.
    """
    if not rows:
        raise ValueError("no clip to show")
    known = zip(TOKENS, (overall_learned, overall), strict=True)
    notes = [f"N1, {token}: {found.words}" for token, found in known if found is not None]
    inner = _WIDTH - _LEFT - _RIGHT
    side = {row.clip_id: inner / len(row.pictures_PHWC) for row in rows}
    heights = [_HEAD + side[row.clip_id] + len(row.weights) * (_BARS + _GAP) + 0.1 for row in rows]
    top, foot = 0.05, 0.45 + 0.2 * len(notes)
    height = top + sum(heights) + foot
    # placed by hand: frames must stand exactly above their bars, and be square
    figure = new_figure(_WIDTH, height, constrained=False)

    def axes_at(top: float, tall: float) -> Any:
        return figure.add_axes((_LEFT / _WIDTH, 1 - (top + tall) / height, inner / _WIDTH, tall / height))

    for row, tall in zip(rows, heights, strict=True):
        y = top + _HEAD
        strip = axes_at(y, side[row.clip_id])
        _draw_frames(strip, row)
        strip.set_title(f"{row.emotion}, clip {row.clip_id}", fontsize=NORMAL, loc="left", pad=3)
        y += side[row.clip_id]
        highest = max(max(weights) for weights in row.weights.values())
        for token, weights in row.weights.items():
            _draw_bars(axes_at(y, _BARS), token, weights, row.noise, highest)
            y += _BARS + _GAP
        top += tall
    _draw_legend(figure, any(row.noise for row in rows), (foot - 0.02) / height)
    for i, words in enumerate(notes):
        figure.text(0.5, (0.08 + 0.2 * (len(notes) - 1 - i)) / height, words, fontsize=SMALL, ha="center")
    save(figure, path)


def _draw_frames(axes: Any, row: AttentionRow) -> None:
    for i, picture in enumerate(row.pictures_PHWC):
        axes.imshow(picture, extent=(i - 0.45, i + 0.45, -0.45, 0.45), aspect="auto", interpolation="antialiased")
        kind = row.noise[i] if row.noise else "none"
        if is_n1(kind) or is_n2(kind):
            colour, line = (VERMILLION, "-") if is_n1(kind) else (BLUE, (0, (2, 1)))
            axes.add_patch(Rectangle((i - 0.46, -0.46), 0.92, 0.92, fill=False, edgecolor=colour, linewidth=2.6,
                                     linestyle=line, clip_on=False, zorder=3))  # fmt: skip
            axes.text(i - 0.4, 0.4, kind[:2].upper(), fontsize=SMALL, weight="bold", color="white", va="top",
                      zorder=4, bbox={"facecolor": colour, "edgecolor": "none", "pad": 1.2})  # fmt: skip
    axes.set(xlim=(-0.5, len(row.pictures_PHWC) - 0.5), ylim=(-0.5, 0.5))
    axes.axis("off")


def _draw_bars(axes: Any, token: str, weights: Sequence[float], noise: Sequence[str], highest: float) -> None:
    for i, weight in enumerate(weights):
        kind = noise[i] if noise else "none"
        colour, hatch = (VERMILLION, "////") if is_n1(kind) else ("#9EC5DE", "") if is_n2(kind) else ("0.45", "")
        axes.bar(i, weight, 0.9, color=colour, hatch=hatch, edgecolor=BLACK, linewidth=0.6)
    axes.axhline(1 / len(weights), color=BLACK, linewidth=0.9, linestyle=(0, (4, 2)))
    axes.set(xlim=(-0.5, len(weights) - 0.5), ylim=(0, 1.08 * highest), xticks=[], yticks=[0, round(highest, 2)])
    axes.set_ylabel(token.replace(" ", "\n"), fontsize=NORMAL, rotation=0, ha="right", va="center", labelpad=24)
    axes.yaxis.set_label_coords(-0.052, 0.5)
    tidy(axes)


def _draw_legend(figure: Any, noisy: bool, y: float) -> None:
    from matplotlib.lines import Line2D

    handles: list[Any] = [Line2D([], [], color=BLACK, linestyle=(0, (4, 2)), label="even attention")]
    if noisy:
        handles += [
            Patch(facecolor=VERMILLION, hatch="////", edgecolor=BLACK, label="N1: not the target's face"),
            Patch(facecolor="#9EC5DE", edgecolor=BLACK, label="N2: neutral frame"),
            Patch(facecolor="0.45", edgecolor=BLACK, label="key frame"),
        ]
    figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, y), ncols=4, fontsize=SMALL, frameon=False)
