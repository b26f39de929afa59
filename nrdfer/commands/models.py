"""``nrdfer models`` and ``nrdfer export``: the networks, what they cost, and a trained one as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nrdfer.commands.common import readable, refuse_no_model


@readable
def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object per network.")] = False,
) -> None:
    """List every network: parameters, and multiply-adds per clip, exact and as published figures count them."""
    import json
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    from nrdfer.models.cost_table import HEADER, cost_row, shipped_costs

    costs = shipped_costs()
    if as_json:
        typer.echo(json.dumps([asdict(cost) for cost in costs], indent=1))
        return
    table = Table(title="multiply-adds of one clip, in G (1e9)")
    for number, name in enumerate(HEADER):
        table.add_column(name, justify="left" if number < 2 else "right", no_wrap=number < 2)
    for cost in costs:
        table.add_row(*cost_row(cost))
    console = Console(width=120)
    console.print(table)
    for note in sorted({f"{cost.title}: {cost.note}" for cost in costs if cost.note}):
        console.print(note, markup=False)
    console.print("How the two countings differ: docs/models.md", markup=False)


@readable
def export(
    out: Annotated[Path, typer.Argument(help="File to write: ends in .onnx or .pt2 (PyTorch).")],
    model: Annotated[
        str, typer.Option(help="A registered model's address, or a folder with model.json and last.safetensors.")
    ] = "models:/nr-dfernet-dfew@champion",
) -> None:
    """Export a trained network as one file that needs none of this project's code."""
    from nrdfer.core.output_checks import refuse_unwritable
    from nrdfer.core.own_files import refuse_foreign

    refuse_unwritable(out, folder=False)
    refuse_foreign(out)
    refuse_no_model(model)
    from nrdfer.models.export import OUTPUTS, check_target, export_network
    from nrdfer.models.saved_model import load_model
    from nrdfer.registry import checked_weights

    check_target(out)
    with checked_weights(model) as files:
        network = load_model(*files)
    export_network(network, out)
    s = network.settings
    shape = f"(B, {s.frames}, 3, {s.image_size}, {s.image_size})"
    typer.echo(f"{out}: clips {shape}, float32, RGB, 0 to 1 -> {', '.join(OUTPUTS)}")
