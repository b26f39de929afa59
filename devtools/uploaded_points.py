"""Comparison of a training's log with its MLflow run, point by point."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from nrdfer.tracking.client import Tracking
from nrdfer.tracking.metric_points import Curves
from nrdfer.tracking.training_log import read_all


def compare(tracking: Tracking, run_id: str, log: Path) -> dict[str, Any]:
    """Counts of points: in the log's curves, in MLflow, lost, wrong (another value or time), more than once."""
    curves = Curves()
    told = {
        (point.key, point.step): (point.value, int(1000 * point.time))
        for line in read_all(log)
        for point in curves.points(line)
    }
    run = tracking.client.get_run(run_id)
    metrics = [m for key in run.data.metrics for m in tracking.client.get_metric_history(run_id, key)]
    times = Counter((metric.key, metric.step) for metric in metrics)
    found = {(metric.key, metric.step): (metric.value, metric.timestamp) for metric in metrics}
    return {
        "points_in_log": len(told),
        "points_in_mlflow": len(metrics),
        "lost": len(told.keys() - found.keys()),
        "wrong": sum(found[key] != told.get(key) for key in found),
        "duplicates": sum(count - 1 for count in times.values()),
        "status": run.info.status,
    }
