"""Databases of a run that are kept open while it lasts."""

from __future__ import annotations

import logging
from pathlib import Path

import dagster as dg
import pytest

from pipelines.open_databases import kept_open


@pytest.fixture
def instance(tmp_path: Path) -> dg.DagsterInstance:
    return dg.DagsterInstance.local_temp(str(tmp_path))


def _run_of(instance: dg.DagsterInstance) -> str:
    run = instance.create_run_for_job(dg.GraphDefinition("nothing").to_job())
    instance.report_engine_event("begun", run)
    return run.run_id


def _logs_of(folder: Path) -> set[str]:
    return {path.name.removesuffix("-wal") for path in folder.rglob("*.db-wal")}


def test_an_event_does_not_copy_the_log_while_a_run_lasts(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run_id = _run_of(instance)
    assert _logs_of(tmp_path) == set()
    with kept_open(instance, run_id) as opened:
        assert [path.name for path in opened] == [f"{run_id}.db", "index.db", "runs.db"]
        for number in range(3):
            instance.report_engine_event(f"step {number}", instance.get_run_by_id(run_id))
        assert f"{run_id}.db" in _logs_of(tmp_path)
        assert len(instance.all_logs(run_id)) == 4
    assert f"{run_id}.db" not in _logs_of(tmp_path)  # closed last, and so copied
    assert len(instance.all_logs(run_id)) == 4


def test_a_storage_without_files_has_none(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance, kept_open(instance, "1") as opened:
        assert opened == []


def test_one_that_cannot_be_opened_stops_no_run(
    instance: dg.DagsterInstance, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = _run_of(instance)
    damaged = next(tmp_path.rglob("runs.db"))
    damaged.write_bytes(b"no database" * 1000)
    with caplog.at_level(logging.DEBUG), kept_open(instance, run_id) as opened:
        assert damaged not in opened
        assert len(opened) == 2
    assert "runs.db is not kept open" in caplog.text
