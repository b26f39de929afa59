"""Steps: evaluate one checkpoint under its protocols, and combine five folds.

``honest`` is the last epoch, with nothing chosen on test data. ``paper`` is the best epoch on the test fold, which
is how published figures of this field are picked. Both are always reported, and always named. Of a training that held
clips out, ``validated`` is the best epoch on these, with the filter's thresholds that were best on them.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nrdfer.core.errors import WeightsError
from nrdfer.core.optional_output import draw
from nrdfer.data.settings import DataSettings
from nrdfer.models import trained_files
from nrdfer.models.trained_files import BEST, HISTORY, LAST, MODEL
from nrdfer.runtime.engine import Engine

HONEST, VALIDATED = "honest", "validated"
PROTOCOLS: Mapping[str, str] = {HONEST: LAST, "paper": BEST}  # of every training
WEIGHTS: Mapping[str, str] = {**PROTOCOLS, VALIDATED: trained_files.VALIDATED}
METRICS, SCENES, CALIBRATION = "metrics.json", "scenes.json", "calibration.json"
_CURVES = "curves.png"


@dataclass(frozen=True)
class EvaluationSet:
    """Clips to predict, each once."""

    shards: Path  # folder that holds them
    clip_ids: Sequence[str]
    data: DataSettings = field(default_factory=DataSettings)  # how the shards are read
    train_ids: Sequence[str] = ()  # that the network learned from, as far as the shards' index knows them
    #: Of another corpus's clips: the emotions that it shares with the network (see ``shared_labels``).
    shared: Sequence[str] = ()


def evaluate_checkpoint(
    checkpoint: Path,
    clips: EvaluationSet,
    out: Path,
    *,
    title: str,
    engine: Engine,
    protocols: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Predict every test clip once under each protocol; write predictions, figures, `METRICS` and `CALIBRATION`.

    What was predicted is kept whole, with the history and the network's description: the report, its tables and other
    settings of the filter need neither the weights nor the shards. Where clips say their scene, `SCENES` holds the
    figures of each.

    Args:
        checkpoint: folder of a training. Without its history (a registered model has none) no curves are drawn.
        clips: to predict.
        out: receives the files.
        title: of the figures.
        engine: its device, threads and loader; the precision is always float32's own.
        protocols: names of `WEIGHTS`; all of the training's unless given.

    Returns:
        protocol -> metrics (``war``, ``uar``, and both without the snippet-based filter).

    Raises:
        WeightsError: the folder lacks the weights of a protocol.
        ValueError: not exactly the test clips were predicted.
    """
    from nrdfer.evaluation.class_figures import summary
    from nrdfer.evaluation.inference import evaluate
    from nrdfer.evaluation.protocols import check_complete, fold_metrics
    from nrdfer.evaluation.scenes import figures_by_scene, scenes_of
    from nrdfer.evaluation.shared_labels import restricted
    from nrdfer.evaluation.validation import read_validation
    from nrdfer.models.saved_model import load_model, read_history, read_sampling
    from nrdfer.runtime.determinism import set_up
    from nrdfer.runtime.placement import places
    from nrdfer.shards.stream import open_clips

    reader = open_clips(clips.shards, clips.data)
    metrics: dict[str, Any] = {}
    calibration: dict[str, Any] = {}
    chosen = read_validation(checkpoint)
    choices = {} if chosen is None else {HONEST: chosen.last, VALIDATED: chosen.validated}
    scenes = scenes_of(reader, list(clips.clip_ids))
    by_scene: dict[str, Any] = {}
    alone = dataclasses.replace(engine, devices=1, precision="fp32")
    with places(alone):
        device = set_up(alone)
        for protocol in protocols_of(checkpoint) if protocols is None else protocols:
            model = load_model(checkpoint / MODEL, _weights(checkpoint, protocol)).to(device)
            choice = choices.get(protocol)
            if protocol == VALIDATED and choice is not None and choice.mu1 is not None:
                thresholds: dict[str, Any] = {"mu1": choice.mu1, "mu2": choice.mu2}
                model.settings = dataclasses.replace(model.settings, **thresholds)
            sampling = read_sampling(checkpoint / MODEL)
            predictions = evaluate(
                model, reader, list(clips.clip_ids), sampling=sampling, workers=engine.workers, details=True
            )
            check_complete(predictions, clips.clip_ids, f"{title}, {protocol} protocol")
            np.save(features_path(out, protocol), np.stack(predictions.pop("state").tolist()).astype(np.float16))
            emotions = model.settings.emotions
            if clips.shared:
                predictions = restricted(predictions, emotions, clips.shared)
                emotions = tuple(clips.shared)
            predictions.to_parquet(predictions_path(out, protocol), index=False)
            metrics[protocol] = fold_metrics(predictions, emotions)
            if clips.shared:
                metrics[protocol]["shared_emotions"] = list(emotions)
            temperature, learned = choice.temperature if choice else None, None
            if clips.shared:
                temperature = None  # it was fitted for all emotions
            elif clips.train_ids and not saw_equally_often(checkpoint):
                labels = [reader.index.clips[clip_id].emotion for clip_id in clips.train_ids]
                learned = [labels.count(emotion) for emotion in emotions]
            calibration[protocol] = summary(predictions, emotions, temperature=temperature, learned=learned)
            _draw_calibration(predictions, emotions, out, protocol, f"{title}, {protocol} protocol", temperature)
            if scenes:
                by_scene[protocol] = figures_by_scene(predictions, scenes)
            _draw_confusion(predictions, emotions, out, protocol, f"{title}, {protocol} protocol")
    history = read_history(checkpoint)
    if history:
        _draw_curves({title: history}, out)
        shutil.copyfile(checkpoint / HISTORY, out / HISTORY)
    shutil.copyfile(checkpoint / MODEL, out / MODEL)
    if by_scene:
        (out / SCENES).write_text(json.dumps(by_scene, indent=1))
    (out / CALIBRATION).write_text(json.dumps(calibration, indent=1))
    (out / METRICS).write_text(json.dumps(metrics, indent=1))
    return metrics


def protocols_of(checkpoint: Path) -> tuple[str, ...]:
    """Protocols of a training: `PROTOCOLS`, and `VALIDATED` if it held clips out."""
    return (*PROTOCOLS, *([VALIDATED] if (checkpoint / WEIGHTS[VALIDATED]).is_file() else ()))


def evaluated_protocols(evaluations: Sequence[Path]) -> tuple[str, ...]:
    """Protocols under which all of some evaluations predicted: `PROTOCOLS`, and `VALIDATED` if each has it."""
    everywhere = bool(evaluations) and all(predictions_path(path, VALIDATED).is_file() for path in evaluations)
    return (*PROTOCOLS, *([VALIDATED] if everywhere else ()))


def _draw_calibration(
    predictions: pd.DataFrame, emotions: Sequence[str], out: Path, protocol: str, title: str, temperature: float | None
) -> None:
    from nrdfer.evaluation.calibration_plots import plot_calibration

    path = calibration_picture(out, protocol)
    draw(
        f"The picture of calibration, {protocol} protocol,",
        path,
        lambda: plot_calibration(predictions, emotions, path, title=title, temperature=temperature),
    )


def _draw_confusion(predictions: pd.DataFrame, emotions: Sequence[str], out: Path, protocol: str, title: str) -> None:
    from nrdfer.evaluation.plots import plot_confusion

    path = _confusion(out, protocol)
    draw(
        f"The picture of confusions, {protocol} protocol,",
        path,
        lambda: plot_confusion(predictions, emotions, path, title=title),
    )


def _draw_curves(histories: Mapping[str, Sequence[Mapping[str, Any]]], out: Path) -> None:
    from nrdfer.evaluation.plots import plot_curves

    path = out / _CURVES
    draw("The picture of the training's curves", path, lambda: plot_curves(histories, path))


def saw_equally_often(checkpoint: Path) -> bool:
    """Whether training saw every emotion equally often, whatever its share of the clips."""
    described = json.loads((checkpoint / MODEL).read_text(encoding="utf-8"))
    return bool((described.get("recipe") or {}).get("oversample", False))


def _weights(checkpoint: Path, protocol: str) -> Path:
    path = checkpoint / WEIGHTS[protocol]
    if not path.is_file() and protocol == VALIDATED:
        raise WeightsError(
            f"{checkpoint} holds no {path.name}: its training held no clips out, so that nothing was validated; train "
            "with validation: 0.1 in the recipe"
        )
    if not path.is_file():
        raise WeightsError(
            f"{checkpoint} holds no {path.name}, which the {protocol} protocol evaluates (a registered model is the "
            "last epoch only: protocol honest)"
        )
    return path


def predictions_path(folder: Path, protocol: str) -> Path:
    """The predictions table of one protocol."""
    return folder / f"predictions_{protocol}.parquet"


def features_path(folder: Path, protocol: str) -> Path:
    """File of the classifier's input for each clip, (N, D) float16, in the order of the predictions table."""
    return folder / f"features_{protocol}.npy"


def files_of(protocols: Sequence[str]) -> list[str]:
    """Names of the files that `evaluate_checkpoint` may write."""
    here = Path()
    kinds = (predictions_path, features_path, _confusion, calibration_picture)
    each = [kind(here, name).name for name in protocols for kind in kinds]
    return [*each, _CURVES, HISTORY, MODEL, SCENES, CALIBRATION, METRICS]


def calibration_picture(folder: Path, protocol: str) -> Path:
    """Picture of the reliability, and of precision over recall, of one protocol."""
    return folder / f"calibration_{protocol}.png"


def _confusion(folder: Path, protocol: str) -> Path:
    return folder / f"confusion_{protocol}.png"


def _number(folds: int) -> str:
    return "Five" if folds == 5 else str(folds)


def read_metrics(folder: Path) -> dict[str, Any]:
    """Metrics that `evaluate_checkpoint` or `cross_validate` wrote."""
    metrics: dict[str, Any] = json.loads((folder / METRICS).read_text())
    return metrics


def read_calibration(folder: Path) -> dict[str, Any]:
    """Protocol -> `nrdfer.evaluation.class_figures.summary`; empty for an evaluation from before there were any."""
    path = folder / CALIBRATION
    values: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return values


def cross_validate(
    evaluations: Mapping[str, Path], checkpoints: Mapping[str, Path], emotions: Sequence[str], out: Path
) -> dict[str, Any]:
    """Mean of the folds and pooled figures of each protocol; write `METRICS` and figures.

    Args:
        evaluations: folder of each fold's evaluation.
        checkpoints: folder of each fold's training.
        emotions: the label set.
        out: receives the files.
    """
    from nrdfer.evaluation.protocols import cross_validation
    from nrdfer.models.saved_model import read_history

    summary: dict[str, Any] = {}
    for protocol in evaluated_protocols(list(evaluations.values())):
        tables = {fold: pd.read_parquet(predictions_path(path, protocol)) for fold, path in evaluations.items()}
        summary[protocol] = cross_validation(tables, emotions)
        pooled = pd.concat(tables.values(), ignore_index=True)
        _draw_confusion(pooled, emotions, out, protocol, f"{_number(len(tables))} folds pooled, {protocol} protocol")
    _draw_curves({fold: read_history(path) for fold, path in checkpoints.items()}, out)
    (out / METRICS).write_text(json.dumps(summary, indent=1))
    return summary
