"""The command line ``nrdfer``: thin commands over the library; each prints errors in one message and exits with 1.

Add a command here when it is one call of the library. Keep out: the work, and imports that a user pays for when
asking for ``--help``.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from nrdfer.errors import NrdferError

app = typer.Typer(help="NR-DFERNet, from raw video to registered model.", no_args_is_help=True)
corpus_app = typer.Typer(help="Corpora: the rendered sample.", no_args_is_help=True)
app.add_typer(corpus_app, name="corpus")
F = TypeVar("F", bound=Callable[..., Any])


def readable(command: F) -> F:
    """Show this project's errors as one message, not as a traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except NrdferError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from error

    return wrapped  # type: ignore[return-value]


def bar(label: str) -> tuple[Any, Callable[[int, int], None]]:
    """A progress bar and the callback that moves it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    progress = Progress(
        TextColumn(label),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        disable=not sys.stderr.isatty(),
    )
    task = progress.add_task(label, total=None)
    return progress, lambda done, total: progress.update(task, completed=done, total=total)


@corpus_app.command("render")
@readable
def corpus_render(
    out: Annotated[Path, typer.Option(help="Folder to make; holds AFEW, DFEW and ground_truth.jsonl.")],
    seed: Annotated[int, typer.Option(help="Everything derives from it.")] = 0,
    dfew_identities: Annotated[int | None, typer.Option(help="Identities in DFEW (a multiple of 5).")] = None,
    n1_rate: Annotated[float | None, typer.Option(help="Share of frames without the target's face.")] = None,
    n2_rate: Annotated[float | None, typer.Option(help="Share of clips that are mostly neutral frames.")] = None,
    amplitude: Annotated[float | None, typer.Option(help="Strength of expressions; smaller is harder.")] = None,
    workers: Annotated[int, typer.Option(help="Processes; never changes the result.")] = 2,
) -> None:
    """Render a corpus of expressive faces in the layouts of AFEW and DFEW."""
    from nrdfer.config import build_settings
    from nrdfer.corpora.synthetic.render import CorpusSettings, render_corpus

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
        render_corpus(out, settings, progress=step, workers=workers)
    typer.echo(f"corpus in {out}")


@corpus_app.command("sample")
@readable
def corpus_sample() -> None:
    """Render the corpus of the profile 'sample' into this project's folder (at once if it is there)."""
    from nrdfer.config import load_profile
    from nrdfer.stages.sources import render_sample

    progress, step = bar("rendering the sample corpus")
    with progress:
        folder = render_sample(load_profile(_profile_path("sample")), step)
    typer.echo(f"sample corpus in {folder}")


@corpus_app.command("labels")
@readable
def corpus_labels(
    folder: Annotated[Path, typer.Argument(help="Holds label files of DFEW or AFEW, or AFEW's class folders.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a set of labels.")] = False,
) -> None:
    """Read labels alone, no pictures: clips by split, fold and emotion."""
    import json
    from dataclasses import asdict

    from nrdfer.corpora.summary import read_label_sets, table_of

    sets = read_label_sets(folder)
    if as_json:
        typer.echo(json.dumps([asdict(found) for found in sets], indent=1))
        return
    for found in sets:
        typer.echo(f"{found.corpus.upper()}, {found.format}, {found.folder}: {found.clips} clips")
        typer.echo(table_of(found))


def _profile_path(name: str) -> Path:
    # The profiles belong to the room above; its place is known without importing it.
    from importlib.util import find_spec

    spec = find_spec("pipelines")
    if spec is None or not spec.submodule_search_locations:
        raise NrdferError("the package 'pipelines', which holds the profiles, is not installed; run: make install")
    return Path(next(iter(spec.submodule_search_locations))) / "profiles" / f"{name}.yaml"


@app.command()
@readable
def preprocess(
    videos: Annotated[list[Path], typer.Argument(help="Videos, or folders that hold videos.")],
    out: Annotated[Path, typer.Option(help="Receives aligned crops and one contact sheet a clip.")],
    retinaface: Annotated[
        str,
        typer.Option(
            help="A weights file; or retinaface-resnet50, retinaface-mobilenet0.25 (looked for in NRDFER_WEIGHTS, then "
            "on the hub); or sample, the shipped one, which has seen rendered faces only."
        ),
    ] = "sample",
    convention: Annotated[
        str | None,
        typer.Option(help="Input convention of unknown weights: pytorch_retinaface, retinaface_pytorch."),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write one record a clip to this file.")] = None,
    margin: Annotated[float | None, typer.Option(help="How much more than the face a crop shows; 0 = tight.")] = None,
    max_side: Annotated[int | None, typer.Option(help="Longest side the detector sees, pixels.")] = None,
    workers: Annotated[int, typer.Option(help="Processes.")] = 2,
) -> None:
    """Decode, detect, choose the target face and align: aligned crops of any videos."""
    from nrdfer.config import WeightsConfig, build_settings
    from nrdfer.preprocess import AlignSettings, preprocess_videos
    from nrdfer.stages.weights import network_weights

    given = {"margin": margin, "max_side": max_side}
    settings = build_settings(AlignSettings, {k: v for k, v in given.items() if v is not None}, "preprocess")
    weights = network_weights("retinaface", WeightsConfig(retinaface, folder=os.environ.get("NRDFER_WEIGHTS")))
    if retinaface == "sample":
        typer.echo(
            "note: the shipped detector has seen rendered faces only; for real video give --retinaface "
            "retinaface-resnet50 (or retinaface-mobilenet0.25, faster), or the path of such a file",
            err=True,
        )
    progress, step = bar("clips")
    with progress:
        summaries = preprocess_videos(
            videos,
            weights,
            settings,
            out,
            convention=convention,
            json_path=json_file,
            progress=step,
            workers=workers,
        )
    for row in summaries:
        reason = f"  ({row.reason})" if row.reason else ""
        typer.echo(f"{row.status:10} {row.frames_with_face:5}/{row.frames:<5} frames with a face  {row.clip}{reason}")


@app.command()
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
    from nrdfer.stages.report import REPORT, RESULTS, closing_rows, comparability
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
    console.print(f"report: {artifact.path / REPORT}", soft_wrap=True)


@app.command()
@readable
def doctor(
    dfew: Annotated[Path | None, typer.Option(help="Your DFEW folder.", envvar="NRDFER_DFEW_ROOT")] = None,
    afew: Annotated[Path | None, typer.Option(help="Your AFEW folder.", envvar="NRDFER_AFEW_ROOT")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a corpus.")] = False,
) -> None:
    """Look at your copies of DFEW and AFEW: what is there, and why numbers differ from the published ones."""
    import json
    from dataclasses import asdict

    from nrdfer.corpora.doctor import examine_afew, examine_dfew

    looks = [examine(root) for examine, root in ((examine_dfew, dfew), (examine_afew, afew)) if root is not None]
    if not looks:
        raise NrdferError("nothing to look at: give --dfew and --afew, or set NRDFER_DFEW_ROOT and NRDFER_AFEW_ROOT")
    if as_json:
        typer.echo(json.dumps([{**asdict(look), "usable": look.usable} for look in looks], indent=1))
    for look in looks if not as_json else []:
        typer.echo(f"{look.corpus.upper()} in {look.root}")
        for finding in look.findings:
            typer.echo(f"  {finding.level:8} {finding.text}")
    if not all(look.usable for look in looks):
        raise typer.Exit(1)


@app.command()
@readable
def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a network.")] = False,
) -> None:
    """List every network: parameters, and multiply-adds a clip as they are and as they were published."""
    import json
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    from nrdfer.models.costs import HEADER, cost_row, measure_all

    costs = list(measure_all())
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


@app.command()
@readable
def export(
    out: Annotated[Path, typer.Argument(help="File to write: ends in .onnx or .pt2 (PyTorch).")],
    model: Annotated[
        str, typer.Option(help="A registered model's address, or a folder with model.json and last.safetensors.")
    ] = "models:/nr-dfernet-dfew@champion",
) -> None:
    """Write a trained network as one file that needs none of this project's code."""
    from nrdfer.evaluation.evaluate import load_model
    from nrdfer.export import OUTPUTS, export_network
    from nrdfer.registry import find_weights

    network = load_model(*find_weights(model))
    export_network(network, out)
    s = network.settings
    shape = f"(B, {s.frames}, 3, {s.image_size}, {s.image_size})"
    typer.echo(f"{out}: clips {shape}, float32, RGB, 0 to 1 -> {', '.join(OUTPUTS)}")


if __name__ == "__main__":
    app()
