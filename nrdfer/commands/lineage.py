"""``nrdfer lineage``: from a registered version to every source, with every link verified; and back."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nrdfer.commands.common import readable
from nrdfer.core.errors import NrdferError
from nrdfer.core.plain_text import one_line

if TYPE_CHECKING:
    from nrdfer.lineage import Chain, Walk
    from nrdfer.lineage.hashes import Hashes


@readable
def lineage(
    model: Annotated[
        str | None,
        typer.Argument(
            help="A version (models:/nr-dfernet-dfew@champion, models:/nr-dfernet-dfew/3); or a file, a sha256 or a "
            "run's id, whose versions are then named."
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every version of every registered model.")] = False,
    quick: Annotated[bool, typer.Option(help="Check only that files exist, without sha256.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print every link as JSON.")] = False,
) -> None:
    """Follow a registered version to its runs, settings, code, clips, shards, weights and videos; verify every link.

    Exits with 1 if a link is broken.
    """
    from nrdfer.lineage import Walk
    from nrdfer.lineage.history import find_orchestrator
    from nrdfer.lineage.links import broken_in
    from nrdfer.lineage.show import broken_line, chain_lines
    from nrdfer.store import project_store
    from nrdfer.tracking.client import Tracking

    if (model is None) != every:
        raise NrdferError("name one version (models:/nr-dfernet-dfew@champion), or give --all for every one")
    with _hashes(quick=quick) as hashes:
        walk = Walk(Tracking(), project_store(), find_orchestrator(), hashes)
        if model is not None and not model.startswith("models:"):
            _versions_of(walk, model, as_json=as_json)
            return
        chains = [walk.chain(name) for name in (walk.all_versions() if every else [str(model)])]
    if not chains:
        raise NrdferError("no model is registered yet; run: nrdfer reproduce")
    broken = broken_in(chains)
    if as_json:
        document = {"versions": [chain.to_dict() for chain in chains], "verified": not quick, "broken": len(broken)}
        typer.echo(json.dumps(document, indent=1))
    else:
        for chain in chains:
            typer.echo("\n".join([*chain_lines(chain), ""]))
        if len(chains) > 1 and broken:
            typer.echo("\n".join(["Broken, each once:", *map(broken_line, broken)]))
        typer.echo(f"broken links: {len(broken)}")
    if broken:
        raise typer.Exit(1)


@contextlib.contextmanager
def _hashes(*, quick: bool) -> Iterator[Hashes]:
    """The cache of file digests, with progress shown to the user."""
    from rich.console import Console

    from nrdfer.lineage.hashes import Hashes

    if not sys.stderr.isatty():
        yield Hashes(quick=quick)
        return
    with Console(stderr=True).status("following links") as status:

        def seen(count: int) -> None:
            if count % 50 == 0:
                status.update(f"following links: {count} files {'found' if quick else 'hashed'}")

        yield Hashes(quick=quick, seen=seen)


def _versions_of(walk: Walk, wanted: str, *, as_json: bool) -> None:
    """Reverse lookup: the versions that derive from a file, a digest or a run."""
    path = Path(wanted)
    place = str(path.absolute()) if path.exists() else wanted
    found = [(chain, link) for chain in _chains(walk) for link in chain.matching(place)]
    if as_json:
        rows = [{"version": c.version, "kind": k.kind, "name": k.name, "problem": k.problem} for c, k in found]
        typer.echo(json.dumps({"of": place, "versions": rows}, indent=1))
    else:
        for chain, link in found:
            broken = "  BROKEN" if link.problem else ""
            typer.echo(one_line(f"{chain.version:36}  {link.kind}: {link.name}{broken}"))
        typer.echo(f"versions: {len({chain.version for chain, _ in found})}")
    if not found:
        raise NrdferError(
            f"{wanted} belongs to no registered version: give a file of a corpus or of the store, a sha256 (or its "
            "first 8 characters), or the id of an MLflow or Dagster run"
        )


def _chains(walk: Walk) -> Iterator[Chain]:
    return (walk.chain(name) for name in walk.all_versions())
