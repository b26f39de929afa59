"""``nrdfer preprocess``: aligned crops of any videos."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from nrdfer.commands.common import bar, readable


@readable
def preprocess(
    videos: Annotated[list[Path], typer.Argument(help="Videos, or folders that hold videos.")],
    out: Annotated[Path, typer.Option(help="Receives aligned crops and one contact sheet a clip.")],
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
    json_file: Annotated[Path | None, typer.Option("--json", help="Write one record a clip to this file.")] = None,
    margin: Annotated[float | None, typer.Option(help="How much more than the face a crop shows; 0 = tight.")] = None,
    max_side: Annotated[int | None, typer.Option(help="Longest side the detector sees, pixels.")] = None,
    workers: Annotated[int, typer.Option(help="Processes.")] = 2,
) -> None:
    """Decode, detect, choose the target face and align: aligned crops of any videos."""
    from nrdfer.config import WeightsConfig, build_settings
    from nrdfer.preprocess import AlignSettings, preprocess_videos
    from nrdfer.stages.weights import network_weights

    given = {"margin": margin, "max_side": max_side}
    settings = build_settings(AlignSettings, {k: v for k, v in given.items() if v is not None}, "preprocess")
    weights = network_weights("retinaface", WeightsConfig(retinaface, folder=os.environ.get("NRDFER_WEIGHTS")))
    if retinaface == "sample":
        typer.echo(
            "note: the shipped detector has seen rendered faces only; for real video give --retinaface "
            "retinaface-resnet50 (or retinaface-mobilenet0.25, faster), or the path of such a file",
            err=True,
        )
    progress, step = bar("clips")
    with progress:
        summaries = preprocess_videos(
            videos,
            weights,
            settings,
            out,
            convention=convention,
            json_path=json_file,
            progress=step,
            workers=workers,
        )
    for row in summaries:
        reason = f"  ({row.reason})" if row.reason else ""
        typer.echo(f"{row.status:10} {row.frames_with_face:5}/{row.frames:<5} frames with a face  {row.clip}{reason}")
