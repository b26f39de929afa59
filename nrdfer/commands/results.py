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
) -> None:
    """Print the closing table of the last reproduction."""
    from nrdfer.reporting.results import last_results

    print_results(last_results(profile))


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
