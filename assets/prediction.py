"""Emotions of a folder of videos, by a registered model: outside of the reproduction, launched on demand.

Keep here: the asset and what the UI shows of it. Keep out: how a video is predicted (``nrdfer.predict``), and detecting
new videos (``pipelines/sensors.py``).
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from assets import asset_groups
from assets.pictures import small_picture
from assets.step_results import progress_logger, provenance, step
from nrdfer.core import markdown_text, paths
from nrdfer.core.markdown_text import plain
from nrdfer.core.plain_text import name_of, one_line

if TYPE_CHECKING:
    from nrdfer.predict.rows import Row

GROUP = asset_groups.PREDICTION.name
NAME = "predictions"
_MOST_ROWS, _MOST_STRIPS = 50, 10  # shown in the UI; the folder holds all, at full size


class PredictionConfig(dg.Config):
    """Settings of a prediction run; everything has a default."""

    folder: str = Field(
        default="",
        description="Folder of videos, searched recursively. Default: NRDFER_INBOX, else inbox below NRDFER_HOME.",
    )
    leave_out: list[str] = Field(
        default=[], description="Videos in that folder to leave out, e.g. because they are still being copied."
    )
    out: str = Field(default="", description="Receives a folder per video. Default: predictions below NRDFER_HOME.")
    model: str = Field(
        default="",
        description=(
            "A registered version (models:/NAME@ALIAS, models:/NAME/VERSION), a folder, hf://OWNER/NAME, "
            "or sample. Default: AFEW's champion, else DFEW's, else the one that ships with the project."
        ),
    )
    window: float = Field(default=3.0, description="Length of a window of the timeline, seconds.")
    stride: float = Field(default=1.0, description="From one window to the next, seconds.")
    annotate: bool = Field(default=True, description="Write the annotated videos.")
    retinaface: str = Field(
        default="",
        description=(
            "Instead of the training's detector: a weights file, or retinaface-resnet50, retinaface-mobilenet0.25. The "
            "shipped one has seen rendered faces only: for real video name another."
        ),
    )
    enhance: str = Field(default="", description="Instead of the training's brightening: none, crop or frame.")
    device: str = Field(default="auto", description="auto, cpu or cuda.")
    workers: int = Field(default=1, description="Processes, one core each.")


@dg.asset(
    key=[NAME],
    group_name=GROUP,
    kinds={"pytorch", "ffmpeg"},
    description=asset_groups.description(
        "Emotions of every video in a folder by a registered model, as a whole and over time.",
        "the folder `NRDFER_INBOX` (default: `inbox` below `NRDFER_HOME`) and a registered version; the sensor "
        "*new_videos* launches it, or the job *predict_videos* with a folder of your choice. Existing predictions are "
        "not repeated.",
        "`results` and the strips here; annotated videos, tables and pictures in the folder of each video.",
    ),
)
def predictions(context: dg.AssetExecutionContext, config: PredictionConfig) -> dg.MaterializeResult[None]:
    """Predict a folder of videos."""
    with step(context):
        from nrdfer.config.settings import build_settings
        from nrdfer.core.errors import UnreadableVideoError
        from nrdfer.predict.batch import predict_videos
        from nrdfer.predict.choose import choose_detector, choose_model
        from nrdfer.predict.crops import Cropper
        from nrdfer.predict.model import open_model
        from nrdfer.predict.predictor import Predictor
        from nrdfer.predict.video_output import Work
        from nrdfer.predict.windows import WindowSettings

        folder = Path(config.folder).expanduser() if config.folder else paths.inbox()
        out = Path(config.out).expanduser() if config.out else paths.predictions()
        windows = build_settings(WindowSettings, {"window": config.window, "stride": config.stride}, "prediction")
        choice = choose_model(config.model or None)
        context.log.info(f"model {choice.address}: {choice.reason}")
        model = open_model(choice.address)
        used, overrides = model.preprocessing.overridden(
            retinaface=config.retinaface or choose_detector(model), enhance=config.enhance or None
        )
        for text in (model.warning, model.note, *(f"unlike in training: {override}" for override in overrides)):
            if text:
                context.log.warning("%s", text)
        cropper = Cropper.load(used, device=config.device)
        rows = predict_videos(
            [folder],
            Work(Predictor(model, cropper, windows, device=config.device), out, overrides, config.annotate),
            on_row=lambda row: context.log.info(summary_of(row)),
            progress=progress_logger(context, "videos"),
            workers=config.workers,
            leave_out=[Path(name_of(path)) for path in config.leave_out],
        )
        if not any(row.answered for row in rows):
            reasons = "; ".join(row.reason for row in rows[:5])
            raise UnreadableVideoError(f"not one of {len(rows)} videos in {folder} could be read: {reasons}")
        return dg.MaterializeResult(metadata={**provenance(context), **metadata_of(rows, out, model.caption)})


def summary_of(row: "Row") -> str:
    """One video, for the log."""
    answer = row.status if row.probability is None else f"{row.emotion} {100 * row.probability:.1f} %"
    again = ", was there already" if row.repeated else ""
    reason = f" ({row.reason})" if row.reason else ""
    text = f"{row.video}: {answer}, face in {row.frames_with_face} of {row.frames} frames{again}{reason}"
    return one_line(text)


def metadata_of(rows: Sequence["Row"], out: Path, model: str) -> dict[str, Any]:
    """Metadata for the UI: counts, the table, and the strips of new videos, or else of existing ones."""
    from nrdfer.predict.video_output import STRIP

    counts = {
        status: sum(row.status == status for row in rows)
        for status in ("ok", "no_face", "too_few_faces", "unreadable", "refused")
    }
    fresh = [row for row in rows if not row.repeated] or list(rows)
    found = ((row.clip_id, small_picture(out / row.clip_id / STRIP)) for row in fresh if row.answered)
    strips = itertools.islice(((clip_id, picture) for clip_id, picture in found if picture is not None), _MOST_STRIPS)
    return {
        "model": model,
        "videos": len(rows),
        "answered": counts["ok"],
        "without_a_face": counts["no_face"],
        **({"too_few_faces": counts["too_few_faces"]} if counts["too_few_faces"] else {}),
        "unreadable": counts["unreadable"],
        **({"refused": counts["refused"]} if counts["refused"] else {}),
        "new": sum(not row.repeated for row in rows),
        "path": dg.MetadataValue.path(str(out)),
        "results": table(rows),
        **{f"strip_{clip_id}": picture for clip_id, picture in strips},
    }


def table(rows: Sequence["Row"]) -> dg.MarkdownMetadataValue:
    """The videos, one line each."""
    cells = []
    for row in rows[:_MOST_ROWS]:
        probability = "" if row.probability is None else f"{100 * row.probability:.1f} %"
        faces = f"{row.frames_with_face} of {row.frames}"
        name, duration = Path(row.video).name, f"{row.duration_s:.1f}"
        cells.append([name, row.status, row.emotion or "", probability, faces, duration, row.reason])
    if len(rows) > _MOST_ROWS:
        cells.append([f"and {len(rows) - _MOST_ROWS} more in predictions.csv", *[""] * 6])
    header = ("video", "status", "emotion", "probability", "frames with face", "seconds", "reason")
    return dg.MetadataValue.md(markdown_text.table(header, (map(plain, row) for row in cells)))
