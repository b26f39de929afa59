"""``nrdfer evaluate``: a trained network's figures on the test clips of a split, by the functions of the graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from nrdfer.commands.common import readable
from nrdfer.core.errors import NrdferError
from nrdfer.corpora.registry import splits_in_words

BOTH = "both"
_MEANING = {"honest": "last epoch", "paper": "best epoch on the test fold"}


@readable
def evaluate(
    checkpoint: Annotated[str, typer.Argument(help="A folder that a training filled, or a models:/ address.")],
    split: Annotated[str, typer.Option(help=f"Whose test clips: {splits_in_words()}.")],
    profile: Annotated[str | None, typer.Option(help="Whose shards and threads.", envvar="NRDFER_PROFILE")] = None,
    shards: Annotated[Path | None, typer.Option(help="Folder of shards, not those of the profile's last run.")] = None,
    folds: Annotated[Path | None, typer.Option(help="folds.json or its folder, not that of the last run.")] = None,
    protocol: Annotated[str, typer.Option(help="honest (last epoch), paper (best epoch), or both.")] = BOTH,
    out: Annotated[Path | None, typer.Option(help="Receives predictions (parquet), metrics and figures.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: protocol, then its metrics.")] = False,
) -> None:
    """Predict every test clip of a split exactly once; WAR and UAR, with and without the snippet-based filter."""
    import json
    import tempfile

    from nrdfer.core.output_checks import in_words, refuse_unwritable
    from nrdfer.core.own_files import clear_unfinished, publish, refuse_foreign, unfinished

    if out is not None:
        refuse_unwritable(out, folder=True)
    from nrdfer.config.resolve import profile_of_shell
    from nrdfer.evaluation.checkpoints import PROTOCOLS, evaluate_checkpoint, files_of
    from nrdfer.preprocessing.folds import find_split
    from nrdfer.registry import checked_weights

    if protocol not in (*PROTOCOLS, BOTH):
        raise NrdferError(f"there is no protocol {protocol!r}; use one of {', '.join((*PROTOCOLS, BOTH))}")
    chosen = tuple(PROTOCOLS) if protocol == BOTH else (protocol,)
    if out is not None:
        for name in files_of(chosen):
            refuse_foreign(out / name)
    base = profile_of_shell(profile)
    found = find_split(base, split, shards, folds, index_only=bool(base.data.source))
    try:
        if out is not None:
            clear_unfinished(out)
        with (
            checked_weights(checkpoint) as (described, _),
            tempfile.TemporaryDirectory() if out is None else unfinished(out) as scratch,
        ):
            _warn_of_leaks(described.parent, split)
            metrics = evaluate_checkpoint(
                described.parent,
                found.shards,
                found.test_ids,
                Path(scratch),
                title=split,
                engine=base.engine,
                protocols=chosen,
                data=base.data,
            )
            if out is not None:
                for path in sorted(Path(scratch).iterdir()):
                    publish(path, out / path.name)
    except OSError as error:
        raise in_words(out or Path(tempfile.gettempdir()), error) from error
    if as_json:
        typer.echo(json.dumps({"split": split, "checkpoint": checkpoint, **metrics}, indent=1))
        return
    for name, figures in metrics.items():
        typer.echo(f"{name} protocol ({_MEANING[name]}): {_words(figures)}")
    if out is not None:
        typer.echo(f"predictions, metrics and figures: {out}")


def _words(figures: Mapping[str, Any]) -> str:
    filtered, plain = (f"WAR {100 * figures[war]:.2f}, UAR {100 * figures[uar]:.2f}" for war, uar in _PAIRS)
    text = f"{filtered}; without the filter {plain}; {figures['clips']} clips, each predicted once"
    absent = figures["absent"]
    return text + (f"; no clip of {', '.join(absent)}, over which no UAR is taken" if absent else "")


_PAIRS = (("war", "uar"), ("war_unfiltered", "uar_unfiltered"))


def _warn_of_leaks(folder: Path, split: str) -> None:
    from nrdfer.core.plain_text import one_line
    from nrdfer.corpora.registry import corpus_of
    from nrdfer.training.run_folder import read_settings

    trained = (read_settings(folder) or {}).get("split", split)
    if trained != split and trained in corpus_of(split).splits:
        warning = one_line(f"warning: the weights are of {trained}, which was trained on test clips of {split}")
        typer.echo(warning, err=True)
