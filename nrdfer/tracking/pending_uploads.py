"""Uploads still pending when a training or pipeline has ended: its status, and what is missing of its log.

Keep here: trainings whose upload was not finished when they ended; runs whose process was killed (their
files are ``open_runs``'s); the beginning and the end of pipeline runs. Keep out: the upload of a training that
still runs (``background_upload``).

Each unfinished training is two files in ``undelivered`` below this project's folder, ``<digest>.json`` (what `RunFacts`
and the end were) and ``<digest>.jsonl`` (a copy of its log, because the work folder of a finished step is removed).
Everything is uploaded to the MLflow address that it was intended for, and to no other.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nrdfer.config.settings import flatten
from nrdfer.core import file_locks, leases, paths
from nrdfer.core.addresses import displayed, usable
from nrdfer.core.atomic_files import write_whole
from nrdfer.core.redaction import hide
from nrdfer.core.safe_names import checked_name
from nrdfer.core.state_files import quarantine, read_state
from nrdfer.tracking.client import Tracking
from nrdfer.tracking.log_uploader import LogUploader, RunFacts
from nrdfer.tracking.open_runs import PIPELINES, RUNS, OpenPipeline, OpenRun, check_end
from nrdfer.tracking.timeouts import brief_requests
from nrdfer.tracking.training_log import repair_log

#: A log without its marker, and what `write_whole` had begun: all that a killed process can leave here.
_HALF = re.compile(r"[0-9a-f]{64}\.jsonl|\.nrdfer-[0-9]+-[0-9a-f]{12}\.part\.jsonl?")
_log = logging.getLogger(__name__)


def folder() -> Path:
    """Folder of unfinished uploads."""
    return paths.home() / "undelivered"


def leave(facts: RunFacts, uri: str, log: Path, status: str, started: float, ended: float) -> Path:
    """Keep a training's log and all else that MLflow must receive; returns the file that records this.

    Raises:
        OSError: they cannot be written.
    """
    plain = dataclasses.replace(facts, params=_text(facts.params), pipeline_params=_text(facts.pipeline_params))
    record = {
        "facts": dataclasses.asdict(plain),
        "uri": displayed(uri),
        "status": status,
        "started": started,
        "ended": ended,
    }
    marker = _marker(facts.digest)
    with _lock():
        write_whole(_log_of(marker), log.read_bytes() if log.is_file() else b"")
        write_whole(marker, json.dumps(record, indent=1).encode())
    return marker


def take_back(digest: str) -> None:
    """Discard an unfinished upload, because the same training runs again and uploads itself."""
    with _lock():  # even if there is nothing: a process that closes killed runs must have finished with this one
        _remove(_marker(digest))


def is_anything_left() -> bool:
    """Whether anything is waiting to be uploaded, to any MLflow."""
    lying = any(path.suffix == ".json" or _HALF.fullmatch(path.name) for path in folder().glob("*"))
    return lying or bool(_closings() or _abandoned())


def upload_pending(tracking: Tracking, log: logging.Logger = _log) -> int:
    """Upload everything that is waiting for `tracking`; returns the number of trainings.

    Raises nothing if MLflow does not answer: that is logged, and the uploads stay for the next time.
    """
    if not is_anything_left():
        return 0
    done = 0
    with _lock(), brief_requests():
        _remove_halves()
        try:
            tracking.client.get_experiment(tracking.experiment_id)
        except Exception as error:  # one request, because each to an unreachable server may take long
            log.warning(
                "MLflow at %s does not answer; the rest will be uploaded later (%s)", tracking.address, _brief(error)
            )
            return 0
        for marker, record in _waiting().items():
            name = record["facts"]["name"]
            if not _is_for(tracking, record["uri"]):
                log.info(
                    "%s waits for the MLflow at %s; MLFLOW_TRACKING_URI is not set to it",
                    name,
                    displayed(record["uri"]),
                )
                continue
            try:
                sent = _deliver(tracking, marker, record)
            except Exception as error:  # of any kind: one that MLflow refuses must not block the others
                log.warning("%s could not be uploaded yet (%s); it is kept in %s", name, _brief(error), marker)
            else:
                log.warning("%s is uploaded to MLflow now: %d points that were missing", name, sent)
                _remove(marker)
                done += 1
        _close_abandoned(tracking, log)
        _close_pipelines(tracking, log)
    return done


def begin_pipeline(
    tracking: Tracking,
    dagster_run_id: str,
    params: Mapping[str, Any],
    tags: Mapping[str, str],
    log: logging.Logger = _log,
) -> bool:
    """Create a pipeline's MLflow run, in its own process, before its steps; returns whether MLflow answered.

    If it did not, that is logged, and the run is created by the first part of the pipeline that reaches MLflow, or
    when the pipeline has ended.
    """
    begun = time.time()
    PIPELINES.change(
        dagster_run_id,
        lease=leases.of_this_process(),
        uri=tracking.address,
        make=True,
        params=_text(params),
        tags=dict(tags),
        started=begun,
    )
    try:
        with brief_requests():
            tracking.pipeline_run(dagster_run_id, params, tags, begun)
    except Exception as error:  # of any kind: a pipeline does not fail because it cannot be shown
        log.warning(
            "MLflow at %s does not accept this run (%s); the run continues and will be uploaded later",
            tracking.address,
            _brief(error),
        )
        return False
    return True


def close_pipeline(
    tracking: Tracking, dagster_run_id: str, status: str, log: logging.Logger = _log, *, killed: bool = False
) -> None:
    """End the MLflow runs of a pipeline run, now or as soon as MLflow answers.

    Args:
        tracking: the MLflow store.
        dagster_run_id: of Dagster's run.
        status: FINISHED, FAILED or KILLED.
        log: receives a warning about each upload that must wait.
        killed: the process of the run was killed, and this is another one.
    """
    PIPELINES.change(dagster_run_id, uri=tracking.address, status=status, ended=time.time(), killed=killed)
    upload_pending(tracking, log)


def _deliver(tracking: Tracking, marker: Path, record: dict[str, Any]) -> int:
    repair_log(_log_of(marker))
    uploader = LogUploader(tracking, _log_of(marker), RunFacts(**record["facts"]), record["started"])
    sent = uploader.send()
    uploader.end(record["status"], record["ended"])
    return sent


def _close_abandoned(tracking: Tracking, log: logging.Logger) -> None:
    """Close runs whose process was killed, with the status that it would have set."""
    for name, record in _abandoned().items():
        if not _is_for(tracking, record.uri):
            continue
        try:
            closed = tracking.close_training(name, record.status, record.ended)
        except Exception as error:
            log.warning("the MLflow run of training %s could not be closed yet: %s", name[:12], _brief(error))
            continue
        if closed:
            log.warning("the process of an MLflow run was killed: training %s is %s now", name[:12], record.status)
        if RUNS.read(name) == record:  # else it runs again
            RUNS.remove(name)


def _close_pipelines(tracking: Tracking, log: logging.Logger) -> None:
    open_trainings = {record["facts"]["pipeline"] for record in _waiting().values()}
    for run_id, record in _closings().items():
        if not _is_for(tracking, record.uri):
            continue
        try:
            if record.make and not record.run_id:  # MLflow was away as long as it ran
                tracking.pipeline_run(run_id, record.params, record.tags, record.started)
            correct = record.killed or not record.status
            tracking.close_runs_of(run_id, record.status or "FAILED", record.ended, correct=correct)
        except Exception as error:
            log.warning("MLflow runs of run %s could not be closed yet: %s", run_id, _brief(error))
            return
        if run_id not in open_trainings:  # telling those will make the pipeline's run, which must then be ended
            PIPELINES.remove(run_id)


def _is_for(tracking: Tracking, address: str) -> bool:
    """Whether an upload intended for one MLflow address belongs to this one, however the address was written."""
    return displayed(usable(address, paths.home() / "mlflow.db")) == tracking.address


def _abandoned() -> dict[str, OpenRun]:
    """Open runs whose process has ended."""
    return RUNS.abandoned()


def _remove_halves() -> None:
    """Remove single files left by a process that was killed while it wrote or removed a pair, and nothing else."""
    for path in folder().glob("*"):
        if not _HALF.fullmatch(path.name) or (path.suffix == ".jsonl" and path.with_suffix(".json").exists()):
            continue
        if path.is_dir():  # not ours
            quarantine(path)
        else:
            path.unlink(missing_ok=True)


def _waiting() -> dict[Path, dict[str, Any]]:
    """Content of the files; a damaged one is moved away with its log, and a message says so."""
    waiting = {}
    for marker in sorted(folder().glob("*.json")):
        record = read_state(marker, functools.partial(_understood, marker.stem), _log)
        if record is not None:
            waiting[marker] = record
        elif not marker.exists() and _log_of(marker).exists():
            quarantine(_log_of(marker))
    return waiting


def _understood(digest: str, record: Any) -> dict[str, Any]:
    """A file's content, if it is what `leave` wrote under this name."""
    facts = RunFacts(**record["facts"])
    pipeline = "" if facts.pipeline is None else facts.pipeline
    texts = (facts.digest, facts.name, pipeline, record["uri"], record["status"])
    mappings = (facts.tags, facts.params, facts.pipeline_params, *facts.datasets)
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(part, dict) for part in mappings):
        raise ValueError("its fields are of other types")
    if facts.digest != digest:
        raise ValueError("it belongs to another training than its name says")
    check_end(record["status"], 1000 * float(record["started"]), 1000 * float(record["ended"]))
    return {**record, "facts": dataclasses.asdict(facts)}


def _closings() -> dict[str, OpenPipeline]:
    """Pipeline runs that have ended, or whose process has, by Dagster's id."""
    return {name: record for name, record in PIPELINES if record.status} | PIPELINES.abandoned()


def _marker(digest: str) -> Path:
    return folder() / f"{checked_name(digest, 'the digest of a training')}.json"


def _lock() -> Any:
    return file_locks.held(paths.home() / "undelivered.lock")


def _log_of(marker: Path) -> Path:
    return marker.with_suffix(".jsonl")


def _remove(marker: Path) -> None:
    marker.unlink(missing_ok=True)  # first: without it, the log means nothing
    _log_of(marker).unlink(missing_ok=True)


def _text(params: Any) -> dict[str, str]:
    """Parameters as MLflow shows them; JSON would change tuples."""
    return {key: str(value) for key, value in flatten(params).items()}


def _brief(error: Exception) -> str:
    return hide(f"{type(error).__name__}: {str(error)[:200]}")
