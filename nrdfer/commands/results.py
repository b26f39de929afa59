"""``nrdfer results``: the closing table of the last reproduction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nrdfer.commands.common import readable

if TYPE_CHECKING:
    from nrdfer.reporting.results import Last


@readable
def results(
    profile: Annotated[
        str | None, typer.Option(help="Profile whose last results to show, not the shell's.", envvar="NRDFER_PROFILE")
    ] = None,
    card: Annotated[
        bool,
        typer.Option("--card", help="Each fold's last and best epoch, published means, and every epoch's log."),
    ] = False,
) -> None:
    """Print the closing table of the last reproduction."""
    from nrdfer.reporting.results import last_results

    found = last_results(profile)
    if card:
        print_card(found)
        return
    print_results(found)


def print_card(found: Last) -> None:
    """Print the reproduction card: what each fold shows, and what choosing the epoch on test clips adds."""
    from nrdfer.core.plain_text import one_line
    from nrdfer.reporting.card import NOTE, TITLE, card_of
    from nrdfer.reporting.results import evaluations_behind
    from nrdfer.reporting.table_layout import number
    from nrdfer.store import project_store

    store = project_store()
    settings = found.figures.get("settings", {})
    rows = card_of(found.figures, evaluations_behind(found, store), str(settings.get("model", "")))
    typer.echo(f"{TITLE}, profile {one_line(str(found.figures['profile']))}: percent, with the filter")
    columns = [
        f"{measure} {what}" for measure in ("WAR", "UAR") for what in ("last", "best", "published", "best - last")
    ]
    lines = [["", "best epoch", *columns]]
    for row in rows:
        figures = [
            *map(number, (row.war_last, row.war_best, row.war_published)), number(row.best_minus_last[0], signed=True),
            *map(number, (row.uar_last, row.uar_best, row.uar_published)), number(row.best_minus_last[1], signed=True),
        ]  # fmt: skip
        epoch = "" if row.best_epoch is None else f"{row.best_epoch} of {row.epochs}"
        lines.append([row.name, epoch, *figures])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))
        typer.echo("  ".join((line[0].ljust(widths[0]), *cells)).rstrip())
    typer.echo(NOTE)
    typer.echo("every epoch:")
    for row in rows:
        if row.log:
            typer.echo(f"  {row.name}: {store.root / row.log}")


def print_results(found: Last) -> None:
    """Print a closing table, what may be compared with it, and where its report is."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from nrdfer.core.plain_text import one_line
    from nrdfer.reporting.build import PAGE
    from nrdfer.reporting.results import closing_rows, comparability

    header, *rows = closing_rows(found.figures)
    name = one_line(str(found.figures["profile"]))
    meaning = "honest = last epoch, paper = best epoch on the test fold"
    if any("validated" in column for column in header):
        meaning += ", validated = best on held-out training clips"
    table = Table(title=Text(f"profile {name}: percent; {meaning}"))
    for column in header:
        table.add_column(column, justify="left" if not column else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(width=110)
    console.print(table)
    console.print(comparability(found.figures), markup=False)
    place = f"report, for any browser: {found.report / PAGE}" if found.report else f"no report to open: {found.note}"
    console.print(place, soft_wrap=True, markup=False)
