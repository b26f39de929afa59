"""A tiny project whose history, of Dagster and of MLflow, is on a PostgreSQL server; and what that server then holds.

Keep out: the server (`devtools.postgres_server`), and projects on SQLite (`devtools.job_state`).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from devtools.postgres_server import PostgresServer, program
from devtools.tiny_project import PROJECT, copy_settings, make_project

DAGSTER, MLFLOW = "dagster", "mlflow"  # names of the two databases


def on_postgres(server: PostgresServer, folder: Path, **changes: Any) -> dict[str, str]:
    """A folder with a tiny profile, without settings of Dagster; returns the environment that names the server.

    Args:
        server: that runs; its two databases are made if missing.
        folder: to make or to fill.
        **changes: as `devtools.tiny_project.make_project` takes them.
    """
    there = {row[0] for row in server.ask("select datname from pg_database", "postgres")}
    server.create(*(name for name in (DAGSTER, MLFLOW) if name not in there))
    environment = make_project(folder, **changes)
    (folder / "dagster.yaml").unlink()
    copy_settings(PROJECT / "deploy" / "dagster.yaml", folder / "deploy")
    return environment | {
        "DAGSTER_HOME": str(folder / "deploy"),
        "NRDFER_DAGSTER_DATABASE": server.url(DAGSTER, scheme="postgresql"),
        "MLFLOW_TRACKING_URI": server.url(MLFLOW, scheme="postgresql"),
    }


def dagster_runs(server: PostgresServer) -> list[tuple[str, str]]:
    """Id and status of each run, oldest first."""
    rows = server.ask("select run_id, status from runs order by id", DAGSTER)
    return [(str(run_id), str(status)) for run_id, status in rows]


def mlflow_runs(server: PostgresServer) -> list[tuple[str, str]]:
    """Role and status of each run that this project made, sorted."""
    question = "select value, status from tags join runs using (run_uuid) where key = 'nrdfer.role' order by 1, 2"
    return [(str(role), str(status)) for role, status in server.ask(question, MLFLOW)]


def held_slots(server: PostgresServer) -> int:
    """Pool slots that are claimed, and steps that wait for one."""
    claimed = server.ask("select run_id from concurrency_slots where run_id is not null", DAGSTER)
    return len(claimed) + len(server.ask("select run_id from pending_steps", DAGSTER))


def texts(server: PostgresServer) -> str:
    """Everything that both databases hold, as the text of a dump."""
    told = []
    for name in (DAGSTER, MLFLOW):
        address = server.url(name, "postgresql").replace(f":{server.password}", "")
        line = [str(program("pg_dump")), "--data-only", address]
        environment = os.environ | {"PGPASSWORD": server.password}
        told.append(subprocess.run(line, env=environment, capture_output=True, text=True, check=True).stdout)  # noqa: S603
    return "\n".join(told)
