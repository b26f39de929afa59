"""``nrdfer models`` and ``nrdfer export``: the networks, what they cost, and a trained one as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nrdfer.commands.common import readable, refuse_no_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nrdfer.models.costs import OtherNetwork
    from nrdfer.models.entry import Entry


@readable
def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object per network.")] = False,
    model_file: Annotated[
        list[str] | None,
        typer.Option(
            help="A network of your own, my_net.py or my_net.py:MyNet, or a trained model (folder or models:/ address) "
            "whose file you have read: its code is run, and may be run here from now on."
        ),
    ] = None,
) -> None:
    """List every network: parameters, and multiply-adds per clip, exact and as published figures count them."""
    import json
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    from nrdfer.core.plugins import NETWORKS, find_plugins
    from nrdfer.models.cost_table import HEADER, cost_row, shipped_costs
    from nrdfer.models.names import TITLES

    costs = shipped_costs()
    others: Sequence[OtherNetwork] = ()
    found = find_plugins(NETWORKS, TITLES)
    if model_file or found.plugins or found.problems:  # only these are counted now, which takes torch
        from nrdfer.models.costs import measure_others

        others = measure_others([_entry(given) for given in model_file or ()])
    if as_json:
        rows = [asdict(cost) | {"source": "nrdfer"} for cost in costs]
        for other in others:
            rows.append(
                asdict(other.cost) | {"source": other.source}
                if other.cost
                else {"name": other.name, "source": other.source, "problem": other.problem}
            )
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table(title="multiply-adds of one clip, in G (1e9)")
    for number, name in enumerate(HEADER):
        table.add_column(name, justify="left" if number < 2 else "right", no_wrap=number < 2)
    for cost in (*costs, *(other.cost for other in others if other.cost)):
        table.add_row(*cost_row(cost))
    console = Console(width=120)
    console.print(table)
    for note in sorted({f"{cost.title}: {cost.note}" for cost in costs if cost.note}):
        console.print(note, markup=False)
    for other in others:
        console.print(": ".join(filter(None, (other.name, other.source, other.problem))), markup=False)
    console.print("How the two countings differ: docs/models.md", markup=False)


def _entry(given: str) -> Entry:
    """The network of ``--model-file``: of a file, or of the file that is stored with a trained model."""
    from nrdfer.models.network_file import allow_stored, split_reference
    from nrdfer.models.registry import find_model, find_recorded
    from nrdfer.models.saved_model import read_identity
    from nrdfer.registry import checked_weights

    if split_reference(given) is not None:
        return find_model(given)
    with checked_weights(given) as network:
        name, code = read_identity(network.description)
        allow_stored(network.folder, code)
        return find_recorded(name, code)


@readable
def export(
    out: Annotated[Path, typer.Argument(help="File to write: ends in .onnx or .pt2 (PyTorch).")],
    model: Annotated[
        str, typer.Option(help="A registered model's address, or a folder with model.json and last.safetensors.")
    ] = "models:/nr-dfernet-dfew@champion",
    check: Annotated[
        bool, typer.Option("--check", help="Compare the file's answers with the network's before it gets its name.")
    ] = False,
    clips: Annotated[
        Path | None,
        typer.Option(help="Clips to compare them on, .npy (B, T, 3, H, W), 0 to 1 or uint8; without it, random ones."),
    ] = None,
) -> None:
    """Export a trained network as one file that needs none of this project's code, with its labels and input size."""
    from nrdfer.core.errors import NrdferError
    from nrdfer.core.output_checks import refuse_unwritable
    from nrdfer.core.own_files import refuse_foreign

    refuse_unwritable(out, folder=False)
    refuse_foreign(out)
    refuse_no_model(model)
    if clips is not None and not check:
        raise NrdferError("--clips are those on which --check compares answers; give both")
    from nrdfer.models.export import OUTPUTS, check_target, export_network
    from nrdfer.models.export_check import Agreement, compare, random_clips, read_clips
    from nrdfer.models.export_metadata import metadata
    from nrdfer.models.saved_model import load_model, read_identity, read_sampling
    from nrdfer.registry import checked_weights
    from nrdfer.store import file_sha256

    check_target(out)
    with checked_weights(model) as files:
        network = load_model(files.description, files.weights)
        origin = f"{_public(model)}weights with sha256 {file_sha256(files.weights)}"
        name, sampling = read_identity(files.description)[0], read_sampling(files.description)
        about = metadata(network.settings, name, sampling, origin)
    s, found = network.settings, list[Agreement]()
    asked = None if not check else random_clips(s) if clips is None else read_clips(clips, s)

    def check_file(fresh: Path) -> None:
        if asked is not None:
            found.append(compare(network, fresh, asked))
            if not found[0].whole:
                raise NrdferError(f"{out} was not written, as it answers otherwise than the network: {found[0]}")

    export_network(network, out, about, check_file)
    typer.echo(f"{out}: clips {about['shape']}, float32, RGB, 0 to 1 -> {', '.join(OUTPUTS)}")
    typer.echo(f"emotions: {', '.join(s.emotions)}")
    if found:
        typer.echo(f"check, {'random' if clips is None else 'given'} clips: {found[0]}")


def _public(model: str) -> str:
    """A model's address for a file that may be given to others; not a folder of this machine."""
    return f"{model}, " if model.startswith(("models:", "hf://")) else ""
