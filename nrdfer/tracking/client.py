"""MLflow client: runs whose status is always true, and lineage tags in both directions.

Keep here: everything that talks to MLflow about runs (creation, status, repair). Registering models belongs to
`nrdfer.registry`, the connection to ``connection``. Runs are found again by tag (``nrdfer.digest``), never by a stored
id, so that a restarted training continues its own MLflow run, and the local history file remains the source that is
replayed into MLflow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nrdfer.core import addresses, file_locks, paths
from nrdfer.tracking.open_runs import PIPELINES
from nrdfer.tracking.ui_urls import TRAINING_VIEW, dagster_page, mlflow_page
from nrdfer.tracking.values import Values

if TYPE_CHECKING:
    from mlflow.entities import Run

TAG_DAGSTER_RUN = "dagster.run_id"
TAG_ASSET = "dagster.asset_key"
TAG_JOB = "dagster.job_name"
TAG_DIGEST = "nrdfer.digest"
TAG_ROLE = "nrdfer.role"
TAG_NOTE = "mlflow.note.content"  # MLflow shows it as the run's description
_PARENT = "pipeline"
_FOLD = "training"


class Tracking(Values):
    """The runs of one MLflow store."""

    def pipeline_run(
        self,
        dagster_run_id: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str] | None = None,
        started: float | None = None,
    ) -> str:
        """Id of the parent run of one pipeline run, made at the first call; safe from several processes.

        Args:
            dagster_run_id: of Dagster's run.
            params: the resolved profile, nested; those that the run has already stay.
            tags: more of them.
            started: seconds since 1970; now if not given.
        """
        with file_locks.held(paths.home() / "mlflow.lock-pipeline"):
            mark_pipeline(dagster_run_id, self.address)
            found = self.find(dagster__run_id=dagster_run_id, nrdfer__role=_PARENT)
            if found:
                run_id = self._found(found[0], tags or {}, params)
            else:
                link = {TAG_DAGSTER_RUN: dagster_run_id, TAG_ROLE: _PARENT, TAG_NOTE: _link(dagster_run_id)}
                name = " ".join(
                    filter(None, ((tags or {}).get(TAG_JOB, _PARENT), params.get("name"), dagster_run_id[:8]))
                )
                run_id = self._create(name, {**(tags or {}), **link}, params, started)
            PIPELINES.change(dagster_run_id, run_id=run_id)
            return run_id

    def training_run(
        self,
        digest: str,
        name: str,
        parent: str | None,
        tags: Mapping[str, str],
        params: Mapping[str, Any],
        started: float | None = None,
    ) -> str:
        """Id of the run that belongs to one training, identified by its digest; a restart finds it again.

        Args:
            digest: of the training's artefact.
            name: that MLflow shows.
            parent: run that it appears under.
            tags: where it comes from.
            params: its settings, nested.
            started: seconds since 1970; now if not given.
        """
        if TAG_DAGSTER_RUN in tags:
            link = _link(tags[TAG_DAGSTER_RUN], tags.get(TAG_ASSET))
            tags = {**tags, TAG_NOTE: f"{link}\n\n{tags.get(TAG_NOTE, '')}".strip()}
        with file_locks.held(paths.home() / "mlflow.lock-training"):  # two processes would each make one
            return self._training_run(digest, name, parent, tags, params, started)

    def _training_run(
        self,
        digest: str,
        name: str,
        parent: str | None,
        tags: Mapping[str, str],
        params: Mapping[str, Any],
        started: float | None,
    ) -> str:
        found = self.find(nrdfer__digest=digest, nrdfer__role=_FOLD)
        if parent is not None:  # may differ from before, if a later pipeline continues it
            tags = {**tags, "mlflow.parentRunId": parent}
        if found:
            return self._found(found[0], tags, params)
        return self._create(name, {**tags, TAG_DIGEST: digest, TAG_ROLE: _FOLD}, params, started)

    def _create(self, name: str, tags: Mapping[str, str], params: Mapping[str, Any], started: float | None) -> str:
        """Create a run that started at a time (seconds since 1970; None: now) and log its parameters; its id."""
        run = self.client.create_run(self.experiment_id, _milliseconds(started), dict(tags), name)
        self.log_params(run.info.run_id, params)
        return str(run.info.run_id)

    def _found(self, run: Run, tags: Mapping[str, str], params: Mapping[str, Any]) -> str:
        """Complete an existing run; returns its id."""
        for key, value in tags.items():
            self.client.set_tag(run.info.run_id, key, value)
        self._complete_params(run, params)
        return str(run.info.run_id)

    def surviving_run(
        self,
        run_id: str,
        digest: str,
        name: str,
        history: Sequence[Mapping[str, float]],
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """The run of a finished training: `run_id` if MLflow has it, else the one of that digest, else a new one.

        The store outlives MLflow's database, and a training may have ended while MLflow was unreachable
        (`run_id` is empty then); so the run is completed from the local history.

        Args:
            run_id: that the training had, or nothing.
            digest: of the training's artefact.
            name: of the training.
            history: its epochs.
            tags: of a run that must be made again: where the training comes from.
        """
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode

        if run_id:
            try:
                self.client.get_run(run_id)
                return run_id
            except MlflowException as error:
                if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                    raise
        known = self.find(nrdfer__digest=digest, nrdfer__role=_FOLD)
        new_tags = {} if known or tags is None else tags  # what a run that is there says of itself is better
        run_id = self.training_run(digest, f"{name} (restored)", None, new_tags, {})
        self.sync_history(run_id, history)
        if self.client.get_run(run_id).info.status != "FINISHED":
            self.client.set_terminated(run_id, "FINISHED")
        return run_id

    def close_training(self, digest: str, status: str, ended: int | None) -> int:
        """End a training's run if it is still RUNNING; returns how many there were (0 or 1)."""
        return self._close(self.find(nrdfer__digest=digest, nrdfer__role=_FOLD), status, ended)

    def close_runs_of(
        self, dagster_run_id: str, status: str, ended: float | None = None, *, correct: bool = False
    ) -> int:
        """End every run of one pipeline run that is still RUNNING; returns how many there were.

        Args:
            dagster_run_id: of Dagster's run.
            status: that they get.
            ended: seconds since 1970; now if not given.
            correct: the pipeline's own run gets this status in any case: its process reported one, and was killed
                before Dagster recorded it.
        """
        found = self.find(dagster__run_id=dagster_run_id)
        own = [run for run in found if run.data.tags.get(TAG_ROLE) == _PARENT]
        if correct:
            for run in own:
                if run.info.status not in (status, "RUNNING"):
                    self.client.set_terminated(run.info.run_id, status, run.info.end_time)
        return self._close(found, status, _milliseconds(ended))

    def _close(self, runs: Sequence[Run], status: str, ended: int | None) -> int:
        open_runs = [run for run in runs if run.info.status == "RUNNING"]
        for run in open_runs:
            self.client.set_terminated(run.info.run_id, status, ended)
        return len(open_runs)

    def run_url(self, run_id: str) -> str:
        """Address of a run in the MLflow page that ``nrdfer dev`` serves; sends no request."""
        return f"{mlflow_page(self.uri)}/#/runs/{run_id}"

    def file_url(self, run_id: str, path: str) -> str:
        """Address of a file of a run in that page; asks for the experiment's id."""
        run = f"experiments/{self.experiment_id}/runs/{run_id}"
        return f"{mlflow_page(self.uri)}/#/{run}/artifacts/{quote(path)}?{TRAINING_VIEW}"

    def version_url(self, name: str, version: str) -> str:
        """Address of a registered version in that page; sends no request."""
        return f"{mlflow_page(self.uri)}/#/models/{quote(name, safe='')}/versions/{version}?{TRAINING_VIEW}"


def mark_pipeline(dagster_run_id: str, uri: str) -> None:
    """Record that there may be something to close, so that the end of a pipeline run need not import MLflow."""
    if not (PIPELINES.folder / dagster_run_id).exists():
        PIPELINES.change(dagster_run_id, uri=addresses.displayed(uri))


def dagster_url(dagster_run_id: str) -> str:
    """Address of a Dagster run in the page that ``nrdfer dev`` serves."""
    return f"{dagster_page()}/runs/{dagster_run_id}"


def _link(dagster_run_id: str, asset: str | None = None) -> str:
    link = f"Made by Dagster run [{dagster_run_id[:8]}]({dagster_url(dagster_run_id)})"
    return f"{link}, asset `{asset}`." if asset else f"{link}."


def _milliseconds(time: float | None) -> int | None:
    """Seconds since 1970 in MLflow's milliseconds; None stays None."""
    return None if time is None else int(1000 * time)


def pages(ask: Callable[[str | None], Iterable[Any]]) -> Iterator[Any]:
    """All entries of a listing of MLflow's, and not its first page only.

    Args:
        ask: returns the page of a token; None means the first.
    """
    token: str | None = None
    while True:
        page = ask(token)
        yield from page
        token = getattr(page, "token", None)
        if not token:
            return
