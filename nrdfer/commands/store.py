"""``nrdfer store``: verify that stored artefacts are unchanged."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from nrdfer.commands.common import bar, readable
from nrdfer.core.errors import StoreError
from nrdfer.core.plain_text import name_text, one_line

store_app = typer.Typer(help="The store of artefacts: verify.", no_args_is_help=True)
_MB = 1_000_000


@store_app.callback()
def _noun() -> None:
    """Keep the noun a group: with a single verb it would be taken for the verb."""


@store_app.command("verify")
@readable
def verify(
    repair: Annotated[
        bool, typer.Option("--repair", help="Move damaged artefacts away; the command that made them makes them again.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check every byte of every artefact against its manifest; exits with 1 if anything is damaged and not repaired.

    Nothing is ever deleted: with --repair a damaged artefact is moved to .damaged in the store, and the next run of the
    line that made it makes it again, with what depends on it.
    """
    from nrdfer.core import paths
    from nrdfer.store import Store
    from nrdfer.store.verify import verify_store

    # otherwise "0 of 0 are whole" would be printed for a mistyped folder
    for place in (paths.home(), paths.store_root()):
        if not place.is_dir() and (place == paths.home() or os.path.lexists(place)):
            state = "is no folder" if os.path.lexists(place) else "is not there"
            raise StoreError(f"{name_text(place)} {state}; set NRDFER_HOME to the project's folder, or go beside it")
    store = Store(paths.store_root())
    progress, step = bar("verifying artefacts (MB)", "MB")
    rows = []
    with progress:
        for found in verify_store(store.root, lambda done, total: step(done // _MB, total // _MB)):
            moved_to = store.quarantine(found.asset, found.digest) if found.problems and repair else None
            rows.append((found, moved_to))
    damaged = [(found, moved_to) for found, moved_to in rows if found.problems]
    if as_json:
        rows_of_json = [
            {
                "asset": found.asset,
                "digest": found.digest,
                "path": str(found.path),
                "bytes": found.bytes,
                "problems": list(found.problems),
                "set_aside": None if moved_to is None else str(moved_to),
            }
            for found, moved_to in rows
        ]
        typer.echo(json.dumps({"store": str(store.root), "artefacts": rows_of_json, "damaged": len(damaged)}, indent=1))
    else:
        for found, moved_to in damaged:
            where = "" if moved_to is None else f"; it is now in {moved_to}"
            typer.echo(f"{name_text(found.path)} is damaged{where}")
            for problem in found.problems:
                typer.echo(f"  {one_line(problem)}")
        whole = f"{len(rows) - len(damaged)} of {len(rows)} artefacts in {store.root} are whole"
        size = sum(found.bytes for found, _ in rows)
        typer.echo(f"{whole} ({size:,} bytes checked){_advice(len(damaged), repaired=repair)}")
    if damaged and not repair:
        raise typer.Exit(1)


def _advice(damaged: int, *, repaired: bool) -> str:
    if not damaged:
        return ""
    if repaired:
        return (
            "; rerun the command that made the others (dagster job execute -j full_reproduction), and they are made "
            "again"
        )
    return (
        "; rerun the command that made the others (dagster job execute -j full_reproduction): it moves them away "
        "and makes them again; --repair moves them away now"
    )
