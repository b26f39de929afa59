"""``nrdfer recipes``: the named training recipes, and the choices that the paper leaves open."""

from __future__ import annotations

from typing import Annotated

import typer

from nrdfer.commands.common import readable


@readable
def recipes(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: every field, every choice.")] = False,
) -> None:
    """List the named recipes, and every point the paper leaves open: what was chosen, and why."""
    import json
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    from nrdfer.config.recipe import RECIPES
    from nrdfer.training.open_choices import CHOICES, HEADER, RECIPES_HEADER, choice_row, recipe_row

    if as_json:
        fields = {name: asdict(recipe) for name, recipe in RECIPES.items()}
        left_open = [{**asdict(choice), "chosen": choice.chosen()} for choice in CHOICES]
        typer.echo(json.dumps({"recipes": fields, "left_open": left_open}, indent=1))
        return
    console = Console(width=140)
    for title, header, rows in (
        ("recipes", RECIPES_HEADER, [recipe_row(recipe) for recipe in RECIPES.values()]),
        ("what the paper leaves open of the training", HEADER, [choice_row(choice) for choice in CHOICES]),
    ):
        table = Table(title=title)
        for name in header:
            table.add_column(name)
        for row in rows:
            table.add_row(*(cell.replace("`", "") for cell in row))
        console.print(table)
    console.print("More: docs/training.md", markup=False)
