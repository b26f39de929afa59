"""``nrdfer demo``: a web page on this machine, where a video is dropped and its emotions are seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nrdfer.commands.common import readable, refuse_no_model

if TYPE_CHECKING:
    from nrdfer.predict.predictor import Predictor


@readable
def demo(
    model: Annotated[
        str | None, typer.Option(help="As for nrdfer predict; without it, the registry's champion, else sample.")
    ] = None,
    port: Annotated[int, typer.Option(help="On this machine only (127.0.0.1).", min=1, max=65535)] = 7860,
    retinaface: Annotated[
        str | None,
        typer.Option(
            help="Instead of the training's detector: a weights file, or retinaface-resnet50, "
            "retinaface-mobilenet0.25, sample."
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            help="A limit as NAME=VALUE; may be repeated. Names and defaults: video_mib=512, frames=20000, "
            "pixels=9437184, duration=600."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
) -> None:
    """Show a page that predicts a dropped video: annotated, with a timeline that follows playback. Needs nrdfer[demo].

    Nothing is sent anywhere. Uploads and results are in a folder that only you can read, and are removed at the end.
    """
    from nrdfer.commands.serve import limits_of
    from nrdfer.demo.server import refuse_no_gradio, run

    limits = limits_of(limit or (), known=("video_mib", "frames", "pixels", "duration"))
    refuse_no_gradio()
    if model is not None:
        refuse_no_model(model)
    from nrdfer.core.plain_text import one_line
    from nrdfer.predict.api import load_with_notes

    def load() -> tuple[Predictor, tuple[str, ...]]:
        predictor, overrides = load_with_notes(model, retinaface=retinaface, device=device)
        typer.echo(one_line(f"answers come from {predictor.model.caption}"), err=True)
        for note in overrides:
            typer.echo(one_line(f"unlike in training: {note}"), err=True)
        return predictor, overrides

    run(load, port=port, limits=limits)
