"""``nrdfer results``: the closing table of the last reproduction."""

from __future__ import annotations

from typing import Annotated

import typer

from nrdfer.commands.common import readable
from nrdfer.errors import NrdferError


@readable
def results(
    profile: Annotated[str, typer.Option(help="Profile whose last results to show.")] = "sample",
) -> None:
    """Print the closing table of the last reproduction."""
    import json

    from rich.console import Console
    from rich.table import Table

    from nrdfer import paths
    from nrdfer.pointers import Pointers
    from nrdfer.stages.report import PAGE, RESULTS, closing_rows, comparability
    from nrdfer.store import Store

    store = Store(paths.store_root())
    artifact = Pointers(store, paths.home() / "reports").get(profile)
    if artifact is None:
        raise NrdferError(f"no results of profile {profile!r} yet; run: dagster job execute -j full_reproduction")
    found = json.loads((artifact.path / RESULTS).read_text())
    header, *rows = closing_rows(found)
    table = Table(title=f"profile {profile}: percent; honest = last epoch, paper = best epoch on the test fold")
    for name in header:
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console(width=110)
    console.print(table)
    console.print(comparability(found), markup=False)
    console.print(f"report, for any browser: {artifact.path / PAGE}", soft_wrap=True)
