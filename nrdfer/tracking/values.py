"""Parameters and metrics of MLflow's runs; those that MLflow has already are not sent again.

Creating and ending runs belongs to ``client``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nrdfer.config.settings import flatten
from nrdfer.tracking.connection import Connection
from nrdfer.tracking.metric_points import epoch_curve

if TYPE_CHECKING:
    from mlflow.entities import Run


class Values(Connection):
    """A connection that can log parameters and metrics of runs."""

    def log_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Log nested settings as dotted parameters."""
        from mlflow.entities import Param

        flat = [Param(key, str(value)[:6000]) for key, value in flatten(params).items()]
        for start in range(0, len(flat), 100):
            self.client.log_batch(run_id, params=flat[start : start + 100])

    def _complete_params(self, run: Run, params: Mapping[str, Any]) -> None:
        """Log the parameters that a run lacks: MLflow may have failed between creating it and receiving them."""
        there = run.data.params
        self.log_params(run.info.run_id, {k: v for k, v in flatten(params).items() if k not in there})

    def sync_history(self, run_id: str, history: Sequence[Mapping[str, float]]) -> None:
        """Complete MLflow's metrics from the local history: epochs that MLflow has are not logged again."""
        from mlflow.entities import Metric

        present = self.client.get_metric_history(run_id, "train_loss")
        done = {metric.step for metric in present}
        now = int(time.time() * 1000)
        metrics = [
            Metric(epoch_curve(key), float(value), now, int(row["epoch"]))
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
