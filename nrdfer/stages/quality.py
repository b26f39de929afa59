"""A corpus at a glance: one page with figures, a table of its clips, and those set aside with their reasons.

Written beside the artefact it describes: ``quality.html`` for a browser, ``quality.png`` its picture, ``quality.json``
the numbers. How the numbers come about is the steps' business.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nrdfer.faces.stats import longest_gap
from nrdfer.records import ClipRecord
from nrdfer.stages.clip_files import SHEETS

PAGE, PICTURE, NUMBERS = "quality.html", "quality.png", "quality.json"


@dataclass(frozen=True, slots=True)
class ClipQuality:
    """What the page tells of one clip; None where it was not measured."""

    clip_id: str
    emotion: str | None
    split: str
    frames: int
    frames_with_face: int
    longest_gap: int  # frames without the target in a row
    score: float | None  # median of the detector's
    luma_before: float | None = None  # mean of the crops, 0 to 255
    luma_after: float | None = None


def clip_quality(record: ClipRecord, before: float | None = None, after: float | None = None) -> ClipQuality:
    """The page's row of one clip."""
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
    title: str, clips: Sequence[ClipQuality], aside: Sequence[tuple[str, str]], out: Path
) -> dict[str, Any]:
    """Write the page, its picture and its numbers into `out`; returns the summary for metadata."""
    summary = summarise(clips, aside)
    numbers = {"title": title, "summary": summary, "set_aside": dict(aside), "clips": [asdict(clip) for clip in clips]}
    (out / NUMBERS).write_text(json.dumps(numbers, indent=1))
    _plot(title, clips, out / PICTURE)
    (out / PAGE).write_text(_page(title, summary, clips, aside, out), encoding="utf-8")
    return summary


def summarise(clips: Sequence[ClipQuality], aside: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """A few figures of the whole corpus."""
    frames = sum(clip.frames for clip in clips)
    found = sum(clip.frames_with_face for clip in clips)
    shares = [clip.frames_with_face / clip.frames for clip in clips if clip.frames]
    return {
        "clips": len(clips),
        "set_aside": len(aside),
        "frames": frames,
        "share_of_frames_with_face": round(found / frames, 4) if frames else None,
        "clips_with_face_in_less_than_half": sum(share < 0.5 for share in shares),
        "median_score": _median([clip.score for clip in clips]),
        "luma_before": _mean([clip.luma_before for clip in clips]),
        "luma_after": _mean([clip.luma_after for clip in clips]),
    }


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.median(known)), 4) if known else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), 2) if known else None


def _plot(title: str, clips: Sequence[ClipQuality], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(13, 3), dpi=100, layout="constrained")
    parts: list[tuple[str, list[tuple[str, list[float]]]]] = [
        ("share of frames with the target", [("", [c.frames_with_face / c.frames for c in clips if c.frames])]),
        ("frames a clip (blue) and with the target", [
            ("all", [float(c.frames) for c in clips]), ("with the target", [float(c.frames_with_face) for c in clips]),
        ]),
        ("median detector score", [("", [c.score for c in clips if c.score is not None])]),
        ("mean luma before and after", [
            ("before", [c.luma_before for c in clips if c.luma_before is not None]),
            ("after", [c.luma_after for c in clips if c.luma_after is not None]),
        ]),
    ]  # fmt: skip
    for axis, (label, series) in zip(axes, parts, strict=True):
        for (name, values), colour, hatch in zip(series, ("#0072B2", "#E69F00"), ("", "///"), strict=False):
            if values:
                axis.hist(values, bins=20, color=colour, alpha=0.6, hatch=hatch, edgecolor="white", label=name)
        axis.set_xlabel(label)
        axis.set_ylabel("clips")
        if len(series) > 1 and any(values for _, values in series):
            axis.legend(fontsize=8)
    figure.suptitle(f"{title}: {len(clips)} clips", fontsize=10)
    figure.savefig(path)
    plt.close(figure)


_STYLE = (
    "body{font-family:sans-serif;margin:2em;max-width:70em}table{border-collapse:collapse}"
    "td,th{padding:.2em .7em;border-bottom:1px solid #ddd;text-align:right}"
    "td:first-child,th:first-child{text-align:left}"
)


def _page(
    title: str,
    summary: Mapping[str, Any],
    clips: Sequence[ClipQuality],
    aside: Sequence[tuple[str, str]],
    out: Path,
) -> str:
    facts = "".join(f"<tr><td>{_text(k.replace('_', ' '))}</td><td>{_text(v)}</td></tr>" for k, v in summary.items())
    columns = list(asdict(clips[0])) if clips else []
    head = "".join(f"<th>{_text(name.replace('_', ' '))}</th>" for name in columns)
    # what to look at comes first
    ordered = sorted(clips, key=lambda clip: (clip.frames_with_face / max(clip.frames, 1), clip.clip_id))
    rows = "".join(
        "<tr>" + f"<td>{_link(clip.clip_id, out)}</td>"
        + "".join(f"<td>{_text(value)}</td>" for value in list(asdict(clip).values())[1:]) + "</tr>"
        for clip in ordered
    )  # fmt: skip
    reasons = "".join(f"<tr><td>{_link(clip_id, out)}</td><td>{_text(reason)}</td></tr>" for clip_id, reason in aside)
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{_text(title)}</title><style>{_STYLE}</style>"
        f"<h1>{_text(title)}</h1><table>{facts}</table><p><img src={PICTURE} alt='distributions over the clips'>"
        f"<h2>Set aside ({len(aside)})</h2><table><tr><th>clip</th><th>reason</th></tr>{reasons}</table>"
        f"<h2>Clips, fewest frames with the target first</h2><table><tr>{head}</tr>{rows}</table></html>\n"
    )


def _link(clip_id: str, out: Path) -> str:
    sheet = f"{SHEETS}/{clip_id}.jpg"
    return f"<a href={html.escape(sheet)}>{_text(clip_id)}</a>" if (out / sheet).is_file() else _text(clip_id)


def _text(value: object) -> str:
    return "" if value is None else html.escape(str(value))
