"""Figure 1: the two kinds of noisy frames, each in a clip of its own, from what was planted in a rendered corpus.

The paper shows a clip with a few frames that are not the target's face (N1) and a clip of an emotion that is mostly
neutral (N2). Which frames are noise is known of rendered clips only. The networks' attention to them belongs to
``attention``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.patches import Rectangle

from nrdfer.plotting.style import BLUE, NORMAL, SMALL, VERMILLION, new_figure, save
from nrdfer.reporting.figures.planted_noise import Noise, is_n1, is_n2

Pictures = npt.NDArray[np.uint8]
STRIP = 10  # frames of a clip
_FEW, _MANY = 0.2, 0.75  # shares of noisy frames that the two clips should have
_WIDTH, _ROW, _HEAD = 7.4, 0.74, 0.3  # inches


@dataclass(frozen=True)
class NoisyClip:
    """One clip of the figure."""

    clip_id: str
    emotion: str
    kind: str  # N1 or N2
    frames: tuple[int, ...]  # that are shown
    noisy: tuple[bool, ...]  # which of them are noise of that kind


def choose_noisy_clips(emotions: Mapping[str, str], noise: Noise) -> list[NoisyClip]:
    """The clip with N1 and the clip with N2, chosen by their planted noise alone; fewer if there is none of a kind.

    Args:
        emotions: clip -> its emotion, of all clips that may be shown.
        noise: from `read_planted_noise`.
    """
    chosen: list[NoisyClip] = []
    for kind, is_noise, share in (("N1", is_n1, _FEW), ("N2", is_n2, _MANY)):
        others = {clip.clip_id for clip in chosen}
        distance = {
            clip_id: abs(np.mean([is_noise(now) for now in noise[clip_id]]) - share)
            for clip_id in emotions
            if clip_id in noise and clip_id not in others and any(map(is_noise, noise[clip_id]))
        }
        if distance:
            clip_id = min(distance, key=lambda name: (distance[name], name))
            kinds = noise[clip_id]
            frames = np.linspace(0, len(kinds) - 1, min(STRIP, len(kinds))).round().astype(int)
            noisy = tuple(bool(is_noise(kinds[frame])) for frame in frames)
            chosen.append(NoisyClip(clip_id, emotions[clip_id], kind, tuple(map(int, frames)), noisy))
    return chosen


def draw_noisy_frames(
    clips: Sequence[NoisyClip], frames_of: Callable[[str, Sequence[int]], Pictures], path: Path
) -> None:
    """Draw Figure 1: a strip of frames for each clip, noisy ones in a frame with the name of their kind.

    Args:
        clips: from `choose_noisy_clips`.
        frames_of: reads frames of a clip: `ShardReader.frames`.
        path: PNG to write.

    Raises:
        ValueError: no clip.
    """
    if not clips:
        raise ValueError("no clip to show")
    figure = new_figure(_WIDTH, len(clips) * (_ROW + _HEAD))
    panels = figure.subplots(len(clips), 1, squeeze=False)[:, 0]
    for axes, clip in zip(panels, clips, strict=True):
        _draw_strip(axes, clip, frames_of(clip.clip_id, clip.frames))
        what = "frames that are not the target's face" if clip.kind == "N1" else "neutral frames"
        axes.set_title(f"{clip.kind}: {what} ({clip.emotion}, clip {clip.clip_id})", fontsize=NORMAL, loc="left", pad=3)
    save(figure, path)


def _draw_strip(axes: Any, clip: NoisyClip, pictures: Pictures) -> None:
    colour, line = (VERMILLION, "-") if clip.kind == "N1" else (BLUE, (0, (2, 1)))
    for i, (picture, noisy) in enumerate(zip(pictures, clip.noisy, strict=True)):
        axes.imshow(picture, extent=(i - 0.45, i + 0.45, -0.45, 0.45), aspect="equal", interpolation="antialiased")
        if noisy:
            axes.add_patch(Rectangle((i - 0.46, -0.46), 0.92, 0.92, fill=False, edgecolor=colour, linewidth=2.6,
                                     linestyle=line, clip_on=False, zorder=3))  # fmt: skip
            axes.text(i - 0.4, 0.4, clip.kind, fontsize=SMALL, weight="bold", color="white", va="top",
                      zorder=4, bbox={"facecolor": colour, "edgecolor": "none", "pad": 1.2})  # fmt: skip
    axes.set(xlim=(-0.5, STRIP - 0.5), ylim=(-0.5, 0.5))
    axes.axis("off")
