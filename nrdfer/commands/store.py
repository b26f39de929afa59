"""``nrdfer store``: verify that stored artefacts are unchanged; exchange them with a bucket."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from nrdfer.commands.common import bar, readable
from nrdfer.core.errors import StoreError
from nrdfer.core.plain_text import name_text, one_line

store_app = typer.Typer(help="The store of artefacts: verify it, and exchange it with a bucket.", no_args_is_help=True)
_MB = 1_000_000


@store_app.command("verify")
@readable
def verify(
    repair: Annotated[
        bool, typer.Option("--repair", help="Move damaged artefacts away; the command that made them makes them again.")
    ] = False,
    bucket: Annotated[
        bool, typer.Option("--bucket", help="Check the artefacts in NRDFER_STORE_URL instead; nothing is kept.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check every byte of every artefact against its manifest; exits with 1 if anything is damaged and not repaired.

    Nothing is ever deleted: with --repair a damaged artefact is moved to .damaged in the store, and the next run of the
    line that made it makes it again, with what depends on it.
    """
    if bucket:
        if repair:
            raise StoreError(
                "--repair is for this machine's store; upload a damaged one again: nrdfer store push --again"
            )
        _verify_bucket(as_json=as_json)
        return
    from nrdfer.core import paths
    from nrdfer.store import Store
    from nrdfer.store.decoded import decoded_store
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
        for part in (store, decoded_store()):
            for found in verify_store(part.root, lambda done, total: step(done // _MB, total // _MB)):
                moved_to = part.quarantine(found.asset, found.digest) if found.problems and repair else None
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


def _verify_bucket(*, as_json: bool) -> None:
    from nrdfer.store import project_store
    from nrdfer.store.exchange import bucket_of, verify_bucket

    bucket = bucket_of(project_store())
    found = list(verify_bucket(bucket))
    damaged = [verdict for verdict in found if verdict.problems]
    if as_json:
        rows = [{"asset": v.asset, "digest": v.digest, "bytes": v.bytes, "problems": list(v.problems)} for v in found]
        typer.echo(json.dumps({"bucket": bucket.address, "artefacts": rows, "damaged": len(damaged)}, indent=1))
    else:
        for verdict in damaged:
            typer.echo(f"{bucket.address}/{verdict.path} is damaged")
            for problem in verdict.problems:
                typer.echo(f"  {one_line(problem)}")
        size = sum(verdict.bytes for verdict in found)
        typer.echo(
            f"{len(found) - len(damaged)} of {len(found)} artefacts in {bucket.address} are whole ({size:,} bytes)"
        )
    if damaged:
        raise typer.Exit(1)


@store_app.command("status")
@readable
def status(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """List where artefacts are: in this machine's store, in the bucket of NRDFER_STORE_URL, or in both."""
    from nrdfer.store import project_store
    from nrdfer.store.exchange import bucket_of, whereabouts

    store = project_store()
    found, bucket = whereabouts(store), bucket_of(store)
    waiting = [row for row in found if not row.in_bucket]
    scratch = store.copies.scratch
    cached = [] if scratch is None else scratch.entries()
    if as_json:
        rows = [{"asset": r.asset, "digest": r.digest, "here": r.here, "in_bucket": r.in_bucket} for r in found]
        document = {"store": str(store.root), "bucket": bucket.address, "artefacts": rows, "waiting": len(waiting)}
        typer.echo(json.dumps({**document, "scratch_bytes": sum(size for _, size in cached)}, indent=1))
        return
    for row in found:
        where = {(True, True): "both", (True, False): "here", (False, True): "bucket"}[row.here, row.in_bucket]
        typer.echo(f"{where:6}  {row.digest[:12]}  {row.asset}")
    typer.echo(f"{len(found)} artefacts, of which {len(waiting)} are not in {bucket.address} (nrdfer store push)")
    if scratch is not None:
        typer.echo(f"{scratch.root}: {len(cached)} copies, {sum(size for _, size in cached):,} bytes")


@store_app.command("push")
@readable
def push(
    asset: Annotated[str, typer.Argument(help="Only artefacts of this asset, e.g. dfew/shards.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Replace what the bucket has already.")] = False,
) -> None:
    """Upload what the bucket of NRDFER_STORE_URL lacks; exits with 1 if an artefact here is damaged."""
    from nrdfer.store import project_store
    from nrdfer.store.exchange import push as push_all

    progress, step = bar("uploading artefacts")
    with progress:
        found = list(push_all(project_store(), asset, again=again, progress=step))
    damaged = [verdict for verdict in found if verdict.problems]
    for verdict in damaged:
        typer.echo(
            f"{name_text(verdict.path)} is damaged and was not uploaded: {one_line(verdict.problems[0])}", err=True
        )
    typer.echo(f"uploaded: {len(found) - len(damaged)} artefacts")
    if damaged:
        raise typer.Exit(1)


@store_app.command("pull")
@readable
def pull(
    asset: Annotated[str, typer.Argument(help="Only artefacts of this asset, e.g. dfew/shards.")] = "",
) -> None:
    """Fetch what this machine lacks from the bucket of NRDFER_STORE_URL, and verify it."""
    from nrdfer.store import project_store
    from nrdfer.store.exchange import whereabouts

    store = project_store()
    wanted = [row for row in whereabouts(store) if not row.here and asset in ("", row.asset)]
    progress, step = bar("fetching artefacts")
    with progress:
        for k, row in enumerate(wanted):
            step(k, len(wanted))
            store.open(row.asset, row.digest)
    typer.echo(f"fetched: {len(wanted)} artefacts")


@store_app.command("decoded")
@readable
def decoded(
    remove: Annotated[bool, typer.Option("--remove", help="Remove those that no process reads.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the files of decoded frames that trainings share (`cache: shared`); any training makes them again."""
    from nrdfer.store.decoded import decoded_store, list_decoded, remove_damaged
    from nrdfer.store.decoded import remove as remove_one

    store = decoded_store()
    if remove:
        remove_damaged(store)
    rows = [(found, remove and remove_one(store, found)) for found in list_decoded(store)]
    if as_json:
        listed = [
            {
                "digest": f.digest,
                "path": str(f.path),
                "bytes": f.bytes,
                "clips": f.clips,
                "in_use": f.in_use,
                "removed": r,
            }
            for f, r in rows
        ]
        typer.echo(json.dumps({"decoded": listed, "bytes": sum(f.bytes for f, _ in rows)}, indent=1))
        return
    for found, is_gone in rows:
        state = "removed" if is_gone else "in use" if found.in_use else "unused"
        typer.echo(f"{state:7}  {found.digest[:12]}  {found.clips:,} clips, {found.bytes:,} bytes")
    left = [found for found, is_gone in rows if not is_gone]
    typer.echo(f"{len(left)} files of decoded frames in {name_text(store.root)}, {sum(f.bytes for f in left):,} bytes")


def _advice(damaged: int, *, repaired: bool) -> str:
    if not damaged:
        return ""
    if repaired:
        return "; rerun the command that made the others (nrdfer reproduce), and they are made again"
    return (
        "; rerun the command that made the others (nrdfer reproduce): it moves them away "
        "and makes them again; --repair moves them away now"
    )
