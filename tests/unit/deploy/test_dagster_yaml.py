"""The settings of Dagster that are shipped for several machines: in step with dagster.yaml, loaded, without secrets."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from devtools.postgres_server import PostgresServer, missing, postgres_server

PROJECT = Path(__file__).resolve().parents[3]
DEPLOY = PROJECT / "deploy"
_ELSEWHERE = {"storage", "local_artifact_storage", "compute_logs"}
OPEN = """
import sys, os
import dagster as dg
import pipelines.postgres_storage, pipelines.instance
print("ready", flush=True)
sys.stdin.readline()
with dg.DagsterInstance.get() as instance:
    run = instance.create_run_for_job(dg.GraphDefinition("nothing").to_job())
    with instance.compute_log_manager.open_log_stream([run.run_id, "compute_logs", "a"], dg_type()) as stream:
        stream.write("said")
    print(instance.get_runs_count(), instance.storage_directory(), repr(instance.get_ref().to_dict()), flush=True)
""".replace("dg_type()", "__import__('dagster._core.storage.compute_log_manager', fromlist=['x']).ComputeIOType.STDOUT")


def read(path: Path) -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load(path.read_text())
    return settings


def test_all_that_is_not_about_places_is_as_on_one_machine() -> None:
    one, several = read(PROJECT / "dagster.yaml"), read(DEPLOY / "dagster.yaml")
    assert one.keys() & several.keys() >= _ELSEWHERE
    for settings in (one, several):
        for name in _ELSEWHERE:
            del settings[name]
    assert several == one
    assert several["telemetry"] == {"enabled": False}


def test_no_password_is_written_in_a_shipped_file() -> None:
    (url,) = read(DEPLOY / "dagster.yaml")["storage"]["custom"]["config"].values()
    assert url == {"env": "NRDFER_DAGSTER_DATABASE"}


def test_the_commented_log_manager_is_one_that_can_be_used() -> None:
    pytest.importorskip("dagster_aws")
    lines = (DEPLOY / "dagster.yaml").read_text().splitlines()
    first = lines.index("# compute_logs:")
    commented = yaml.safe_load("\n".join(line.removeprefix("# ") for line in lines[first : first + 6]))["compute_logs"]
    found = getattr(importlib.import_module(commented["module"]), commented["class"])
    assert commented["config"].keys() <= found.config_type().keys()


@pytest.fixture(scope="module")
def server() -> Any:
    if reason := missing():
        pytest.skip(reason)
    with postgres_server("dagster", "mlflow") as started:
        yield started


def environment(server: PostgresServer, home: Path, database: str = "dagster") -> dict[str, str]:
    return os.environ | {
        "DAGSTER_HOME": str(DEPLOY),
        "NRDFER_HOME": str(home),
        "NRDFER_DAGSTER_DATABASE": server.url(database, scheme="postgresql"),
        "PYTHONPATH": str(PROJECT),
    }


def opening(server: PostgresServer, home: Path, database: str = "dagster") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", OPEN], cwd=home, env=environment(server, home, database), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_processes_that_are_the_first_at_once_all_work_after_one_that_was_killed(
    server: PostgresServer, tmp_path: Path
) -> None:
    server.ask("create schema nrdfer_dagster_new", "dagster")  # what a killed one leaves: nothing but this
    server.ask("create table nrdfer_dagster_new.runs (id int)", "dagster")
    started = [opening(server, tmp_path) for _ in range(4)]
    for process in started:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=1800) for process in started]
    assert [process.returncode for process in started] == [0] * 4, "\n".join(error[-1500:] for _, error in said)
    assert max(int(out.split()[0]) for out, _ in said) == 4
    assert {out.split()[1] for out, _ in said} == {str(tmp_path / "dagster" / "storage")}
    assert not any(server.password in out + error for out, error in said)
    assert len(list((tmp_path / "dagster/logs").glob("*/compute_logs/a.*"))) == 4
    schemas = server.ask("select nspname from pg_namespace where nspname like 'nrdfer%'", "dagster")
    assert schemas == []
    (version,) = server.ask("select count(*) from alembic_version", "dagster")
    assert version == (1,)
    (indexes,) = server.ask("select count(*) from secondary_indexes where migration_completed is not null", "dagster")
    assert int(str(indexes[0])) > 0  # Dagster's migrations of data are marked as done


@pytest.mark.slow
def test_the_database_of_mlflow_is_refused(server: PostgresServer, tmp_path: Path) -> None:
    server.ask("create table experiments (id int)", "mlflow")
    out, error = opening(server, tmp_path, "mlflow").communicate("\n", timeout=1800)
    assert "create another database for Dagster" in error, out + error
    assert server.ask("select tablename from pg_tables where schemaname = 'public'", "mlflow") == [("experiments",)]
