"""Upload of one training's log to its MLflow run: queries what is there, and sends what is missing.

Keep here: every exchange with MLflow about a training, each of which raises if the server does not answer.
Keep out: when to try, and what to do about a failure (``background_upload``, ``pending_uploads``).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrdfer.tracking.client import Tracking
from nrdfer.tracking.dataset_inputs import to_mlflow
from nrdfer.tracking.metric_points import Curves, Point
from nrdfer.tracking.training_log import read_log

if TYPE_CHECKING:
    from mlflow.entities import Metric

    from nrdfer.shards.split import Split

_MOST = 500  # points in one request; MLflow takes a thousand


@dataclass(frozen=True)
class RunFacts:
    """Facts that MLflow records about a training run besides its log."""

    digest: str  # of the training's artefact: the identity of its run
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)  # nested settings
    pipeline: str | None = None  # Dagster run under whose MLflow run this one appears
    pipeline_params: Mapping[str, Any] = field(default_factory=dict)
    datasets: Sequence[Mapping[str, Any]] = ()  # see `nrdfer.tracking.dataset_inputs.datasets_of`


def training_name(split: Split, experiment: str = "") -> str:
    """Name of a training in MLflow: ``dfew/fd1/training``, of a table's experiment ``dfew/fd1/baseline/training``."""
    parts = (split.corpus, "" if split.name == split.corpus else split.name, experiment, "training")
    return "/".join(filter(None, parts))


class LogUploader:
    """Uploader connected to the run of one training; recreated after every failure.

    Points carry the log's times, so that a request that arrived although its answer was lost changes nothing when it
    is sent again; and the run's existing points are queried, so that none is sent twice after a restart.

    Args:
        tracking: the MLflow store.
        path: of the training's log.
        facts: of the training.
        started: seconds since 1970; of a run that is made now.

    Raises:
        Exception: any error of MLflow's, if it cannot be reached or refuses.
    """

    def __init__(self, tracking: Tracking, path: Path, facts: RunFacts, started: float) -> None:
        self._client, self._path = tracking.client, path
        parent = tracking.pipeline_run(facts.pipeline, facts.pipeline_params) if facts.pipeline else None
        self.run_id = tracking.training_run(facts.digest, facts.name, parent, facts.tags, facts.params, started)
        if facts.datasets:
            self._client.log_inputs(self.run_id, to_mlflow(facts.datasets))
        self._curves = Curves()
        self._offset = 0
        self.arrived = 0  # points of the log that the run is known to have
        keys = self._client.get_run(self.run_id).data.metrics
        self._present = {
            (key, metric.step) for key in keys for metric in self._client.get_metric_history(self.run_id, key)
        }

    def begin(self) -> None:
        """Set the run's status to running."""
        self._client.update_run(self.run_id, status="RUNNING")

    def send(self) -> int:
        """Send what the log has and the run lacks; returns the number of points."""
        sent = 0
        while True:
            lines, offset = read_log(self._path, self._offset)
            if not lines:
                return sent
            chosen = list(itertools.chain.from_iterable(map(self._curves.points, lines)))
            missing = [_metric(point) for point in chosen if (point.key, point.step) not in self._present]
            for start in range(0, len(missing), _MOST):
                self._client.log_batch(self.run_id, metrics=missing[start : start + _MOST])
            self._offset = offset
            self.arrived += len(chosen)
            sent += len(missing)

    def end(self, status: str, ended: float) -> None:
        """Record how and when (seconds since 1970) the training ended."""
        self._client.set_terminated(self.run_id, status, int(1000 * ended))


def count_points(path: Path) -> int:
    """Number of metric points of a whole log."""
    curves, offset, count = Curves(), 0, 0
    while True:
        lines, offset = read_log(path, offset)
        if not lines:
            return count
        count += sum(len(curves.points(line)) for line in lines)


def _metric(point: Point) -> Metric:
    from mlflow.entities import Metric

    return Metric(point.key, point.value, int(1000 * point.time), point.step)
