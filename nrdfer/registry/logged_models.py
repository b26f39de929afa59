"""Checkpoints as MLflow's logged models: a folder that MLflow can load and serve, with its epoch.

Written with the client alone, so that the run of a training that has ended stays ended. A folder is complete before it
is marked as ready in MLflow, and an unfinished one is removed by the next try.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrdfer.registry import tags
from nrdfer.store import file_sha256
from nrdfer.tracking.client import Tracking, pages

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.models import Model, ModelSignature

PROTOCOL = "nrdfer.protocol"
CARD = "model_card.md"
ARTIFACTS = "artifacts"  # folder of the project's own files in a version
#: What MLflow warns of while saving: the signature is given, and videos have no example that could be shipped.
_EXPECTED = ("Failed to infer signature from type hint", "An input example was not provided")


@dataclass(frozen=True)
class Content:
    """Content of a logged model's folder.

    Attributes:
        artifacts: name -> file, for a wrapper of ``nrdfer.serving``, which opens safetensors and JSON only: a user's
            network file is among them for reading, and never run from there.
        loader: module of this package that MLflow loads it with; a version brings no code.
        signature: of inputs and outputs.
        example: makes an input; called only where a folder is written, because rendering one takes long.
        card: the model card, Markdown.
        config: plain values that the wrapper is given.
    """

    artifacts: Mapping[str, Path]
    loader: str
    signature: ModelSignature
    card: str
    example: Callable[[], Any] | None = None
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Logged:
    """A logged model that is ready."""

    model_id: str
    uri: str
    files: Mapping[str, str]  # path in its folder -> sha256; empty if it was there already


def log_checkpoint(
    tracking: Tracking,
    run_id: str,
    content: Content,
    *,
    name: str,
    step: int,
    digest: str,
    protocol: str,
    metrics: Mapping[str, float],
) -> Logged:
    """Log a checkpoint as a model of its training's run.

    Args:
        tracking: the MLflow store.
        run_id: the training's run.
        content: of the folder.
        name: in MLflow.
        step: epoch of these weights.
        digest: of the checkpoint's artefact.
        protocol: ``honest`` (last epoch), ``paper`` (best epoch), or another use of the same checkpoint.
        metrics: figures of exactly these weights; logged with the model and the step.
    """
    from mlflow.entities import LoggedModelOutput, Metric

    client = tracking.client
    identity = {tags.CHECKPOINT: digest, PROTOCOL: protocol}
    _remove_unfinished(tracking, run_id, identity)
    model = client.create_logged_model(tracking.experiment_id, name, source_run_id=run_id, tags=identity)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            files = _write(Path(scratch) / "model", content, model, run_id)
            client.log_model_artifacts(model.model_id, str(Path(scratch) / "model"))
        client.finalize_logged_model(model.model_id, "READY")
    except BaseException:
        client.finalize_logged_model(model.model_id, "FAILED")
        raise
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=step)])
    now = int(model.creation_timestamp)
    client.log_batch(
        run_id,
        metrics=[
            Metric(key, value, now, step, model_id=model.model_id, run_id=run_id) for key, value in metrics.items()
        ],
    )
    return Logged(model.model_id, f"models:/{model.model_id}", files)


def find_logged(tracking: Tracking, run_id: str, digest: str, protocol: str) -> str | None:
    """Id of the finished logged model of a checkpoint and protocol, if there is one."""
    for model in _search(tracking, run_id, {tags.CHECKPOINT: digest, PROTOCOL: protocol}):
        if str(model.status) == "READY":
            return str(model.model_id)
    return None


def _search(tracking: Tracking, run_id: str, identity: Mapping[str, str]) -> list[LoggedModel]:
    terms = [f"tags.`{key}` = '{value}'" for key, value in identity.items()]
    asked, place = " AND ".join([*terms, f"source_run_id = '{run_id}'"]), [tracking.experiment_id]
    found = pages(lambda token: tracking.client.search_logged_models(place, asked, page_token=token))
    return [model for model in found if model.source_run_id == run_id]


def _remove_unfinished(tracking: Tracking, run_id: str, identity: Mapping[str, str]) -> None:
    """Remove the remains of a process that died while logging."""
    for model in _search(tracking, run_id, identity):
        if str(model.status) != "READY":
            tracking.client.delete_logged_model(model.model_id)


def _write(folder: Path, content: Content, model: LoggedModel, run_id: str) -> dict[str, str]:
    """Make the folder that MLflow loads; returns path -> sha256 of its files."""
    import logging
    import warnings

    import mlflow.pyfunc
    from mlflow.models import Model

    described = Model(
        artifact_path=model.artifact_location, model_uuid=model.model_id, run_id=run_id, model_id=model.model_id
    )
    quiet = logging.getLogger("mlflow.pyfunc")
    level = quiet.level
    quiet.setLevel(logging.WARNING)  # it announces each step of the saving
    gathered = folder.with_name(f"{folder.name}-files") / ARTIFACTS
    gathered.mkdir(parents=True)
    for path in content.artifacts.values():
        shutil.copyfile(path, gathered / Path(path).name)
    try:
        with warnings.catch_warnings(record=True) as caught:  # MLflow resets filters, so there is no ignoring it
            mlflow.pyfunc.save_model(
                str(folder),
                mlflow_model=described,
                loader_module=content.loader,
                data_path=str(gathered),
                signature=content.signature,
                input_example=None if content.example is None else content.example(),
                # none: the project is no package of an index, and MLflow would fetch any package of its name there
                pip_requirements=[],
                model_config=dict(content.config),
            )
    finally:
        quiet.setLevel(level)
    for warning in caught:
        if not any(words in str(warning.message) for words in _EXPECTED):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    _move_artifacts(folder, described)
    (folder / CARD).write_text(content.card)
    return {
        path.relative_to(folder).as_posix(): file_sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }


def _move_artifacts(folder: Path, described: Model) -> None:
    """Keep the files at the path that all versions have used, and update MLflow's description to match."""
    (folder / "data" / ARTIFACTS).rename(folder / ARTIFACTS)
    (folder / "data").rmdir()
    described.flavors["python_function"]["data"] = ARTIFACTS
    described.save(str(folder / "MLmodel"))
