"""``nrdfer corpus add`` and ``remove``: a user's own labelled clips under a name, for all commands and jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nrdfer.commands.common import readable
from nrdfer.core.errors import CorpusError, NrdferError
from nrdfer.core.plain_text import one_line


@readable
def corpus_add(
    name: Annotated[str, typer.Argument(help="Small letters, digits and _: part of names of assets and models.")],
    csv: Annotated[
        Path | None, typer.Option(help="Table: columns video or frames, label; split, fold, person.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Instead of a table: a folder that holds a folder a label.")
    ] = None,
    root: Annotated[Path | None, typer.Option(help="That the table's paths start from; by default its folder.")] = None,
    strip: Annotated[str, typer.Option(help="Beginning of the table's paths to leave out (another machine's).")] = "",
    label: Annotated[list[str] | None, typer.Option(help="OLD=NEW: another name for a label; may merge two.")] = None,
    folds: Annotated[int, typer.Option(help="Folds to draw, where the table has neither split nor fold.")] = 5,
    test: Annotated[str | None, typer.Option(help="The part that tests, of train, val and test.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of a corpus added before.")] = False,
) -> None:
    """Add your own labelled videos, or folders of face pictures, as a corpus of this project; nothing is copied."""
    from nrdfer.corpora import own_checks, own_corpus, own_labels
    from nrdfer.corpora.own_division import divide

    _refuse_name(name, replace=replace)
    if (csv is None) == (folder is None):
        raise NrdferError("give either --csv, a table of clips, or --folder, a folder that holds a folder a label")
    rows = own_labels.read_folders(folder) if folder is not None else own_labels.read_table(Path(str(csv)), root, strip)
    known = sorted({row.label for row in rows}, key=len, reverse=True)
    rows = own_labels.renamed(rows, dict(_new_name(given, known) for given in label or []))
    if test is not None:
        if test not in (own_labels.VAL, own_labels.TEST) or not any(row.split for row in rows):
            raise NrdferError(f"--test {one_line(test)}: give val or test, for a table with a column split")
        rows, others = own_labels.kept(rows, lambda row: row.split in (own_labels.TRAIN, test, ""))
        if others:
            typer.echo(f"{others} clips of other parts than train and {one_line(test)} are left out")
    absent = own_checks.missing(rows)
    rows, _ = own_labels.kept(rows, lambda row: row.exists)
    emotions = own_checks.check_labels(rows)
    count, tested = divide(rows, folds, test or own_labels.TEST)
    warnings = own_checks.warnings(rows, emotions, count, tested)
    if absent:
        example = f"{absent[0].where}: {one_line(str(absent[0].path))}"
        warnings.insert(0, f"{len(absent)} clips are not there and left out, e.g. {example}")
    corpus = own_corpus.define(name, emotions, rows, count, tested)
    kind = "videos" if corpus.videos else "clips of face pictures"
    typer.echo(f"{name}: {len(rows):,} {kind}, {len(emotions)} labels, {count} {'fold' if count == 1 else 'folds'}")
    typer.echo(own_checks.counts(rows, emotions, count, tested))
    for text in warnings:
        typer.echo(f"warning: {text}")
    typer.echo(f"trainings: {', '.join(corpus.splits)}; defined in {own_corpus.folder_of(name)}")


@readable
def corpus_remove(
    name: Annotated[str, typer.Argument(help="Of a corpus that was added.")],
) -> None:
    """Forget a corpus that was added: its definition only; clips, trained models and all that was made stay."""
    from nrdfer.corpora.own_corpus import check_name, forget

    try:
        check_name(name)
        there = forget(name)
    except ValueError:
        there = False
    if not there:
        raise CorpusError(f"no corpus {one_line(name)!r} was added to this project; `nrdfer corpus list` shows all")
    typer.echo(f"{name} is forgotten; its clips and all that was made of them are where they were")


def _new_name(text: str, labels: list[str]) -> tuple[str, str]:
    """Old and new name of a label; a label may hold the sign between them."""
    for label in labels:
        if text.startswith(f"{label}=") and text[len(label) + 1 :].strip():
            return label, text[len(label) + 1 :].strip()
    old, sign, new = text.partition("=")
    if not sign or not old.strip() or not new.strip():
        raise NrdferError(f"--label {one_line(text[:80])}: give the old and the new name, --label OLD=NEW")
    return old.strip(), new.strip()


def _refuse_name(name: str, *, replace: bool) -> None:
    """Refuse a name that another corpus or one of its trainings has."""
    from nrdfer.corpora.own_corpus import RESERVED, OwnCorpus, check_name, own_corpora
    from nrdfer.corpora.own_labels import MOST_FOLDS
    from nrdfer.corpora.registry import CORPORA

    try:
        check_name(name)
    except ValueError as error:
        raise NrdferError(str(error)) from error
    if not replace and name in {corpus.name for corpus in own_corpora()}:
        raise CorpusError(f"a corpus {name} was added before; give it another name, or --replace")
    others = [known for known in CORPORA.values() if not (isinstance(known, OwnCorpus) and known.name == name)]
    taken = dict.fromkeys(RESERVED, "other assets")
    taken |= {word: known.title for known in others for word in (known.name, *known.splits)}
    for word in (name, *(f"{name}{k}" for k in range(1, MOST_FOLDS + 1))):
        if word in taken:
            raise CorpusError(f"{word} is a name of {taken[word]}; give your corpus another name than {name}")
