"""``nrdfer evaluate``: a trained network's figures on the test clips of a split, by the functions of the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nrdfer.commands.common import readable
from nrdfer.core.errors import NrdferError
from nrdfer.core.plain_text import one_line
from nrdfer.corpora.registry import find_corpus, splits_in_words, trained_corpora

if TYPE_CHECKING:
    from nrdfer.config.profile import Profile
    from nrdfer.registry.loading import CheckedNetwork
    from nrdfer.shards.split import Split

BOTH = "both"
_MEANING = {
    "honest": "last epoch",
    "paper": "best epoch on the test fold",
    "validated": "epoch and thresholds chosen on held-out training clips",
}


@readable
def evaluate(
    checkpoint: Annotated[str, typer.Argument(help="A folder that a training filled, or a models:/ address.")],
    split: Annotated[str | None, typer.Option(help=f"Whose test clips: {splits_in_words()}.")] = None,
    on: Annotated[
        str | None, typer.Option(help="Another corpus: all its test clips, on the emotions that it shares.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Whose shards and threads.", envvar="NRDFER_PROFILE")] = None,
    shards: Annotated[Path | None, typer.Option(help="Folder of shards, not those of the profile's last run.")] = None,
    folds: Annotated[Path | None, typer.Option(help="folds.json or its folder, not that of the last run.")] = None,
    protocol: Annotated[
        str, typer.Option(help="honest (last epoch), paper (best epoch), both, or validated (see validation in --set).")
    ] = BOTH,
    out: Annotated[Path | None, typer.Option(help="Receives predictions (parquet), metrics and figures.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: protocol, then its metrics.")] = False,
) -> None:
    """Predict every test clip of a split exactly once; WAR and UAR, with and without the snippet-based filter.

    With --on CORPUS, a network that was trained elsewhere is tested on that corpus: clips of emotions that only one of
    the two has are left out, and the network answers with the most probable of the shared ones.
    """
    import json

    from nrdfer.core.output_checks import refuse_unwritable
    from nrdfer.core.own_files import refuse_foreign

    if out is not None:
        refuse_unwritable(out, folder=True)
    from nrdfer.config.resolve import profile_of_shell
    from nrdfer.evaluation.checkpoints import WEIGHTS, files_of
    from nrdfer.registry import checked_weights

    if protocol not in (*WEIGHTS, BOTH):
        raise NrdferError(f"there is no protocol {protocol!r}; use one of {', '.join((*WEIGHTS, BOTH))}")
    if (split is None) == (on is None):
        raise NrdferError("give either --split, whose test clips are predicted, or --on, another corpus")
    if out is not None:
        for name in files_of(tuple(WEIGHTS) if protocol == BOTH else (protocol,)):
            refuse_foreign(out / name)
    base = profile_of_shell(profile)
    with checked_weights(checkpoint) as network:
        chosen = _with_weights(checkpoint, network.folder, protocol)  # before shards are looked through
        found = _clips(base, split, on, shards, folds)
        metrics, calibration = _evaluated(checkpoint, network, base, found, chosen, out, across=on is not None)
    if as_json:
        each = {name: {**figures, "calibration": calibration[name]} for name, figures in metrics.items()}
        typer.echo(json.dumps({"split": found.name, "checkpoint": checkpoint, **each}, indent=1))
        return
    from nrdfer.evaluation.class_figures import in_words

    for name, figures in metrics.items():
        typer.echo(f"{name} protocol ({_MEANING[name]}): {_words(figures)}")
        typer.echo(f"{name} protocol: {in_words(calibration[name])}")
    if out is not None:
        typer.echo(f"predictions, metrics and figures: {out}")


def _with_weights(checkpoint: str, folder: Path, asked: str) -> tuple[str, ...]:
    """The protocols whose weights a network has: published ones and the sample have those of the last epoch only.

    Raises:
        NrdferError: it lacks those of the one that was asked for.
    """
    from nrdfer.evaluation.checkpoints import VALIDATED, WEIGHTS

    wanted = tuple(name for name in WEIGHTS if name != VALIDATED) if asked == BOTH else (asked,)
    there = tuple(name for name in wanted if (folder / WEIGHTS[name]).is_file())
    lacking = [name for name in wanted if name not in there]
    if lacking and (asked != BOTH or not there):
        held_out = "its training held no clips out (`--set validation=0.1` does); give --protocol honest"
        other = held_out if asked == VALIDATED else "give --protocol honest, or the folder of the training"
        raise NrdferError(
            f"{one_line(checkpoint)} has no weights of the protocol {lacking[0]} ({WEIGHTS[lacking[0]]}, "
            f"{_MEANING[lacking[0]]}); {other}"
        )
    for name in lacking:
        typer.echo(
            one_line(f"note: {checkpoint} has no weights of the protocol {name} ({_MEANING[name]}); it is left out"),
            err=True,
        )
    more = (VALIDATED,) if asked == BOTH and (folder / WEIGHTS[VALIDATED]).is_file() else ()
    return there + more


def _clips(base: Profile, split: str | None, on: str | None, shards: Path | None, folds: Path | None) -> Split:
    """The clips to predict: of a split, or all that a corpus tests."""
    from nrdfer.preprocessing.folds import find_split, find_tested

    index_only = bool(base.data.source)
    if split is not None:
        return find_split(base, split, shards, folds, index_only=index_only)
    corpus = find_corpus(str(on))
    if not corpus.splits:
        names = ", ".join(known.name for known in trained_corpora())
        raise NrdferError(f"--on {corpus.name}: nothing is trained or tested on it; give one of {names}")
    return find_tested(base, corpus, shards, folds, index_only=index_only)


def _evaluated(
    checkpoint: str,
    network: CheckedNetwork,
    base: Profile,
    found: Split,
    protocols: Sequence[str],
    out: Path | None,
    *,
    across: bool,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metrics, and calibration, of each protocol; `out` receives the files once all are there."""
    import tempfile

    from nrdfer.core.output_checks import in_words
    from nrdfer.core.own_files import clear_unfinished, publish, unfinished
    from nrdfer.evaluation.checkpoints import EvaluationSet, evaluate_checkpoint, read_calibration

    try:
        if out is not None:
            clear_unfinished(out)
        with tempfile.TemporaryDirectory() if out is None else unfinished(out) as scratch:
            test_ids, shared = _shared(network.description, found) if across else (list(found.test_ids), ())
            if across:
                _refuse_own_clips(checkpoint, network, found.corpus)
            else:
                _warn_of_leaks(network.folder, found.name)
            own = not across and _trained_on(network) == found.name
            learned = found.train_ids if own else ()  # what another split's network has learned is not known here
            metrics = evaluate_checkpoint(
                network.folder,
                EvaluationSet(found.shards, test_ids, base.data, learned, shared),
                Path(scratch),
                title=found.name,
                engine=base.engine,
                protocols=protocols,
            )
            calibration = read_calibration(Path(scratch))
            if out is not None:
                for path in sorted(Path(scratch).iterdir()):
                    publish(path, out / path.name)
    except OSError as error:
        raise in_words(out or Path(tempfile.gettempdir()), error) from error
    return metrics, calibration


def _shared(described: Path, found: Split) -> tuple[list[str], tuple[str, ...]]:
    """Test clips of another corpus with an emotion of the network's, and these emotions."""
    from nrdfer.evaluation.shared_labels import shared_emotions
    from nrdfer.models.saved_model import read_emotions
    from nrdfer.preprocessing.folds import labelled

    corpus = find_corpus(found.corpus)
    shared = shared_emotions(read_emotions(described), corpus.emotions, corpus.title)
    kept, others = labelled(found, shared)
    if not kept:
        raise NrdferError(f"no test clip of {corpus.title} has one of the shared emotions {', '.join(shared)}")
    left_out = f"; {others} clips of other emotions are left out" if others else ""
    typer.echo(f"{len(kept)} clips of {corpus.title}, {len(shared)} shared emotions{left_out}", err=True)
    return kept, shared


def _words(figures: Mapping[str, Any]) -> str:
    filtered, plain = (f"WAR {100 * figures[war]:.2f}, UAR {100 * figures[uar]:.2f}" for war, uar in _PAIRS)
    text = f"{filtered}; without the filter {plain}; {figures['clips']} clips, each predicted once"
    absent = figures["absent"]
    return text + (f"; no clip of {', '.join(absent)}, over which no UAR is taken" if absent else "")


_PAIRS = (("war", "uar"), ("war_unfiltered", "uar_unfiltered"))


def _refuse_own_clips(checkpoint: str, network: CheckedNetwork, corpus: str) -> None:
    """Refuse to test a network on the corpus that it was trained on; warn of related clips.

    Raises:
        NrdferError: it was trained on clips of that corpus.
    """
    from nrdfer.corpora.registry import corpus_of

    trained = _trained_on(network)
    known = {split for each in trained_corpora() for split in each.splits}
    if trained not in known:  # or of another project
        typer.echo("warning: it is not known what this network was trained on; test it on no such clips", err=True)
        return
    own = corpus_of(str(trained))
    if own.name == corpus:
        raise NrdferError(f"{checkpoint} was trained on clips of {own.title}; give --split {trained}, whose test it is")
    related = {own.name, *([corpus_of(own.initial).name] if own.initial else [])}
    if any(name.partition("_")[0] == corpus.partition("_")[0] for name in related):
        title = find_corpus(corpus).title
        typer.echo(f"warning: this network was trained on clips that {title} has, too; figures say little", err=True)


def _trained_on(network: CheckedNetwork) -> str | None:
    """The split that a network was trained on; None if that is not known."""
    from nrdfer.registry import tags
    from nrdfer.training.run_folder import read_settings

    if network.version is None:
        return (read_settings(network.folder) or {}).get("split")
    return network.version.tags.get(tags.FOLD)


def _warn_of_leaks(folder: Path, split: str) -> None:
    from nrdfer.corpora.registry import corpus_of
    from nrdfer.training.run_folder import read_settings

    trained = (read_settings(folder) or {}).get("split", split)
    if trained != split and trained in corpus_of(split).splits:
        warning = one_line(f"warning: the weights are of {trained}, which was trained on test clips of {split}")
        typer.echo(warning, err=True)
