"""``nrdfer preprocess``: aligned crops of any videos."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nrdfer.commands.common import bar, listed_videos, readable
from nrdfer.core.errors import NrdferError
from nrdfer.core.plain_text import one_line

if TYPE_CHECKING:
    from nrdfer.preprocessing.videos import ClipSummary


@readable
def preprocess(
    videos: Annotated[list[Path], typer.Argument(help="Videos, or folders that hold videos.")],
    out: Annotated[Path, typer.Option(help="Receives aligned crops and one contact sheet per clip.")],
    retinaface: Annotated[
        str,
        typer.Option(
            help="A weights file; or retinaface-resnet50, retinaface-mobilenet0.25 (looked for in NRDFER_WEIGHTS, then "
            "on the hub); or sample, the shipped one, which has seen rendered faces only."
        ),
    ] = "sample",
    convention: Annotated[
        str | None,
        typer.Option(help="Input convention of unknown weights: pytorch_retinaface, retinaface_pytorch."),
    ] = None,
    detector: Annotated[
        str | None, typer.Option(help="A detector of another package, by name, instead of RetinaFace.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write one record per clip to this file.")] = None,
    margin: Annotated[float | None, typer.Option(help="How much more than the face a crop shows; 0 = tight.")] = None,
    max_side: Annotated[int | None, typer.Option(help="Longest side the detector sees, pixels.")] = None,
    target: Annotated[
        str | None, typer.Option(help="Which person of several: presence, longest, largest or central.")
    ] = None,
    min_track: Annotated[int | None, typer.Option(help="Minimum number of frames of a target's track.")] = None,
    no_face: Annotated[
        str | None, typer.Option(help="A clip without a target: drop (exclude), centre (its middle squares) or fail.")
    ] = None,
    every: Annotated[int | None, typer.Option(help="Search whole frames every N frames; 1 = all.")] = None,
    enlightengan: Annotated[
        str | None,
        typer.Option(help="Brighten the crops: weights as for --retinaface; enlightengan, enlightengan-onnx, sample."),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    stats: Annotated[bool, typer.Option(help="Print how well each person was found and followed.")] = False,
    workers: Annotated[int, typer.Option(help="Processes, one core each.")] = 2,
) -> None:
    """Decode, detect, choose the target face and align: aligned crops of any videos."""
    from nrdfer.config.alignment import RETINAFACE
    from nrdfer.config.profile import WeightsConfig
    from nrdfer.config.settings import build_settings
    from nrdfer.core.output_checks import refuse_unwritable
    from nrdfer.core.own_files import refuse_foreign
    from nrdfer.weights.locate import network_weights

    if workers < 1:
        raise NrdferError(f"--workers {workers}: give a number of 1 or more")
    listed_videos(videos)
    refuse_unwritable(out, folder=True)
    if json_file is not None:
        refuse_unwritable(json_file, folder=False)
        refuse_foreign(json_file)
    if retinaface != "sample" and detector not in (None, RETINAFACE):
        raise NrdferError(f"--detector {one_line(str(detector))} and --retinaface {one_line(retinaface)}: give one")
    config = WeightsConfig(retinaface, None, enlightengan or "", folder=os.environ.get("NRDFER_WEIGHTS"))
    weights = network_weights("retinaface", config) if detector in (None, RETINAFACE) else None
    brightening = network_weights("enlightengan", config) if enlightengan else None
    from nrdfer.config.alignment import AlignSettings
    from nrdfer.preprocessing.videos import CropOptions, preprocess_videos

    given = {
        "margin": margin,
        "max_side": max_side,
        "target": target,
        "min_track": min_track,
        "no_face": no_face,
        "every": every,
        "detector": detector,
    }
    settings = build_settings(AlignSettings, {k: v for k, v in given.items() if v is not None}, "preprocess")
    if retinaface == "sample" and weights is not None:
        typer.echo(
            "note: the shipped detector has seen rendered faces only; for real video give --retinaface "
            "retinaface-resnet50 (or retinaface-mobilenet0.25, faster), or the path of such a file",
            err=True,
        )
    progress, step = bar("clips")
    with progress:
        options = CropOptions(weights, settings, convention, brightening, device, workers)
        summaries = preprocess_videos(videos, options, out, json_file, step)
    for row in summaries:
        line = one_line(row.clip + (f"  ({row.reason})" if row.reason else ""))
        typer.echo(f"{row.status:10} {row.frames_with_face:5}/{row.frames:<5} frames with a face  {line}")
    if stats:
        typer.echo("\n".join(["", *_stats_table(summaries)]))


def _stats_table(summaries: Sequence[ClipSummary]) -> list[str]:
    """Detection and tracking statistics, one line per clip, with an explanation of the columns."""
    columns = ["clip", "with_face", "tracks", "switches", "jitter_%", "gap", "score", "face_px", "luma"]
    rows = [columns]
    for row in summaries:
        s = row.stats
        share = f"{row.frames_with_face / row.frames:.3f}" if row.frames else "-"
        figures = (s.switches, s.jitter, s.longest_gap, s.score, s.face_size, s.luma)
        known = ["-" if value is None else str(value) for value in figures]
        rows.append([one_line(row.clip), share, str(row.tracks), *known])
    frames = sum(row.frames for row in summaries)
    found = sum(row.frames_with_face for row in summaries)
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(columns))]
    table = ["  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True)))
             for cells in rows]  # fmt: skip
    switches = sum(row.stats.switches for row in summaries)
    return [
        *table,
        f"all: {found} of {frames} frames with the target ({found / max(frames, 1):.1%}); {switches} suspected "
        "switches of identity",
        "with_face: share of frames with the target; switches: successive target frames of one shot that do not look",
        "like one person; jitter: median second difference of the five points, per cent of the distance of the eyes;",
        "gap: most frames in a row without the target; score: median of the detector; face_px: median size of the",
        "face in the source; luma: mean of the crops before brightening, 0 to 255",
    ]
