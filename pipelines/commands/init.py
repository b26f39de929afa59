"""``nrdfer init``: a folder in which the project works without a checkout of its repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nrdfer.commands.common import readable
from nrdfer.core.plain_text import name_text


@readable
def init(folder: Annotated[Path, typer.Argument(help="Folder to make, or to complete; files in it stay.")]) -> None:
    """Make a project's folder: settings of Dagster, and what to source for its plain commands."""
    from pipelines.project.files import ACTIVATE, write_project

    written, kept = write_project(folder)
    place = name_text(folder)
    typer.echo(
        f"written in {place}: {', '.join(written)}" if written else f"{place} has all files of a project already"
    )
    if kept:
        typer.echo(f"left as they are, though a new project has them otherwise: {', '.join(kept)}")
    typer.echo(
        f"\nNext:\n\n    cd {place}\n    nrdfer reproduce --profile quick   # all of it on few rendered clips: minutes"
        "\n    nrdfer reproduce                   # the same with the sample's settings"
        "\n    nrdfer dev                         # Dagster's and MLflow's pages"
        f"\n\nThe plain commands of Dagster and MLflow work there after: . ./{ACTIVATE}"
    )
