"""``nrdfer predict``: emotions of any videos."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nrdfer.commands.common import bar, listed_videos, readable, refuse_no_model
from nrdfer.core.errors import ProfileError
from nrdfer.core.plain_text import one_line

if TYPE_CHECKING:
    from nrdfer.predict.model import TrainedModel
    from nrdfer.predict.rows import Row
    from nrdfer.preprocessing.spec import Preprocessing

_HEADER = (
    f"{'':13}  {'emotion':14}  {'prob.':>6}  {'of time':>7}  {'unsure':>6}  {'frames with face':>16}  {'people':>6}  "
    f"{'s per s':>7}  video"
)


@readable
def predict(
    videos: Annotated[list[Path], typer.Argument(help="Videos, or folders that hold videos.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="A registered version (models:/NAME@ALIAS, models:/NAME/VERSION), a folder, hf://OWNER/NAME@REVISION, "
            "or sample. Without it: the registry's champion; if there is none, sample, which ships with nrdfer."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Receives a folder per video, and the table of all.")] = Path("predictions"),
    window: Annotated[float | None, typer.Option(help="Length of a window of the timeline, seconds.")] = None,
    stride: Annotated[float | None, typer.Option(help="From one window to the next, seconds.")] = None,
    least_face: Annotated[
        float | None, typer.Option(help="Least share of a window's frames that show the face, or it gets no answer.")
    ] = None,
    least_share: Annotated[
        float | None,
        typer.Option(help="Least share of a video's frames that show the person, or the whole gets no answer."),
    ] = None,
    people: Annotated[
        str, typer.Option(help="Who is predicted: all, main (the target alone), or the N most important people.")
    ] = "all",
    answer: Annotated[
        str,
        typer.Option(
            help="What a whole video's emotion is: windows (the one shown longest in the windows that show the face), "
            "or clip (one clip of frames sampled from the whole video, as in the paper)."
        ),
    ] = "windows",
    video: Annotated[bool, typer.Option("--video/--no-video", help="Write the annotated video.")] = True,
    retinaface: Annotated[
        str | None,
        typer.Option(
            help="Instead of the training's detector: a weights file, or retinaface-resnet50, "
            "retinaface-mobilenet0.25, sample."
        ),
    ] = None,
    convention: Annotated[
        str | None,
        typer.Option(help="Input convention of unknown weights: pytorch_retinaface, retinaface_pytorch."),
    ] = None,
    detector: Annotated[
        str | None, typer.Option(help="Instead of the training's: retinaface, or one of another package, by name.")
    ] = None,
    enhance: Annotated[
        str | None, typer.Option(help="Instead of the training's brightening: none, crop or frame.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Which person of several: presence, longest, largest or central.")
    ] = None,
    max_side: Annotated[int | None, typer.Option(help="Longest side the detector sees, pixels.")] = None,
    min_track: Annotated[int | None, typer.Option(help="Minimum number of frames of a target's track.")] = None,
    every: Annotated[int | None, typer.Option(help="Search whole frames every N frames; 1 = all.")] = None,
    tiles: Annotated[
        bool, typer.Option("--tiles", help="Search whole frames in parts at full size, too: small and far faces.")
    ] = False,
    embedding: Annotated[
        Path | None,
        typer.Option(help="ONNX network for face recognition, by which people are recognised in other shots."),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    workers: Annotated[int, typer.Option(min=1, help="Processes, one core each.")] = 1,
) -> None:
    """Predict emotions of videos as the model was trained: probabilities, a timeline, attention, pictures.

    Ends with status 1 if no video at all could be read.
    """
    from nrdfer.config.settings import build_settings
    from nrdfer.predict.asked import checked_answer, checked_people
    from nrdfer.predict.places import refuse_places
    from nrdfer.predict.windows import WindowSettings

    given = {"window": window, "stride": stride, "least_face": least_face, "least_share": least_share}
    if window is not None and stride is None:
        given["stride"] = min(window, WindowSettings().stride)
    windows = build_settings(WindowSettings, _set(given), "predict")
    try:
        wanted, kind = checked_people(people), checked_answer(answer)
    except ValueError as error:
        raise ProfileError(f"predict: {error}") from error
    if convention is not None and retinaface is None:
        raise ProfileError("--convention describes the input of the weights of --retinaface; give both")
    listed_videos(videos)
    refuse_places(videos, out)
    if model is not None:
        refuse_no_model(model)
        if model.startswith("models:"):
            typer.echo(f"looking up {model} in MLflow", err=True)
    from nrdfer.predict.batch import predict_videos
    from nrdfer.predict.choose import choose_detector, choose_model
    from nrdfer.predict.crops import Cropper
    from nrdfer.predict.model import open_model
    from nrdfer.predict.predictor import Predictor
    from nrdfer.predict.video_output import Work

    chosen = choose_model(model)
    typer.echo(one_line(f"model: {chosen.address} ({chosen.reason})"), err=True)
    trained = open_model(chosen.address)
    typer.echo(one_line(f"note: answers come from {trained.caption}"), err=True)
    if retinaface is None and detector is None:
        retinaface = choose_detector(trained)
    align = _set({"target": target, "max_side": max_side, "min_track": min_track, "every": every, "detector": detector})
    used, overrides = trained.preprocessing.overridden(
        retinaface=retinaface, convention=convention, enhance=enhance, **align
    )
    for note in _notes(trained, used, overrides):
        typer.echo(one_line(f"note: {note}"), err=True)
    cropper = Cropper.load(used, device=device, tiles=tiles, embedding=embedding)
    predictor = Predictor(trained, cropper, windows, device=device, people=wanted, answer=kind)
    progress, step = bar("videos")
    say = _printer()
    say(_HEADER)
    with progress:
        rows = predict_videos(
            videos,
            Work(predictor, out, overrides, annotate=video),
            on_row=lambda row: say(_line(row)),
            progress=step,
            workers=workers,
        )
    say(_summary(rows, out))
    if not any(row.answered for row in rows):
        raise typer.Exit(1)


def _notes(trained: TrainedModel, used: Preprocessing, overrides: Sequence[str]) -> list[str]:
    """Notes that a reader of the predictions must know."""
    notes = [trained.note] if trained.note else []
    notes += [f"unlike in training: {override}" for override in overrides]
    if used.retinaface is not None and used.retinaface.name == "sample":
        notes.append(
            "the shipped detector has seen rendered faces only; for real video give --retinaface "
            "retinaface-mobilenet0.25 (or retinaface-resnet50, slower), or the path of such a file"
        )
    return notes


def _set(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _printer() -> Callable[[str], None]:
    """Prints lines while the bar is shown, which owns the terminal but must not capture a file."""
    if sys.stdout.isatty():
        return typer.echo
    plain = sys.stdout
    return lambda line: typer.echo(line, file=plain)


def _line(row: Row) -> str:
    faces = f"{row.frames_with_face}/{row.frames}"
    probability = f"{100 * row.probability:.1f} %" if row.probability is not None else "-"
    speed = "there" if row.repeated else f"{row.seconds / row.duration_s:.2f}" if row.duration_s else "-"
    reason = f"  ({row.reason})" if row.reason else ""
    share, unsure = row.answer.get("share"), row.answer.get("uncertainty")
    of_time = "-" if share is None else f"{100 * share:.0f} %"
    doubt = "-" if unsure is None else f"{unsure:.2f}"
    return (
        f"{row.status:13}  {row.emotion or '-':14}  {probability:>6}  {of_time:>7}  {doubt:>6}  {faces:>16}  "
        f"{row.people:>6}  {speed:>7}  "
        f"{one_line(Path(row.video).name)}{one_line(reason)}"
    )


def _summary(rows: Sequence[Row], out: Path) -> str:
    counts = {
        status: sum(row.status == status for row in rows) for status in ("ok", "no_face", "too_few_faces", "unreadable")
    }
    there = sum(row.repeated for row in rows)
    summary = f"{len(rows)} videos: {counts['ok']} answered, {counts['no_face']} without a face"
    few = counts["too_few_faces"]
    summary += f", {few} with too few faces" if few else ""
    refused = sum(row.status == "refused" for row in rows)
    summary += f", {counts['unreadable']} unreadable" + (f", {refused} refused" if refused else "")
    summary += f"; {there} existed already" if there else ""
    return (
        f"{summary}\n{out / 'predictions.csv'} lists them, {out / 'people.csv'} everyone in them; each video has a "
        "folder beside it"
    )
