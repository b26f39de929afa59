"""MLflow: runs that always tell the truth about their state, and lineage tags that lead both ways.

What belongs here: everything that talks to MLflow about runs (creation, metrics, status, repair). Registering
models is `nrdfer.registry`'s business. Runs are found again by tag (``nrdfer.digest``), never by a remembered id,
so that a restarted training continues its own MLflow run, and the local history file stays the truth that is
replayed into MLflow.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrdfer import addresses, paths
from nrdfer.brief_requests import brief_requests
from nrdfer.config import flatten
from nrdfer.errors import AddressError, TrackingError
from nrdfer.open_runs import PIPELINES
from nrdfer.pages import dagster_page, mlflow_page
from nrdfer.redaction import scrub

# It would print addresses between a command's own output.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

EXPERIMENT = "nr-dfernet"
TAG_DAGSTER_RUN = "dagster.run_id"
TAG_ASSET = "dagster.asset_key"
TAG_DIGEST = "nrdfer.digest"
TAG_ROLE = "nrdfer.role"
TAG_NOTE = "mlflow.note.content"  # MLflow shows it as the run's description
_PARENT = "pipeline"
_FOLD = "training"
_LONG = 3.0  # seconds after which it is said what is waited for
_log = logging.getLogger(__name__)


class Tracking:
    """One MLflow store. Cheap to construct: MLflow is imported, and its database made, at the first use."""

    def __init__(self, uri: str | None = None, artifacts: Path | None = None) -> None:
        self.uri = addresses.usable(uri, paths.home() / "mlflow.db") if uri else paths.tracking_uri()
        self.artifacts = artifacts or paths.tracking_artifacts()
        self._client: MlflowClient | None = None
        self._experiment_id = ""

    @property
    def address(self) -> str:
        """The address as it is shown and kept: without a password."""
        return addresses.shown(self.uri)

    @property
    def client(self) -> MlflowClient:
        """The MLflow client; the first call creates the database and the experiment.

        Several processes creating one SQLite database at once crash MLflow, hence the lock and `make_database`.
        """
        if self._client is None:
            import mlflow
            from mlflow.tracking import MlflowClient

            from nrdfer.tracking_database import make_database

            with paths.file_lock(paths.home() / "mlflow.lock"), brief_requests(), self._connecting():
                make_database(self.uri)
                self._relocate()
                mlflow.set_tracking_uri(self.uri)
                client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
                experiment = client.get_experiment_by_name(EXPERIMENT)
                if experiment is not None:
                    self._experiment_id = experiment.experiment_id
                else:
                    location = self.artifacts.as_uri() if self.uri.startswith("sqlite:") else None
                    self._experiment_id = _create_experiment(client, location)
            self._client = client
        return self._client

    @contextlib.contextmanager
    def _connecting(self) -> Iterator[None]:
        """Say what is waited for if it takes long, and what an address that cannot be used should be."""
        told = threading.Timer(_LONG, lambda: _log.warning("waiting for MLflow at %s", self.address))
        told.daemon = True
        told.start()
        try:
            yield
        except Exception as error:
            scrub(error)
            if wrong := _address_in_words(self.uri, error):
                raise AddressError(f"MLFLOW_TRACKING_URI={self.address}: {wrong}") from error
            raise
        finally:
            told.cancel()

    def _relocate(self) -> None:
        """Let the project's own database name the place where the project lies now."""
        from nrdfer.moved_project import relocate

        database = paths.home() / "mlflow.db"
        named = not os.environ.get("MLFLOW_TRACKING_URI") or str(database) in self.uri
        if self.uri.startswith("sqlite:") and named:
            relocate(database, self.artifacts, EXPERIMENT)

    @property
    def experiment_id(self) -> str:
        """Id of the project's experiment."""
        _ = self.client
        return self._experiment_id

    def require(self, otherwise: str) -> None:
        """Make sure that MLflow answers, within seconds.

        Args:
            otherwise: what cannot be done without it; begins the error's message.

        Raises:
            TrackingError: it does not answer.
        """
        from mlflow.exceptions import MlflowException

        try:
            with brief_requests():
                self.client.get_experiment(self.experiment_id)
        except AddressError:
            raise
        except (MlflowException, OSError) as error:
            raise TrackingError(
                f"{otherwise}: MLflow at {self.address} does not answer ({_short(error)}). Start its server, or unset "
                "MLFLOW_TRACKING_URI to use this project's own file, and run this step again"
            ) from error

    def find(self, **tags: str) -> list[Run]:
        """Runs that carry all the given tags (``__`` in a keyword stands for a dot), newest first."""
        terms = [f"tags.`{key.replace('__', '.')}` = '{value}'" for key, value in tags.items()]
        return list(self.client.search_runs([self.experiment_id], " and ".join(terms), order_by=["start_time DESC"]))

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
        with paths.file_lock(paths.home() / "mlflow.lock-pipeline"):
            mark_pipeline(dagster_run_id, self.address)
            found = self.find(dagster__run_id=dagster_run_id, nrdfer__role=_PARENT)
            if found:
                run_id = str(found[0].info.run_id)
                self._complete_params(found[0], params)
                for key, value in (tags or {}).items():
                    self.client.set_tag(run_id, key, value)
            else:
                link = {TAG_DAGSTER_RUN: dagster_run_id, TAG_ROLE: _PARENT, TAG_NOTE: _link(dagster_run_id)}
                begun = None if started is None else int(1000 * started)
                name = f"pipeline {dagster_run_id[:8]}"
                run_id = str(
                    self.client.create_run(self.experiment_id, begun, {**(tags or {}), **link}, name).info.run_id
                )
                self.log_params(run_id, params)
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
        with paths.file_lock(paths.home() / "mlflow.lock-training"):  # two processes would each make one
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
        if found:
            run_id = str(found[0].info.run_id)
            if parent is not None:  # another one than before, if a later pipeline goes on with it
                tags = {**tags, "mlflow.parentRunId": parent}
            for key, value in tags.items():
                self.client.set_tag(run_id, key, value)
            self._complete_params(found[0], params)
            return run_id
        all_tags = {**tags, TAG_DIGEST: digest, TAG_ROLE: _FOLD}
        if parent is not None:
            all_tags["mlflow.parentRunId"] = parent
        begun = None if started is None else int(1000 * started)
        run = self.client.create_run(self.experiment_id, begun, all_tags, name)
        self.log_params(run.info.run_id, params)
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

        The store outlives MLflow's database, and a training may have ended before MLflow could be told of it
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
        told = {} if known or tags is None else tags  # what a run that is there says of itself is better
        run_id = self.training_run(digest, f"{name} training (restored)", None, told, {})
        self.sync_history(run_id, history)
        if self.client.get_run(run_id).info.status != "FINISHED":
            self.client.set_terminated(run_id, "FINISHED")
        return run_id

    def log_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Log nested settings as dotted parameters."""
        from mlflow.entities import Param

        flat = [Param(key, str(value)[:6000]) for key, value in flatten(params).items()]
        for start in range(0, len(flat), 100):
            self.client.log_batch(run_id, params=flat[start : start + 100])

    def _complete_params(self, run: Run, params: Mapping[str, Any]) -> None:
        """Log the parameters a run lacks: MLflow may have gone away between making it and being told them."""
        there = run.data.params
        self.log_params(run.info.run_id, {k: v for k, v in flatten(params).items() if k not in there})

    def sync_history(self, run_id: str, history: Sequence[Mapping[str, float]]) -> None:
        """Bring MLflow's curves up to the local history: epochs that MLflow already has are not logged again."""
        import time

        from mlflow.entities import Metric

        present = self.client.get_metric_history(run_id, "train_loss")
        done = {metric.step for metric in present}
        now = int(time.time() * 1000)
        metrics = [
            Metric(key, float(value), now, int(row["epoch"]))
            for row in history
            if int(row["epoch"]) not in done
            for key, value in row.items()
            if key != "epoch" and isinstance(value, int | float)
        ]
        for start in range(0, len(metrics), 500):
            self.client.log_batch(run_id, metrics=metrics[start : start + 500])

    def log_metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        """Log single figures (no step)."""
        for key, value in metrics.items():
            self.client.log_metric(run_id, key, float(value))

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
            correct: the pipeline's own run gets this status whatever it has: its process told one, and was killed
                before Dagster knew of it.
        """
        found, end = self.find(dagster__run_id=dagster_run_id), None if ended is None else int(1000 * ended)
        own = [run for run in found if run.data.tags.get(TAG_ROLE) == _PARENT]
        if correct:
            for run in own:
                if run.info.status not in (status, "RUNNING"):
                    self.client.set_terminated(run.info.run_id, status, run.info.end_time)
        return self._close(found, status, end)

    def _close(self, runs: Sequence[Run], status: str, ended: int | None) -> int:
        open_runs = [run for run in runs if run.info.status == "RUNNING"]
        for run in open_runs:
            self.client.set_terminated(run.info.run_id, status, ended)
        return len(open_runs)

    def run_url(self, run_id: str) -> str:
        """Address of a run in the MLflow page that ``make dev`` serves; asks no server."""
        return f"{mlflow_page(self.uri)}/#/runs/{run_id}"


def _short(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


def _address_in_words(uri: str, error: Exception) -> str | None:
    """What to write instead of an address that cannot be used; None if that is not the trouble."""
    if isinstance(error, ModuleNotFoundError) and not uri.startswith(("http", "sqlite")):
        if "psycopg" in str(error):
            return (
                f"the PostgreSQL driver is not installed ({error}); pip install 'psycopg[binary]' and write "
                "postgresql+psycopg://..., or install psycopg2-binary and write postgresql+psycopg2://..."
            )
        return f"the driver of this database is not installed ({error}); install it, or use another address"
    scheme = uri.partition(":")[0]
    known = ("http", "https", "sqlite", "file", "postgresql", "mysql", "mssql", "databricks")
    if "://" not in uri or scheme.partition("+")[0] not in known:
        return (
            "this is no address that MLflow understands. Write http://host:port of a server, or "
            "sqlite:////folder/mlflow.db of a file, or postgresql+psycopg://host/database"
        )
    if isinstance(error, ValueError) or type(error).__name__ in ("ArgumentError", "InvalidURL"):
        return f"this address cannot be read ({str(error)[:200]})"
    return None


def _create_experiment(client: MlflowClient, location: str | None) -> str:
    """Make the experiment, or find that a process of another project folder, at the same server, has just made it."""
    from mlflow.exceptions import MlflowException

    try:
        return str(client.create_experiment(EXPERIMENT, artifact_location=location))
    except MlflowException:
        made = client.get_experiment_by_name(EXPERIMENT)
        if made is None:
            raise
        return str(made.experiment_id)


def mark_pipeline(dagster_run_id: str, uri: str) -> None:
    """Lets whoever ends a pipeline run know, without importing MLflow, that there may be something to close."""
    if not (PIPELINES.folder / dagster_run_id).exists():
        PIPELINES.change(dagster_run_id, uri=addresses.shown(uri))


def dagster_url(dagster_run_id: str) -> str:
    """Address of a Dagster run in the page that ``make dev`` serves."""
    return f"{dagster_page()}/runs/{dagster_run_id}"


def _link(dagster_run_id: str, asset: str | None = None) -> str:
    link = f"Made by Dagster run [{dagster_run_id[:8]}]({dagster_url(dagster_run_id)})"
    return f"{link}, asset `{asset}`." if asset else f"{link}."
