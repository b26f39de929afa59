"""``nrdfer weights``: list the pretrained weights, fetch one, and identify a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nrdfer.commands.common import readable
from nrdfer.core.errors import NrdferError, WeightsError

weights_app = typer.Typer(help="Pretrained weights: list, fetch, verify.", no_args_is_help=True)
_FOLDER = "Searched first; without it NRDFER_WEIGHTS, or this project's folder."


def _folder(given: Path | None) -> Path | None:
    from nrdfer.core import environment
    from nrdfer.weights.locate import local_folder

    return given or environment.folder("NRDFER_WEIGHTS") or local_folder(None)


@weights_app.command("list")
@readable
def list_weights(
    folder: Annotated[Path | None, typer.Option(help=_FOLDER)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object per file.")] = False,
) -> None:
    """List published weights: source, content, licence, and whether they are available locally. Opens no connection."""
    import json
    from dataclasses import asdict

    from nrdfer.weights.catalogue import CATALOGUE, resolve

    rows = []
    for pinned in CATALOGUE.values():
        try:
            here, problem = str(resolve(pinned.name, _folder(folder))), ""
        except WeightsError as error:
            here, problem = "", str(error)
        rows.append({**asdict(pinned), "here": here, "problem": problem})
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        size = f"{row['size']:,} bytes" if row["size"] else "size not known"
        pin = f"sha256 {row['sha256']}" if row["sha256"] else f"git blob id {row['git_blob']}"
        hub = f"hub repository {row['repo']}, revision {row['revision']}" if row["repo"] else "on no hub repository"
        typer.echo(f"{row['name']}: {row['description']}")
        typer.echo(f"  {row['filename']}, {size}, {pin}")
        typer.echo(f"  {hub}; {row['source']}")
        typer.echo(f"  licence: {row['licence']}")
        typer.echo(f"  here: {row['here'] or 'no'}")


@weights_app.command("fetch")
@readable
def fetch(
    name: Annotated[str, typer.Argument(help="A name of `nrdfer weights list`.")],
    folder: Annotated[Path | None, typer.Option(help=_FOLDER)] = None,
) -> None:
    """Find weights in the folder or the hub's cache, else download them; prints the verified file."""
    from nrdfer.weights.catalogue import resolve

    typer.echo(resolve(name, _folder(folder), allow_download=True))


@weights_app.command("verify")
@readable
def verify(file: Annotated[Path, typer.Argument(help="A weights file.")]) -> None:
    """Identify a file as one of the published weights, by its content; exits with 1 if it is none of them."""
    from nrdfer.weights.catalogue import CATALOGUE, content_ids, refuse_pointer

    if not file.is_file():
        raise WeightsError(f"{file} does not exist")
    refuse_pointer(file)
    sha256, blob = content_ids(file)
    for pinned in CATALOGUE.values():
        if sha256 == pinned.sha256 or blob == pinned.git_blob:
            typer.echo(f"{file} is {pinned.name}: {pinned.description}")
            return
    raise NrdferError(
        f"{file} is not one of the published weights ({', '.join(CATALOGUE)}): {file.stat().st_size:,} bytes, "
        f"sha256 {sha256}, git blob id {blob}"
    )
