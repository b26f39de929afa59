"""``nrdfer serve``: a registered version as a local web service, started only after its files were checked."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from nrdfer.commands.common import readable


@readable
def serve(
    model: Annotated[str, typer.Argument(help="A registered version.")] = "models:/nr-dfernet-dfew@champion",
    port: Annotated[int, typer.Option(help="On this machine only (127.0.0.1).")] = 5001,
    workers: Annotated[int, typer.Option(help="Processes that answer.")] = 1,
) -> None:
    """Check a version's files, then serve it as `mlflow models serve` does: POST to /invocations."""
    from nrdfer.registry import open_version

    opened = open_version(model)
    typer.echo(f"{opened.uri}: files are as registered; http://127.0.0.1:{port}/invocations, Ctrl-C stops", err=True)
    line = [
        "-m", "mlflow", "models", "serve", "--model-uri", str(opened.folder), "--env-manager", "local",
        "--host", "127.0.0.1", "--port", str(port), "--workers", str(workers),
    ]  # fmt: skip
    os.execv(sys.executable, [sys.executable, *line])  # noqa: S606
