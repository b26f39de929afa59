"""Summary picture of a video: faces at regular times, probabilities over time, attention, gaps.

Colours and markers are the report's, and every curve is named; gaps are hatched. Writing other files belongs to
`batch`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.patches import Rectangle

from nrdfer.faces.people import LABELS, NOBODY, OTHER, PERSON, UNSURE
from nrdfer.plotting.style import (
    BLACK,
    BLUE,
    LARGE,
    NORMAL,
    SMALL,
    VERMILLION,
    emotion_style,
    new_figure,
    plot_label,
    save,
    tidy,
)
from nrdfer.predict.result import LABEL_WORDS, OK, TOO_FEW, Prediction, WindowAnswer

TILES = 12
_WIDTH, _LEFT, _RIGHT = 11.0, 0.95, 1.15  # inches
_NO_FACE = "0.55"
_MOST_LINE = 150  # characters of small text that the picture is wide enough for


def draw_strip(prediction: Prediction, title: str, model: str, path: Path) -> None:
    """Draw the picture strip of a video that could be read.

    Args:
        prediction: of it.
        title: the video's name.
        model: which network answered.
        path: PNG to write.

    Raises:
        ValueError: the video was unreadable.
    """
    times, cropped = prediction.looked_at()
    inner = _WIDTH - _LEFT - _RIGHT
    frames = cropped.nearest(_regular(prediction, TILES))
    side = inner / TILES
    attention = prediction.attention_of_frames()
    looked = any(value is not None for value in attention)
    heights = [side, 2.3, *([1.0] if looked else []), 0.34]
    gaps = [0.78, 0.42, 0.3, 0.3][: len(heights)]
    height = sum(heights) + sum(gaps) + 0.5
    figure = new_figure(_WIDTH, height, constrained=False)
    figure.text(
        _LEFT / _WIDTH, 1 - 0.12 / height, _headline(prediction, title), fontsize=LARGE, va="top", weight="bold"
    )
    figure.text(_LEFT / _WIDTH, 1 - 0.35 / height, _subline(prediction, model), fontsize=SMALL, va="top", color="0.35")
    if prediction.target is not None and len(prediction.people) > 1:
        side_x, side_y = 0.17 / _WIDTH, 0.17 / height
        where = ((_LEFT - 0.28) / _WIDTH, 1 - 0.12 / height - side_y)
        figure.add_artist(Rectangle(where, side_x, side_y, color=prediction.target.colour))
    axes, top = [], 0.0
    for tall, gap in zip(heights, gaps, strict=True):
        top += gap
        axes.append(figure.add_axes((_LEFT / _WIDTH, 1 - (top + tall) / height, inner / _WIDTH, tall / height)))
        top += tall
    _draw_faces(axes[0], prediction, frames)
    _draw_curves(axes[1], prediction)
    if looked:
        _draw_attention(axes[2], prediction, attention)
    _draw_presence(axes[-1], prediction)
    for below in axes[1:]:
        below.set_xlim(times.starts[0], times.end)
    for between in axes[1:-1]:
        between.tick_params(labelbottom=False)
    save(figure, path)


def _headline(prediction: Prediction, title: str) -> str:
    heading = title if len(title) <= 60 else f"{title[:57]}..."
    heading = plot_label(heading)
    answer = prediction.answer
    if answer is None:
        return f"{heading}: {'too few faces' if prediction.status == TOO_FEW else 'no face'}"
    of_video = f"{100 * answer.share:.0f} % of the video" if len(prediction.windows) > 1 else ""
    return "; ".join(
        filter(None, (f"{heading}: {plot_label(answer.emotion)} {100 * answer.probability:.0f} %", of_video))
    )


def _subline(prediction: Prediction, model: str) -> str:
    with_face = prediction.frames_with_face
    summary = f"{len(prediction.records)} frames, {with_face} with the face, {prediction.duration:.1f} s"
    if prediction.answer is not None:
        kind = "calibrated" if prediction.answer.calibrated else "not calibrated"
        summary = f"{summary}; uncertainty {prediction.answer.uncertainty:.2f} of 1, {kind}"
    short = textwrap.shorten(prediction.reason, 110, placeholder="...")
    text = f"{summary}; {short}" if prediction.status != OK else plot_label(f"{summary}; {model}")
    return "\n".join(textwrap.wrap(text, _MOST_LINE, max_lines=2, placeholder=" ..."))


def _regular(prediction: Prediction, count: int) -> list[int]:
    """Frames in the middle of equal parts of the video."""
    times, _ = prediction.looked_at()
    starts = times.starts
    moments = starts[0] + (np.arange(count) + 0.5) / count * times.duration
    return [max(0, int(i) - 1) for i in np.searchsorted(starts, moments, side="right")]


def _draw_faces(axes: Any, prediction: Prediction, frames: Sequence[int]) -> None:
    times, cropped = prediction.looked_at()
    speaking, labels = prediction.window_of_frames(), _labels(prediction)
    for place, (frame, crop) in enumerate(zip(frames, cropped.frames(frames), strict=True)):
        has_face = prediction.records[frame].has_face
        emotion = prediction.windows[speaking[frame]].emotion
        colour = emotion_style(emotion, prediction.emotions)[0] if emotion and has_face else _NO_FACE
        drawn = crop if has_face else (crop // 2 + 120).astype(np.uint8)  # paler: it shows something else
        axes.imshow(drawn, extent=(place + 0.04, place + 0.96, 0.04, 0.96), aspect="auto", interpolation="antialiased")
        axes.add_patch(Rectangle((place + 0.04, 0.04), 0.92, 0.92, fill=False, edgecolor=colour, linewidth=2.6,
                                 linestyle="-" if has_face else (0, (2, 1.5)), clip_on=False))  # fmt: skip
        if not has_face:
            words = LABEL_WORDS[labels[frame]].replace(" ", "\n", 1)
            axes.text(place + 0.5, 0.5, words, fontsize=SMALL, ha="center", va="center", color=BLACK)
        axes.text(place + 0.5, 1.03, f"{times.starts[frame]:.1f} s", fontsize=SMALL, ha="center", va="bottom")
        # for a frame without the face in a window with a prediction, the prediction is in brackets
        words = LABEL_WORDS[labels[frame]] if emotion is None else plot_label(emotion if has_face else f"({emotion})")
        axes.text(place + 0.5, -0.05, words, fontsize=SMALL, ha="center", va="top",
                  color=colour if emotion and has_face else "0.35",
                  weight="bold" if emotion and has_face else "normal")  # fmt: skip
    axes.set(xlim=(0, len(frames)), ylim=(0, 1))
    axes.axis("off")


def _draw_curves(axes: Any, prediction: Prediction) -> None:
    for stretch in _stretches(prediction.windows):
        centres = [row.window.centre for row in stretch]
        if stretch[0].answer is None:
            continue
        for k, name in enumerate(prediction.emotions):
            colour, marker = emotion_style(name, prediction.emotions)
            heights = [row.answer.probabilities[k] for row in stretch if row.answer is not None]
            axes.plot(centres, heights, color=colour, marker=marker, markersize=4.2, linewidth=1.5,
                      markevery=max(1, len(centres) // 30))  # fmt: skip
    for begin, end, words in _gaps(prediction):
        axes.axvspan(begin, end, facecolor="0.94", edgecolor="0.8", hatch="///", linewidth=0)
        axes.text((begin + end) / 2, 0.5, words, fontsize=NORMAL, ha="center", va="center", color="0.3",
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 2}, clip_on=True)  # fmt: skip
    axes.set(ylim=(-0.03, 1.03), yticks=[0, 0.25, 0.5, 0.75, 1])
    axes.set_ylabel("probability", fontsize=NORMAL)
    tidy(axes, grid="y")
    _name_curves(axes, prediction.emotions)


def _name_curves(axes: Any, emotions: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    looks = {name: emotion_style(name, emotions) for name in emotions}
    handles = [
        Line2D([], [], color=colour, marker=marker, markersize=5, label=plot_label(name))
        for name, (colour, marker) in looks.items()
    ]
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.005, 0.5), fontsize=SMALL, frameon=False,
                handlelength=1.6, borderpad=0)  # fmt: skip


def _draw_attention(axes: Any, prediction: Prediction, attention: Sequence[float | None]) -> None:
    times, _ = prediction.looked_at()
    starts = times.starts
    seen = [
        (starts[i], value, prediction.records[i].has_face) for i, value in enumerate(attention) if value is not None
    ]
    for has_face, colour in ((True, BLUE), (False, VERMILLION)):
        part = [(time, value) for time, value, face in seen if face is has_face]
        if part:
            axes.vlines([t for t, _ in part], 0, [v for _, v in part], color=colour, linewidth=1.3)
            axes.plot([t for t, _ in part], [v for _, v in part], "o" if has_face else "x", color=colour, markersize=3)
    axes.axhline(1, color=BLACK, linewidth=0.8, linestyle=(0, (4, 2)))
    axes.set_ylim(0, 1.12 * max(1.0, *(value for _, value, _ in seen)))
    axes.set_ylabel("attention", fontsize=NORMAL)
    axes.text(1.008, 1 / axes.get_ylim()[1], "even share", transform=axes.transAxes, fontsize=SMALL, va="center")
    if any(not face for _, _, face in seen):
        axes.text(1.008, 0.85, "x: no face", transform=axes.transAxes, fontsize=SMALL, va="center", color=VERMILLION)
    tidy(axes)


def _draw_presence(axes: Any, prediction: Prediction) -> None:
    """Draw the frames that show the target."""
    times, _ = prediction.looked_at()
    ends = [*times.starts[1:], times.end]
    rows = zip(times.starts, ends, _labels(prediction), strict=True)
    spans: dict[str, list[tuple[float, float]]] = {label: [] for label in LABELS}
    for begin, end, label in rows:
        group = spans[label]
        if group and abs(group[-1][0] + group[-1][1] - begin) < 1e-9:
            group[-1] = (group[-1][0], end - group[-1][0])
        else:
            group.append((begin, end - begin))
    axes.broken_barh(spans[PERSON], (0, 1), facecolor=BLUE, edgecolor="none")
    axes.broken_barh(spans[NOBODY], (0, 1), facecolor="0.94", edgecolor="0.75", hatch="///", linewidth=0)
    axes.broken_barh(spans[OTHER], (0, 1), facecolor="0.8", edgecolor="0.45", hatch="...", linewidth=0)
    axes.broken_barh(spans[UNSURE], (0, 1), facecolor="#F5C48A", edgecolor="0.45", hatch="xxx", linewidth=0)
    words = {OTHER: "grey, dotted: another person", UNSURE: "orange, crossed: target not sure"}
    legend = "; ".join(text for label, text in words.items() if spans[label])
    axes.set(ylim=(0, 1), yticks=[])
    axes.set_ylabel("face", fontsize=NORMAL, rotation=0, ha="right", va="center")
    axes.set_xlabel(f"seconds ({legend})" if legend else "seconds", fontsize=NORMAL)
    tidy(axes)


def _stretches(windows: Sequence[WindowAnswer]) -> list[list[WindowAnswer]]:
    """Runs of neighbouring windows that all have a prediction, or all have none."""
    groups: list[list[WindowAnswer]] = []
    for row in windows:
        if groups and (groups[-1][-1].answer is None) == (row.answer is None):
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def _labels(prediction: Prediction) -> tuple[str, ...]:
    return () if prediction.target is None else prediction.target.labels


def _gaps(prediction: Prediction) -> list[tuple[float, float, str]]:
    """Periods in which no window has a prediction, and what is there instead."""
    times, _ = prediction.looked_at()
    starts, speaking = times.starts, prediction.window_of_frames()
    gaps: list[tuple[float, float, str]] = []
    for i, window in enumerate(speaking):
        row = prediction.windows[window]
        if row.answer is not None:
            continue
        words = LABEL_WORDS[row.label]
        end = starts[i + 1] if i + 1 < len(starts) else times.end
        if gaps and gaps[-1][1:] == (starts[i], words):
            gaps[-1] = (gaps[-1][0], end, words)
        else:
            gaps.append((starts[i], end, words))
    return gaps
