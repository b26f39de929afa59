"""``nrdfer doctor``: what this machine has and lacks; with arguments, a check of the user's own copies of corpora."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nrdfer.commands.common import readable
from nrdfer.core import environment
from nrdfer.core.errors import NrdferError
from nrdfer.core.plain_text import one_line
from nrdfer.corpora.registry import CORPORA, find_corpus

if TYPE_CHECKING:
    from nrdfer.corpora.base import Corpus


@readable
def doctor(
    dfew: Annotated[Path | None, typer.Option(help="Your DFEW folder; else NRDFER_DFEW_ROOT.")] = None,
    afew: Annotated[Path | None, typer.Option(help="Your AFEW folder; else NRDFER_AFEW_ROOT.")] = None,
    corpus: Annotated[
        list[str] | None, typer.Option(help=f"A corpus and its folder, NAME=DIR; names: {', '.join(CORPORA)}.")
    ] = None,
    corpora: Annotated[bool, typer.Option("--corpora", help="Check the copies that the environment names.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Report what this machine has and lacks: hardware, packages, ffmpeg, weights, disks, corpora, servers.

    Ends with status 1 if something is missing that a first reproduction needs. With a corpus, check copies instead:
    what is there, and why counts differ from the published ones.
    """
    if dfew is None and afew is None and not corpus and not corpora:
        _machine(as_json)
    else:
        _copies({"dfew": dfew, "afew": afew}, corpus or [], as_json, everything=corpora)


def _machine(as_json: bool) -> None:
    import json

    from nrdfer.core.redaction import hide
    from nrdfer.diagnostics.report import as_plain, as_text, examine

    sections = examine()
    if as_json:
        typer.echo(hide(json.dumps(as_plain(sections), indent=1)))
    else:
        for line in as_text(sections):
            typer.echo(line)
    if not all(section.complete for section in sections):
        raise typer.Exit(1)


def _copies(given: dict[str, Path | None], named: Sequence[str], as_json: bool, *, everything: bool) -> None:
    import json
    from dataclasses import asdict

    asked: list[tuple[Corpus, Path | None]] = [
        (known, given.get(name) or environment.folder(known.variable) or (known.default_root if everything else None))
        for name, known in CORPORA.items()
        if everything or name in given
    ]
    asked += map(_with_folder, named)
    looks = [known.examine(root) for known, root in asked if root is not None]
    if not looks:
        raise NrdferError("nothing to check: give --dfew, --afew or --corpus NAME=DIR, or set NRDFER_DFEW_ROOT ...")
    if as_json:
        typer.echo(json.dumps([{**asdict(look), "usable": look.usable} for look in looks], indent=1))
    for look in looks if not as_json else []:
        typer.echo(f"{find_corpus(look.corpus).title} in {look.root}")
        for finding in look.findings:
            typer.echo(f"  {finding.level:8} {one_line(finding.text)}")
    if not all(look.usable for look in looks):
        raise typer.Exit(1)


def _with_folder(text: str) -> tuple[Corpus, Path]:
    name, _, folder = text.partition("=")
    known = find_corpus(name)
    if not folder:
        raise NrdferError(f"--corpus {text}: its folder is missing; give {name}=DIR, which holds {known.holds}")
    return known, Path(folder)
