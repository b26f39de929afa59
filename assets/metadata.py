"""Results as metadata that the UI shows: tables, pages, and links to MLflow.

Keep out: pictures (``pictures.py``), making files, and the order in which the UI shows them (``project_resource.py``).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from assets.pictures import glance, picture
from assets.project_resource import Workbench
from nrdfer.core.markdown_text import plain, table
from nrdfer.store import Artifact
from nrdfer.tracking.client import Tracking
from nrdfer.tracking.open_runs import PIPELINES

#: What follows the protocol's name, and the keys of both figures.
_FIGURES = (("", "war", "uar"), (", mean of folds", "war_mean", "uar_mean"), (", pooled", "war_pooled", "uar_pooled"))
_MOST = 50  # rows of a table in the UI; the file holds all


def results(metrics: Mapping[str, Mapping[str, Any]], of: str = "") -> dict[str, Any]:
    """The figures of both protocols and where the errors are, small enough for the UI to show them without a click.

    Args:
        metrics: protocol -> figures, as an evaluation or a cross-validation writes them.
        of: the asset whose figures they are, where that is not the one that shows them.
    """
    rows = [
        [f"{protocol}{words}", f"{100 * values[war]:.2f} %", f"{100 * values[uar]:.2f} %"]
        for protocol, values in metrics.items()
        for words, war, uar in _FIGURES
        if war in values
    ]
    metadata = {"result": dg.MetadataValue.md(table([of or "protocol", "WAR", "UAR"], rows, 2))}
    counts = metrics["honest"].get("confusion")
    return metadata if counts is None else {**metadata, "confusion_at_a_glance": glance(counts)}


def quality(published: Path) -> Mapping[str, Any]:
    """The quality page of an artefact: its picture and its path."""
    from nrdfer.preprocessing.quality import PAGE, PICTURE

    return {
        "quality": picture(published / PICTURE),
        "quality_page": dg.MetadataValue.path(str(published / PAGE)),
    }


def reasons_table(rows: Sequence[tuple[str, str]]) -> dg.MarkdownMetadataValue:
    """Clips with the reason for each."""
    if not rows:
        return dg.MetadataValue.md("none")
    more = [("...", f"and {len(rows) - _MOST} more")] if len(rows) > _MOST else []
    return dg.MetadataValue.md(table(["clip", "reason"], (map(plain, row) for row in [*rows[:_MOST], *more])))


def into_mlflow(
    context: dg.AssetExecutionContext, workbench: Workbench, artifact: Artifact, folder: str
) -> dg.MetadataValue[str | None]:
    """Log an artefact's files to the MLflow run of this pipeline run; returns the run's address.

    Raises:
        TrackingError: MLflow does not answer.
    """
    tracking = workbench.tracking
    tracking.require(f"{artifact.asset} is finished and stored in {artifact.path}, but it cannot be logged")
    run_id = tracking.pipeline_run(context.run_id, workbench.settings.to_dict())
    tracking.client.log_artifacts(run_id, str(artifact.path), folder)
    return mlflow_run(tracking, run_id)


def mlflow_run(tracking: Tracking, run_id: str) -> dg.MetadataValue[str | None]:
    """The address of an MLflow run; the id is empty if MLflow was unreachable when the run would have been created."""
    if not run_id:
        return dg.MetadataValue.text("MLflow was unreachable; metrics will be uploaded when it is back")
    return dg.MetadataValue.url(tracking.run_url(run_id))


def model_version(tracking: Tracking, uri: str) -> dg.MetadataValue[str | None]:
    """The page of a registered version, given its ``models:/`` address."""
    name, version = uri.removeprefix("models:/").rsplit("/", 1)
    return dg.MetadataValue.url(tracking.version_url(name, version))


def pipeline_run(dagster_run_id: str) -> dict[str, Any]:
    """The address of a pipeline run's MLflow run, as metadata; nothing if none was begun. Asks no server."""
    begun = PIPELINES.read(dagster_run_id)
    return {} if begun is None else {"mlflow_run": mlflow_run(Tracking(), begun.run_id)}
