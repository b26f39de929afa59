"""A corpus at a glance: figures of its clips, in numbers and as a picture; the page is `quality_page`'s.

Written beside the artefact it describes: ``quality.html`` for a browser, ``quality.png`` its picture, ``quality.json``
the numbers. What a corpus does not measure (faces, where nothing was detected) is left out of all three. The
measurements belong to the steps.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nrdfer.core.optional_output import draw
from nrdfer.core.records import ClipRecord
from nrdfer.faces.stats import longest_gap
from nrdfer.plotting.style import plot_label
from nrdfer.preprocessing.quality_page import PICTURE, page

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAGE, NUMBERS = "quality.html", "quality.json"
UNLABELLED = "unlabelled"
# from the palette of Okabe and Ito, which colour-blind readers can distinguish
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
_HATCHES = ("", "///", "...", "xxx", "\\\\\\", "++")

__all__ = ["NUMBERS", "PAGE", "PICTURE", "ClipQuality", "clip_quality", "clips_per_class", "summarise", "write_quality"]


@dataclass(frozen=True, slots=True)
class ClipQuality:
    """One clip's row on the page; None for values that were not measured."""

    clip_id: str
    emotion: str | None
    split: str  # AFEW: train or val; DFEW: the fold that tests it
    frames: int
    frames_with_face: int | None = None
    longest_gap: int | None = None  # frames without the target in a row
    score: float | None = None  # median of the detector's
    luma: float | None = None  # mean of the middle frame, 0 to 255
    luma_before: float | None = None  # mean of the crops before enhancement
    luma_after: float | None = None

    @property
    def share(self) -> float | None:
        """Share of the frames that show the target."""
        return None if self.frames_with_face is None or not self.frames else self.frames_with_face / self.frames


def clip_quality(record: ClipRecord, before: float | None = None, after: float | None = None) -> ClipQuality:
    """The page's row for a clip with face detection."""
    scores = [frame.score for frame in record.frames if frame.has_face and frame.score is not None]
    return ClipQuality(
        clip_id=record.clip_id,
        emotion=record.emotion,
        split=record.split,
        frames=record.n_frames,
        frames_with_face=sum(frame.has_face for frame in record.frames),
        longest_gap=longest_gap(frame.has_face for frame in record.frames),
        score=round(float(np.median(scores)), 4) if scores else None,
        luma_before=None if before is None else round(before, 2),
        luma_after=None if after is None else round(after, 2),
    )


def write_quality(
    title: str,
    emotions: Sequence[str],
    clips: Sequence[ClipQuality],
    excluded: Sequence[tuple[str, str]],
    out: Path,
) -> dict[str, Any]:
    """Write the page, its picture and its numbers into `out`.

    Args:
        title: of the page.
        emotions: the label set of the corpus.
        clips: those that can be used.
        excluded: clips that cannot, and why.
        out: existing folder; contact sheets in it are linked.

    Returns:
        The summary, for metadata.
    """
    summary = summarise(clips, excluded)
    classes = clips_per_class(clips, emotions)
    rows = _measured(clips)
    numbers = {
        "title": title, "summary": summary, "clips_per_class": classes, "set_aside": dict(excluded), "clips": rows,
    }  # fmt: skip
    (out / NUMBERS).write_text(json.dumps(numbers, indent=1), encoding="utf-8")
    draw("The picture of this page", out / PICTURE, lambda: _plot(title, classes, clips, out / PICTURE))
    # rows that need attention come first
    order = sorted(range(len(clips)), key=lambda i: (_first(clips[i].share), clips[i].frames, clips[i].clip_id))
    text = page(title, summary, classes, [rows[i] for i in order], excluded, out)
    (out / PAGE).write_text(text, encoding="utf-8")
    return summary


def _first(share: float | None) -> float:
    return 0.0 if share is None else share


def _measured(clips: Sequence[ClipQuality]) -> list[dict[str, Any]]:
    """The clips as rows, without the fields that no clip has."""
    rows = [asdict(clip) for clip in clips]
    known = {name for row in rows for name, value in row.items() if value is not None}
    return [{name: value for name, value in row.items() if name in known} for row in rows]


def summarise(clips: Sequence[ClipQuality], excluded: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """A few figures of the whole corpus; those that were not measured are left out."""
    shares = [clip.share for clip in clips if clip.share is not None]
    looked_at = sum(clip.frames for clip in clips if clip.frames_with_face is not None)
    found = sum(clip.frames_with_face or 0 for clip in clips)
    lengths = [float(clip.frames) for clip in clips]
    figures = {
        "clips": len(clips),
        "set_aside": len(excluded),
        "frames": sum(clip.frames for clip in clips),
        "shortest_clip": min((clip.frames for clip in clips), default=None),
        "median_clip": float(np.median(lengths)) if lengths else None,
        "longest_clip": max((clip.frames for clip in clips), default=None),
        "share_of_frames_with_face": round(found / looked_at, 4) if looked_at else None,
        "clips_with_face_in_less_than_half": sum(share < 0.5 for share in shares) if shares else None,
        "median_score": _median([clip.score for clip in clips]),
        "luma": _mean([clip.luma for clip in clips]),
        "luma_before": _mean([clip.luma_before for clip in clips]),
        "luma_after": _mean([clip.luma_after for clip in clips]),
    }
    return {name: figure for name, figure in figures.items() if figure is not None}


def clips_per_class(clips: Sequence[ClipQuality], emotions: Sequence[str]) -> dict[str, dict[str, int]]:
    """Split -> emotion -> clips; all emotions of the label set, so that one that is missing shows as 0."""
    counted = Counter((clip.split, clip.emotion or UNLABELLED) for clip in clips)
    names = [*emotions, *sorted({clip.emotion or UNLABELLED for clip in clips} - set(emotions))]
    return {
        split: {emotion: counted[split, emotion] for emotion in names}
        for split in sorted({clip.split for clip in clips})
    }


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.median(known)), 4) if known else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), 2) if known else None


def _plot(title: str, classes: dict[str, dict[str, int]], clips: Sequence[ClipQuality], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    panels = [(label, series) for label, series in _panels(clips) if any(values for _, values in series)]
    figure, axes = plt.subplots(
        1, len(panels) + 1, figsize=(3.3 * len(panels) + 4.5, 3), dpi=100, layout="constrained", squeeze=False,
        width_ratios=[1] * len(panels) + [1.5],
    )  # fmt: skip
    for axis, (label, series) in zip(axes[0], panels, strict=False):
        edges = np.histogram_bin_edges(np.concatenate([values for _, values in series]), bins=20).tolist()
        for (name, values), colour, hatch in zip(series, _COLOURS, _HATCHES, strict=False):
            if values:
                axis.hist(values, bins=edges, color=colour, alpha=0.6, hatch=hatch, edgecolor="white", label=name)
        axis.set_xlabel(label)
        axis.set_ylabel("clips")
        if len(series) > 1:
            axis.legend(fontsize=8)
    _bars(axes[0][-1], classes)
    figure.suptitle(f"{plot_label(title)}: {len(clips)} clips", fontsize=10)
    figure.savefig(path)
    plt.close(figure)


def _panels(clips: Sequence[ClipQuality]) -> list[tuple[str, list[tuple[str, list[float]]]]]:
    """Content of the histograms: label, and one or two series of values."""
    lengths = [("all", [float(clip.frames) for clip in clips])]
    faces = [float(clip.frames_with_face) for clip in clips if clip.frames_with_face is not None]
    if faces:
        lengths.append(("with the target", faces))
    return [
        ("share of frames with the target", [("", [clip.share for clip in clips if clip.share is not None])]),
        ("frames a clip", lengths),
        ("median detector score", [("", [clip.score for clip in clips if clip.score is not None])]),
        ("luma of the middle frame", [("", [clip.luma for clip in clips if clip.luma is not None])]),
        ("mean luma before and after", [
            ("before", [clip.luma_before for clip in clips if clip.luma_before is not None]),
            ("after", [clip.luma_after for clip in clips if clip.luma_after is not None]),
        ]),
    ]  # fmt: skip


def _bars(axis: Axes, classes: dict[str, dict[str, int]]) -> None:
    wide = 0.8 / max(len(classes), 1)
    for number, (split, counts) in enumerate(classes.items()):
        places = np.arange(len(counts)) + (number - (len(classes) - 1) / 2) * wide
        colour, hatch = _COLOURS[number % len(_COLOURS)], _HATCHES[number % len(_HATCHES)]
        axis.bar(places, list(counts.values()), wide, color=colour, hatch=hatch, edgecolor="white", label=split)
        axis.set_xticks(np.arange(len(counts)), [plot_label(name) for name in counts], rotation=30, fontsize=8)
    axis.set_xlabel("clips of each class")
    if classes:  # beside the bars, which fill the axes to the top
        axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
