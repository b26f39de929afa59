"""MLflow runs of finished trainings, restored from the store where MLflow has lost them (a new or lost database).

The store outlives MLflow's database: a checkpoint keeps its log, its settings and where it comes from, so its run gets
back its curves, parameters, tags, data set inputs, times and end. Registering the checkpoint again belongs to
`registry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrdfer.core import file_locks, paths
from nrdfer.store import Artifact
from nrdfer.tracking.client import Tracking
from nrdfer.tracking.dataset_inputs import datasets_of
from nrdfer.tracking.log_uploader import LogUploader, RunFacts
from nrdfer.tracking.training_log import LOG, read_all

if TYPE_CHECKING:
    from mlflow.entities import Run

    from nrdfer.shards.split import Split


def facts_of(
    checkpoint: Artifact,
    split: Split,
    name: str,
    tags: Mapping[str, str],
    pipeline: str | None = None,
    pipeline_params: Mapping[str, Any] | None = None,
) -> RunFacts:
    """Facts for MLflow about a training run in the store.

    Args:
        checkpoint: its artefact.
        split: its clips.
        name: that MLflow shows.
        tags: where it comes from.
        pipeline: Dagster run under whose MLflow run it appears.
        pipeline_params: of that run.
    """
    inputs = checkpoint.manifest["inputs"]
    made = {
        "nrdfer.data_digest": inputs["shards"],
        "nrdfer.clips_digest": inputs["clips"],
        "nrdfer.initialisation": "from scratch" if inputs["initial"] == "none" else inputs["initial"],
    }
    return RunFacts(
        digest=checkpoint.digest,
        name=name,
        tags={**made, **tags},
        params=checkpoint.manifest["config"],
        pipeline=pipeline,
        pipeline_params=pipeline_params or {},
        datasets=datasets_of(split, inputs["shards"]),
    )


def run_of_finished(tracking: Tracking, checkpoint: Artifact, facts: RunFacts, history: list[dict[str, float]]) -> str:
    """Id of a finished training's MLflow run, which is completed or recreated if MLflow has lost some of it.

    Safe from several processes: one of them does it.

    Args:
        tracking: the MLflow store.
        checkpoint: the training's artefact.
        facts: see `facts_of`.
        history: its epochs, for a checkpoint without a log.
    """
    with file_locks.held(paths.home() / "mlflow.lock-restore"):
        found = _find(tracking, str(checkpoint.manifest["counts"].get("mlflow_run_id", "")), facts.digest)
        if found is not None and _is_complete(found, facts):
            return str(found.info.run_id)
        log = checkpoint.path / LOG
        if not log.is_file():
            known = str(found.info.run_id) if found else ""
            return tracking.surviving_run(known, facts.digest, facts.name, history, facts.tags)
        return _make_again(tracking, log, facts, found)


def _find(tracking: Tracking, run_id: str, digest: str) -> Run | None:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode

    if run_id:
        try:
            return tracking.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                raise
    found = tracking.find(nrdfer__digest=digest, nrdfer__role="training")
    return found[0] if found else None


def _is_complete(run: Run, facts: RunFacts) -> bool:
    logged = {entry.dataset.name for entry in (run.inputs.dataset_inputs if run.inputs else [])}
    return run.info.status == "FINISHED" and {row["name"] for row in facts.datasets} <= logged


def _make_again(tracking: Tracking, log: Path, facts: RunFacts, found: Run | None) -> str:
    times = [float(line["time"]) for line in read_all(log)]
    began, ended = (min(times), max(times)) if times else (0.0, 0.0)
    uploader = LogUploader(tracking, log, facts, began)
    uploader.send()
    if found is None or found.info.status != "FINISHED":
        uploader.end("FINISHED", ended)
    return uploader.run_id
