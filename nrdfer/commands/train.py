"""``nrdfer train``: one training run without Dagster, by the same functions, into a folder of the user's choice."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nrdfer.commands.common import fields_of, readable, training_bar
from nrdfer.core.errors import TrainingStopped
from nrdfer.core.plain_text import name_text, one_line
from nrdfer.corpora.registry import splits_in_words

if TYPE_CHECKING:
    from nrdfer.config.profile import Profile
    from nrdfer.shards.split import Split
    from nrdfer.training.request import TrainingRequest
    from nrdfer.training.torchrun import Team

STOPPED = 143  # what a shell shows of a process that SIGTERM ended
SCRATCH = "none"


@readable
def train(
    split: Annotated[str, typer.Argument(help=f"{splits_in_words()}.")],
    out: Annotated[Path, typer.Option(help="Receives weights, history and settings; in its folder work, checkpoints.")],
    profile: Annotated[str | None, typer.Option(help="Begins with this profile.", envvar="NRDFER_PROFILE")] = None,
    recipe: Annotated[str | None, typer.Option(help="A name of `nrdfer recipes`, not the profile's.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A field of the recipe: lr=0.01, augment.flip=0.")
    ] = None,
    engine: Annotated[list[str] | None, typer.Option(help="How it is computed: workers=4, precision=bf16.")] = None,
    data: Annotated[list[str] | None, typer.Option(help="How shards are read: reader=stream, source=s3://...")] = None,
    model: Annotated[str | None, typer.Option(help="A name of `nrdfer models`, not the profile's.")] = None,
    model_file: Annotated[
        str | None, typer.Option(help="A Python file with a network of your own: my_net.py, or my_net.py:MyNet.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="Of the network: paper, sample...")] = None,
    model_set: Annotated[list[str] | None, typer.Option(help="A setting of the network: temporal_depth=2.")] = None,
    shards: Annotated[Path | None, typer.Option(help="Folder of shards, not those of the profile's last run.")] = None,
    folds: Annotated[Path | None, typer.Option(help="folds.json or its folder, not that of the last run.")] = None,
    initial: Annotated[
        str | None,
        typer.Option(
            help="Trained folder or models:/ address to start from, or none. For afew without it: the profile's fd1."
        ),
    ] = None,
    track: Annotated[bool, typer.Option(help="Show the training in MLflow, too.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON at the end, epochs on stderr.")] = False,
) -> None:
    """Train one split. The same command continues a stopped or killed training, and reports a finished one."""
    import json

    from nrdfer.core.output_checks import refuse_unwritable

    refuse_unwritable(out, folder=True)
    from nrdfer.config.resolve import profile_of_shell
    from nrdfer.config.settings import merge
    from nrdfer.preprocessing.folds import find_split
    from nrdfer.shards.index import INDEX
    from nrdfer.store import file_sha256
    from nrdfer.training import loop, run_folder
    from nrdfer.training.callbacks import TrainingCallbacks
    from nrdfer.training.key import key_of
    from nrdfer.training.request import request_of
    from nrdfer.training.signals import sigterm_interrupts
    from nrdfer.training.torchrun import spread_fields, together

    network = _network(model, model_file)
    base = profile_of_shell(profile)
    computed = base.changed(engine=merge(base.section("engine"), fields_of(engine or [], "--engine"))).engine
    reading = merge(base.section("data"), fields_of(data or [], "--data"))
    elsewhere = bool(base.changed(data=reading).data.source)
    with together(computed) as team:
        found = find_split(base, split, shards, folds, index_only=elsewhere)
        changed = apply_overrides(
            base, found.corpus, recipe, settings or [], engine or [], network, preset, model_set or []
        )
        if data:
            changed = changed.changed(data=reading)
        if team.ranks.world > 1:
            changed = changed.changed(engine=merge(changed.section("engine"), spread_fields(changed.engine)))
        with _initial(base, split, initial) as weights:
            work, results = out / run_folder.WORK, run_folder.results(out)
            request = request_of(changed, found, work, results, initial_weights=weights)
            identity = key_of(request, file_sha256(found.shards / INDEX)).settings()
            if not team.ranks.first:
                _follow(team, request)
                return
            fit = _tracked(found, out, identity) if track else loop.train_fold
            with run_folder.held(out):
                result = run_folder.claim(out, {"split": split, **identity})
                if result is not None:
                    typer.echo(f"{out} is finished; nothing was done", err=True)
                    team.begin(False)
                else:
                    display, step, decoded = training_bar(split)
                    try:
                        with sigterm_interrupts(), display:
                            team.begin()
                            result = fit(
                                request,
                                TrainingCallbacks(
                                    on_epoch=lambda report: typer.echo(epoch_line(vars(report)), err=as_json),
                                    on_batch=step,
                                    on_decoded=decoded,
                                ),
                            )
                    except TrainingStopped as stopped:
                        typer.echo(f"stopped: {stopped}\nthe same command continues: {_line()}", err=True)
                        raise typer.Exit(STOPPED) from stopped
                    except KeyboardInterrupt as interrupt:  # not while it trained: that is saved, and reported above
                        typer.echo(
                            f"stopped; what is finished is kept; the same command continues: {_line()}", err=True
                        )
                        raise typer.Exit(STOPPED) from interrupt
                    except BaseException:
                        run_folder.withdraw(
                            out
                        )  # so that a start that failed does not stand in the way of the corrected line
                        raise
                    _add_preprocessing(changed, results)
                    run_folder.finish(out, result)
                    if track:
                        _log_results(out, result)
    if as_json:
        typer.echo(json.dumps({"split": split, "out": name_text(out), **result}, indent=1))
        return
    last, best = result["last"], result["best"]
    typer.echo(f"{out}: {result['epochs']} epochs")
    typer.echo(f"honest protocol, last epoch:                {epoch_line(last)}")
    typer.echo(f"paper protocol, best epoch on the test fold: {epoch_line(best)}")
    if "validated" in result:
        typer.echo(f"validated protocol, best on held-out clips:  {epoch_line(result['validated'])}")


def _add_preprocessing(profile: Profile, results: Path) -> None:
    """Write how the profile turns videos into crops beside the weights, so that the folder predicts anywhere."""
    import dataclasses

    from nrdfer.core.errors import NrdferError
    from nrdfer.preprocessing.spec import FILE, Preprocessing

    local = dataclasses.replace(profile.weights, allow_download=False)
    try:
        Preprocessing.of_profile(dataclasses.replace(profile, weights=local)).write(results / FILE)
    except NrdferError as error:  # no detector is needed to train on shards
        typer.echo(
            one_line(
                f"note: the folder does not say how videos are prepared for this network: {error}. Its predictions "
                f"use the profile of the shell then"
            ),
            err=True,
        )


def _follow(team: Team, request: TrainingRequest) -> None:
    """Train with the first process, if it has something to train; it reports."""
    from nrdfer.training import loop
    from nrdfer.training.signals import sigterm_interrupts

    try:
        with sigterm_interrupts():
            if team.begin():
                loop.train(request)
    except (TrainingStopped, KeyboardInterrupt) as stopped:
        raise typer.Exit(STOPPED) from stopped


def _network(model: str | None, model_file: str | None) -> str | None:
    """The network that the options name.

    Raises:
        ProfileError: they name two, or something else than a file.
    """
    if model_file is None:
        return model
    from nrdfer.core.errors import ProfileError
    from nrdfer.models.network_file import split_reference

    if model is not None:
        raise ProfileError("--model names a network of `nrdfer models`, --model-file one of your own; give one of both")
    if split_reference(model_file) is None:
        raise ProfileError(
            f"--model-file {one_line(model_file)}: give a Python file, my_net.py, or, of one that holds several "
            "networks, my_net.py:MyNet"
        )
    return model_file


def _tracked(split: Split, out: Path, settings: Mapping[str, Any]) -> Callable[..., dict[str, Any]]:
    """`train_fold` under MLflow; a command that continues a training continues its run."""
    import functools

    from nrdfer.store import digest_of
    from nrdfer.tracking.client import Tracking
    from nrdfer.tracking.dataset_inputs import datasets_of
    from nrdfer.tracking.log_uploader import RunFacts, training_name
    from nrdfer.training.loop import train_tracked

    folder = name_text(out.absolute())
    digest = digest_of([settings, folder])
    facts = RunFacts(
        digest,
        f"{training_name(split)} in {name_text(out.name)}",
        tags={"nrdfer.folder": folder},
        params=settings,
        datasets=datasets_of(split, settings["shards"]),
    )
    return functools.partial(train_tracked, tracking=Tracking(), facts=facts)


def _log_results(out: Path, result: Mapping[str, Any]) -> None:
    """Log a finished training's files to its MLflow run; that MLflow does not take them is no failure."""
    from nrdfer.core.redaction import hide
    from nrdfer.tracking.client import Tracking
    from nrdfer.tracking.timeouts import brief_requests
    from nrdfer.training import run_folder

    run_id = result.get("mlflow_run_id")
    if not run_id:  # the server was away, which was said
        return
    try:
        with brief_requests():
            client = Tracking().client
            for path in sorted(out / name for name in run_folder.RESULTS if (out / name).is_file()):
                client.log_artifact(run_id, str(path), "training")
    except Exception as error:  # of any kind, as of a proxy's page
        typer.echo(
            hide(f"{out} is complete, but MLflow did not take its files: {one_line(str(error)[:200])}"), err=True
        )


def apply_overrides(
    profile: Profile,
    corpus: str,
    recipe: str | None,
    settings: Sequence[str],
    engine: Sequence[str],
    model: str | None,
    preset: str | None,
    model_set: Sequence[str],
) -> Profile:
    """A profile with the options of ``nrdfer train`` laid over its recipe, engine and network.

    Raises:
        ProfileError: an option cannot be read, or names what the profile does not know.
    """
    from nrdfer.config.settings import merge
    from nrdfer.corpora.registry import find_corpus

    same = model in (None, profile.model) and preset in (None, profile.model_preset)
    network = profile.model_settings if same else {}  # settings of another network mean nothing
    fields = fields_of(settings, "--set")
    return profile.changed(
        engine=merge(profile.section("engine"), fields_of(engine, "--engine")),
        model=model or profile.model,
        model_preset=preset or profile.model_preset,
        model_settings=merge(network, fields_of(model_set, "--model-set")),
    ).change_recipe(
        corpus,
        {"name": recipe, **fields} if recipe else fields,
        anew=recipe is not None,
        default=find_corpus(corpus).recipe,
    )


@contextlib.contextmanager
def _initial(profile: Profile, split: str, given: str | None) -> Iterator[Path | None]:
    """The initial weights, available as long as they may be read: each process of a training reads them."""
    from nrdfer.corpora.registry import corpus_of, initial_of
    from nrdfer.registry import checked_weights
    from nrdfer.store.pointers import last_made

    before = initial_of(profile, corpus_of(split))
    if given is None and before is not None:  # as the paper does, and the graph
        made = corpus_of(before).asset("checkpoint", before)
        given = str(last_made(profile, made, f"--initial DIR (--initial {SCRATCH}: from scratch)").path)
    if given in (None, SCRATCH):
        yield None
        return
    with checked_weights(str(given)) as network:
        yield network.weights


def epoch_line(row: Mapping[str, Any]) -> str:
    """One epoch's figures as text; WAR and UAR in percent."""
    war, plain, uar = (100 * row[f"test_{name}"] for name in ("war", "war_unfiltered", "uar"))
    figures = f"WAR {war:.2f} (without the filter {plain:.2f})  UAR {uar:.2f}"
    return f"epoch {row['epoch']:3}  loss {row['train_loss']:.4f}  {figures}"


def _line() -> str:
    import shlex

    from nrdfer.training.torchrun import by_torchrun

    program = "torchrun ... -m nrdfer.cli" if by_torchrun() else shlex.quote(Path(sys.argv[0]).name)
    return f"{program} {shlex.join(sys.argv[1:])}"
