"""``nrdfer corpus leaks``: test clips that share a picture with a training clip, and the figures without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nrdfer.commands.common import bar, readable
from nrdfer.core.errors import NrdferError
from nrdfer.corpora.registry import find_corpus

if TYPE_CHECKING:
    from nrdfer.config.profile import Profile
    from nrdfer.corpora.base import Corpus
    from nrdfer.evaluation.leaks import Leaks
    from nrdfer.shards.split import Split


@readable
def corpus_leaks(
    corpus: Annotated[str, typer.Argument(help="A corpus with splits: see `nrdfer corpus list`.")],
    split: Annotated[str | None, typer.Option(help="Only this one of its splits.")] = None,
    profile: Annotated[
        str | None, typer.Option(help="Whose shards, folds and evaluations.", envvar="NRDFER_PROFILE")
    ] = None,
    shards: Annotated[Path | None, typer.Option(help="Folder of shards, not those of the profile's last run.")] = None,
    folds: Annotated[Path | None, typer.Option(help="folds.json or its folder, not that of the last run.")] = None,
    evaluation: Annotated[
        Path | None, typer.Option(help="Of --split: a folder of `nrdfer evaluate --out`, not the profile's evaluation.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Threads; they never change the result.")] = 2,
    out: Annotated[Path | None, typer.Option(help="Receives leaks.json: every pair of clips.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: split, its pairs and figures.")] = False,
) -> None:
    """Find test clips that are near-duplicates of training clips, and give WAR with and without them.

    What is found in the shards of the profile's last run is kept, for the report.
    """
    import json

    from nrdfer.core.output_checks import refuse_unwritable
    from nrdfer.core.own_files import refuse_foreign

    known = find_corpus(corpus)
    if not known.splits:
        raise NrdferError(f"{known.name} is not divided into training and test clips; see nrdfer corpus list")
    if split is not None and split not in known.splits:
        raise NrdferError(f"{known.title} has no split {split!r}; it has {', '.join(known.splits)}")
    if evaluation is not None and split is None:
        raise NrdferError("--evaluation is of one split: give --split, too")
    from nrdfer.config.resolve import profile_of_shell
    from nrdfer.core.plain_text import name_text
    from nrdfer.evaluation.checkpoints import METRICS
    from nrdfer.evaluation.leaks import LEAKS, plain, split_in_words

    if evaluation is not None and not (evaluation / METRICS).is_file():
        raise NrdferError(f"{name_text(evaluation)} holds no {METRICS}: give a folder of nrdfer evaluate --out")
    if out is not None:
        refuse_unwritable(out, folder=True)
        refuse_foreign(out / LEAKS)
    base = profile_of_shell(profile)
    found = _found(base, known, split, shards, folds, workers)
    given = {} if evaluation is None else {str(split): evaluation}
    values = plain(found, _figures(base, known, found, given, elsewhere=shards is not None or folds is not None))
    if out is not None:
        from nrdfer.core.own_files import write_made

        out.mkdir(parents=True, exist_ok=True)
        write_made(out / LEAKS, json.dumps(values, indent=1).encode())
    if as_json:
        typer.echo(json.dumps(values, indent=1))
        return
    for name, each in values.items():
        typer.echo(split_in_words(name, each))
    if out is not None:
        typer.echo(f"every pair of clips: {out / LEAKS}")


def _found(
    base: Profile, corpus: Corpus, split: str | None, shards: Path | None, folds: Path | None, workers: int
) -> Sequence[Leaks]:
    """The near-duplicates of the splits; of the profile's own shards they are kept in the store."""
    from nrdfer.evaluation.leaks import find_leaks
    from nrdfer.preprocessing.folds import find_split

    names = corpus.splits if split is None else (split,)
    splits = [find_split(base, name, shards, folds) for name in names]
    if split is None and shards is None and folds is None:
        return _kept(base, corpus, splits, workers)
    display, step = bar("comparing clips", "clips")
    with display:
        return find_leaks(splits, workers=workers, progress=step)


def _kept(base: Profile, corpus: Corpus, splits: Sequence[Split], workers: int) -> Sequence[Leaks]:
    from nrdfer.evaluation.leaks import SETTINGS, find_leaks, plain, read_leaks, rebuilt, write_leaks
    from nrdfer.store import digest_of, project_store
    from nrdfer.store.pointers import last_made, made_with

    name, clips = corpus.asset("near_duplicates"), [[sorted(s.train_ids), sorted(s.test_ids)] for s in splits]
    inputs = {"shards": last_made(base, corpus.asset("shards"), "--shards DIR").digest, "clips": digest_of(clips)}

    def build(folder: Path) -> dict[str, Any]:
        display, step = bar("comparing clips", "clips")
        with display:
            found = find_leaks(splits, workers=workers, progress=step)
        write_leaks(folder, plain(found, {}))
        return {leaks.split: len(leaks.neighbours) for leaks in found}

    artifact = project_store().build(name, code_version="1", config=SETTINGS, inputs=inputs, build=build)
    made_with(base).set(name, artifact)
    return rebuilt(read_leaks(artifact.path))


def _figures(
    base: Profile, corpus: Corpus, found: Sequence[Leaks], given: Mapping[str, Path], *, elsewhere: bool
) -> dict[str, Any]:
    """Figures of each split with and without its leaks, by protocol, as far as its test clips were predicted."""
    from nrdfer.evaluation.leaks import figures_of
    from nrdfer.store.pointers import made_with

    made = (
        {}
        if elsewhere or given
        else {
            leaks.split: artifact.path
            for leaks in found
            if (artifact := made_with(base).get(corpus.asset("evaluation", leaks.split))) is not None
        }
    )
    places = {**made, **given}
    return {leaks.split: figures_of(places[leaks.split], leaks) for leaks in found if leaks.split in places}
