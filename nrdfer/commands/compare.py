"""``nrdfer compare``: two networks on the same test clips, with paired tests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nrdfer.commands.common import readable
from nrdfer.core.errors import NrdferError

JSON, PICTURE = "comparison.json", "comparison.png"
_ADDRESS = "A folder of a training or of `evaluate --out`, models:/NAME@ALIAS, an MLflow run, or a row: table_1/h."


@readable
def compare(
    a: Annotated[str, typer.Argument(help=_ADDRESS)],
    b: Annotated[str, typer.Argument(help="The other one.")],
    protocol: Annotated[str, typer.Option(help="Of both: honest (last epoch) or paper (best epoch).")] = "honest",
    profile: Annotated[str | None, typer.Option(help="Whose tables and shards.", envvar="NRDFER_PROFILE")] = None,
    shards: Annotated[Path | None, typer.Option(help="Folder of shards, for trainings without stored answers.")] = None,
    folds: Annotated[Path | None, typer.Option(help="folds.json or its folder, for the same.")] = None,
    out: Annotated[Path | None, typer.Option(help=f"Receives {JSON} and {PICTURE}.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, with every clip on which they disagree.")
    ] = False,
) -> None:
    """Compare two networks on the same test clips: differences with intervals, McNemar's test, where they disagree.

    Stored answers are used; a training without any is evaluated first. What was tested on other clips, folds or label
    sets is refused.
    """
    import json

    from nrdfer.core.output_checks import refuse_unwritable
    from nrdfer.core.own_files import clear_unfinished, publish, refuse_foreign, unfinished
    from nrdfer.evaluation.checkpoints import PROTOCOLS

    if protocol not in PROTOCOLS:
        raise NrdferError(f"there is no protocol {protocol!r}; use {' or '.join(PROTOCOLS)}")
    if out is not None:
        refuse_unwritable(out, folder=True)
        for name in (JSON, PICTURE):
            refuse_foreign(out / name)
    from nrdfer.config.resolve import profile_of_shell
    from nrdfer.core.output_checks import in_words
    from nrdfer.evaluation.paired_comparison import compare as compare_answers
    from nrdfer.reporting.compared_runs import Source, answers_of
    from nrdfer.reporting.comparison_output import data_of, draw_comparison, lines_of
    from nrdfer.store import project_store

    source = Source(
        profile_of_shell(profile), project_store(), protocol, lambda line: typer.echo(line, err=True), shards, folds
    )
    found = compare_answers(*(answers_of(address, source) for address in (a, b)))
    text = json.dumps(data_of(found), indent=1)
    if out is not None:
        try:
            clear_unfinished(out)
            with unfinished(out) as scratch:
                (scratch / JSON).write_text(text, encoding="utf-8")
                draw_comparison(found, scratch / PICTURE)
                for name in (JSON, PICTURE):
                    publish(scratch / name, out / name)
        except OSError as error:
            raise in_words(out, error) from error
    if as_json:
        typer.echo(text)
        return
    for line in lines_of(found):
        typer.echo(line)
    if out is not None:
        typer.echo(f"JSON and picture: {out}")
