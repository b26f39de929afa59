"""What MLflow could not be told when it happened: kept in ``undelivered`` below this project's folder, told later.

What belongs here: trainings whose delivery was not finished when they ended, and pipeline runs that could not be
closed. What does not: the delivery of a training that still runs (``delivery``).

Each unfinished training is two files, ``<digest>.json`` (what `RunFacts` and the end were) and ``<digest>.jsonl`` (a
copy of its log, because the work folder of a finished step goes). They are told to the MLflow at the address they
were meant for, and no other.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any

from nrdfer import paths
from nrdfer.config import flatten
from nrdfer.courier import Courier, RunFacts
from nrdfer.files import write_whole
from nrdfer.tracking import Tracking, brief_requests, mark_pipeline

_log = logging.getLogger(__name__)


def folder() -> Path:
    """Where unfinished deliveries lie."""
    return paths.home() / "undelivered"


def leave(facts: RunFacts, uri: str, log: Path, status: str, started: float, ended: float) -> Path:
    """Keep a training's log and what else MLflow must be told; returns the file that says so.

    Raises:
        OSError: they cannot be written.
    """
    plain = dataclasses.replace(facts, params=_text(facts.params), pipeline_params=_text(facts.pipeline_params))
    told = {
        "facts": dataclasses.asdict(plain),
        "uri": uri,
        "status": status,
        "started": started,
        "ended": ended,
    }
    marker = folder() / f"{facts.digest}.json"
    with _lock():
        write_whole(_log_of(marker), log.read_bytes() if log.is_file() else b"")
        write_whole(marker, json.dumps(told, indent=1).encode())
    return marker


def take_back(digest: str) -> None:
    """Forget an unfinished delivery, because the same training runs again and delivers itself."""
    if folder().is_dir():
        with _lock():
            _remove(folder() / f"{digest}.json")


def deliver_left_over(tracking: Tracking, log: logging.Logger = _log) -> int:
    """Tell `tracking` everything that was left for it; returns how many trainings that were.

    Raises nothing if MLflow does not answer: it is said in `log`, and stays for the next time.
    """
    if not any(folder().glob("*.json")) and not _closings():
        return 0
    done = 0
    with _lock(), brief_requests():
        for marker, told in _waiting().items():
            name = told["facts"]["name"]
            if told["uri"] != tracking.uri:
                log.info("%s waits for the MLflow at %s; MLFLOW_TRACKING_URI is not set to it", name, told["uri"])
                continue
            try:
                sent = _deliver(tracking, marker, told)
            except Exception as error:  # of any kind: one that MLflow refuses must not keep back the others
                log.warning("%s could not be told to MLflow yet (%s); it stays in %s", name, _brief(error), marker)
            else:
                log.warning("%s is told to MLflow now: %d points that were missing", name, sent)
                _remove(marker)
                done += 1
        _close_pipelines(tracking, log)
    return done


def close_pipeline(tracking: Tracking, dagster_run_id: str, status: str) -> None:
    """End the MLflow runs of a pipeline run, now or as soon as MLflow answers."""
    marker = mark_pipeline(dagster_run_id)
    write_whole(marker, json.dumps({"status": status, "uri": tracking.uri}).encode())
    deliver_left_over(tracking)


def _deliver(tracking: Tracking, marker: Path, told: dict[str, Any]) -> int:
    courier = Courier(tracking, _log_of(marker), RunFacts(**told["facts"]), told["started"])
    sent = courier.send()
    courier.end(told["status"], told["ended"])
    return sent


def _close_pipelines(tracking: Tracking, log: logging.Logger) -> None:
    open_trainings = {told["facts"]["pipeline"] for told in _waiting().values()}
    for marker, told in _closings().items():
        if told["uri"] != tracking.uri:
            continue
        try:
            tracking.close_runs_of(marker.name, told["status"])
        except Exception as error:
            log.warning("MLflow runs of run %s could not be closed yet: %s", marker.name, _brief(error))
            return
        if marker.name not in open_trainings:  # telling those will make the pipeline's run, which must then be ended
            marker.unlink(missing_ok=True)


def _waiting() -> dict[Path, dict[str, Any]]:
    return {marker: json.loads(marker.read_text()) for marker in sorted(folder().glob("*.json"))}


def _closings() -> dict[Path, dict[str, Any]]:
    """Pipeline runs that have ended; the marker of one that still runs is empty."""
    markers = sorted((paths.home() / "pipeline-runs").glob("*"))
    # a file that is being written has a hidden name
    return {m: json.loads(text) for m in markers if not m.name.startswith(".") and (text := m.read_text())}


def _lock() -> Any:
    return paths.file_lock(paths.home() / "undelivered.lock")


def _log_of(marker: Path) -> Path:
    return marker.with_suffix(".jsonl")


def _remove(marker: Path) -> None:
    marker.unlink(missing_ok=True)  # first: without it, the log means nothing
    _log_of(marker).unlink(missing_ok=True)


def _text(params: Any) -> dict[str, str]:
    """Parameters as MLflow shows them; JSON would change tuples."""
    return {key: str(value) for key, value in flatten(params).items()}


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"
