"""``nrdfer corpus``: the registry's corpora, the rendered sample, and labels alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nrdfer.commands.common import bar, readable
from nrdfer.commands.leaks import corpus_leaks
from nrdfer.commands.own_corpus import corpus_add, corpus_remove
from nrdfer.core.errors import NrdferError
from nrdfer.core.plain_text import one_line
from nrdfer.corpora.registry import CORPORA, find_corpus

corpus_app = typer.Typer(help="Corpora: yours, the rendered sample, and labels.", no_args_is_help=True)
corpus_app.command("add")(corpus_add)
corpus_app.command("remove")(corpus_remove)
corpus_app.command("leaks")(corpus_leaks)


@corpus_app.command("list")
@readable
def corpus_list() -> None:
    """List the corpora of the registry: name, splits, and what a folder of it holds."""
    for known in CORPORA.values():
        typer.echo(f"{known.name:12} {', '.join(known.splits) or 'not trained on':28} {known.holds}")


@corpus_app.command("render")
@readable
def corpus_render(
    out: Annotated[Path, typer.Option(help="Folder to make; holds AFEW, DFEW and ground_truth.jsonl.")],
    corpus: Annotated[
        str | None, typer.Option(help="Render a small copy of another corpus instead, in its own layout.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Everything derives from it.")] = 0,
    dfew_identities: Annotated[int | None, typer.Option(help="Identities in DFEW (a multiple of 5).")] = None,
    n1_rate: Annotated[float | None, typer.Option(help="Share of frames without the target's face.")] = None,
    n2_rate: Annotated[float | None, typer.Option(help="Share of clips that are mostly neutral frames.")] = None,
    amplitude: Annotated[float | None, typer.Option(help="Strength of expressions; smaller is harder.")] = None,
    workers: Annotated[int, typer.Option(help="Processes; never changes the result.")] = 2,
) -> None:
    """Render a corpus of expressive faces in the layouts of AFEW and DFEW, or in that of another corpus."""
    from nrdfer.config.settings import build_settings
    from nrdfer.corpora.synthetic.further import LAYOUTS, render_copy
    from nrdfer.corpora.synthetic.render import CorpusSettings, render_corpus

    if corpus is not None and corpus not in LAYOUTS:
        raise NrdferError(f"--corpus {one_line(corpus)}: there is no copy of it to render; give {', '.join(LAYOUTS)}")

    given = {
        "seed": seed,
        "identities": dfew_identities,
        "n1_rate": n1_rate,
        "n2_rate": n2_rate,
        "amplitude": amplitude,
    }
    settings = build_settings(CorpusSettings, {k: v for k, v in given.items() if v is not None}, "corpus render")
    progress, step = bar("rendering clips")
    with progress:
        if corpus is None:
            render_corpus(out, settings, progress=step, workers=workers)
        else:
            render_copy(corpus, out, settings, progress=step, workers=workers)
    typer.echo(f"corpus in {out}")


@corpus_app.command("sample")
@readable
def corpus_sample() -> None:
    """Render the corpus of the profile 'sample' into this project's folder (immediate if it exists already)."""
    from nrdfer.config.profile import load_profile
    from nrdfer.config.resolve import shipped_profiles
    from nrdfer.preprocessing.corpus_listing import render_sample

    progress, step = bar("rendering the sample corpus")
    with progress:
        folder = render_sample(load_profile(shipped_profiles() / "sample.yaml"), step)
    typer.echo(f"sample corpus in {folder}")


@corpus_app.command("labels")
@readable
def corpus_labels(
    folder: Annotated[Path, typer.Argument(help="Holds label files of corpora, or videos whose names are labels.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object per set of labels.")] = False,
) -> None:
    """Read only the labels, no pictures: clips by split, fold and emotion."""
    import json
    from dataclasses import asdict

    from nrdfer.corpora.summary import read_label_counts, table_of

    sets = read_label_counts(folder)
    if as_json:
        typer.echo(json.dumps([asdict(found) for found in sets], indent=1))
        return
    for found in sets:
        typer.echo(f"{found.corpus.upper()}, {found.format}, {found.folder}: {found.clips} clips")
        typer.echo(table_of(found))


@corpus_app.command("published")
@readable
def corpus_published(
    corpus: Annotated[str, typer.Argument(help="A corpus that the paper does not cover: see `nrdfer corpus list`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object per figure.")] = False,
) -> None:
    """Print published figures of a further corpus, percent, each with its source."""
    import json
    from dataclasses import asdict

    from nrdfer.experiments.published_corpora import figures_of

    figures = figures_of(corpus)
    if as_json:
        typer.echo(json.dumps([asdict(figure) for figure in figures], indent=1))
        return
    for figure in figures:
        typer.echo(f"{figure.method:48} {figure.column:4}{figure.value:6.2f}  {figure.source}")
    if not figures:
        typer.echo(f"no published figure of {find_corpus(corpus).title} is listed beside the paper's tables")
