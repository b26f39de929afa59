"""The whole job with Dagster and MLflow on a PostgreSQL server, which is restarted and first opened by many at once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from devtools.postgres_project import dagster_runs, held_slots, mlflow_runs, on_postgres, texts
from devtools.postgres_server import PostgresServer, missing, postgres_server
from devtools.tiny_project import LINE, PROJECT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]
FOLDS = 5
DATA = ["dagster", "job", "execute", "-j", "preprocessing"]


_PATIENCE = 3600.0  # every step opens connections; on a busy machine the job takes long


def execute(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(LINE, cwd=folder, env=environment, capture_output=True, text=True, timeout=_PATIENCE)


class Ran(NamedTuple):
    server: PostgresServer
    folder: Path
    environment: dict[str, str]
    told: str


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """One run of the whole job, with all five folds in the pool at once."""
    folder = tmp_path_factory.mktemp("postgres") / "project"
    with postgres_server() as server:
        environment = on_postgres(server, folder, epochs=1)
        line = ["dagster", "instance", "concurrency", "set", "gpu", str(FOLDS)]
        subprocess.run(line, cwd=folder, env=environment, check=True, capture_output=True, timeout=_PATIENCE)
        done = execute(folder, environment)
        assert done.returncode == 0, done.stderr[-6000:]
        yield Ran(server, folder, environment, done.stdout + done.stderr)


def test_nothing_is_lost(ran: Ran) -> None:
    assert [status for _, status in dagster_runs(ran.server)] == ["SUCCESS"]
    assert mlflow_runs(ran.server) == [("pipeline", "FINISHED"), *[("training", "FINISHED")] * (FOLDS + 1)]
    assert held_slots(ran.server) == 0
    assert "Traceback" not in ran.told and "locked" not in ran.told
    assert not list(ran.folder.glob("mlruns")) and not list(ran.folder.glob(".dagster"))
    assert not (ran.folder / ".nrdfer" / "mlflow.db").exists()
    assert list((ran.folder / ".nrdfer" / "mlartifacts").rglob("MLmodel"))
    assert list((ran.folder / ".nrdfer" / "dagster" / "logs").glob("*/compute_logs/*.err"))


def test_lineage_reads_both_from_another_folder(ran: Ran, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "nrdfer.cli", "lineage", "--all", "--json"]
    done = subprocess.run(line, cwd=tmp_path, env=ran.environment, capture_output=True, text=True, timeout=_PATIENCE)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert (told["broken"], told["verified"], len(told["versions"])) == (0, True, FOLDS + 3)
    (run_id, _) = dagster_runs(ran.server)[0]
    links = [link for chain in told["versions"] for link in chain["links"] if link["kind"] == "Dagster run"]
    assert {link["digest"] for link in links} == {run_id}


def test_the_password_is_nowhere(ran: Ran) -> None:
    assert ran.server.password not in ran.told
    files = [path for path in ran.folder.rglob("*") if path.is_file()]
    assert len(files) > 100
    assert [path for path in files if ran.server.password.encode() in path.read_bytes()] == []
    assert ran.server.password not in texts(ran.server)
    assert sorted(path.name for path in (PROJECT / "deploy").iterdir() if path.name.startswith(".")) == []


def test_a_server_that_is_restarted_costs_at_most_a_repeated_line(ran: Ran) -> None:
    before = len(dagster_runs(ran.server))
    process = subprocess.Popen(
        LINE, cwd=ran.folder, env=ran.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    head = []
    for text in process.stdout:  # in the middle: some steps have ended
        head.append(text)
        if sum("STEP_SUCCESS" in line for line in head) == 4:
            break
    ran.server.stop()
    time.sleep(1)
    ran.server.start()
    told = "".join(head) + process.communicate(timeout=_PATIENCE)[0]
    if process.returncode:
        again = execute(ran.folder, ran.environment)
        assert again.returncode == 0, told[-3000:] + again.stderr[-3000:]
    states = [status for _, status in dagster_runs(ran.server)][before:]
    assert states[-1] == "SUCCESS" and set(states) <= {"SUCCESS", "FAILURE"}, told[-3000:]
    assert {status for _, status in mlflow_runs(ran.server)} <= {"FINISHED", "FAILED"}
    assert held_slots(ran.server) == 0


def test_starts_at_the_same_moment_on_empty_databases(tmp_path: Path, ran: Ran) -> None:
    count = 4
    with postgres_server() as server:
        folder = tmp_path / "project"
        environment = on_postgres(server, folder)
        (folder / ".nrdfer").mkdir()
        for part in ("corpus", "store", "pointers"):  # ready, so that each only looks at it
            (folder / ".nrdfer" / part).symlink_to(ran.folder / ".nrdfer" / part)
        started = [
            subprocess.Popen(
                DATA, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            for _ in range(count)
        ]
        told = [process.communicate(timeout=_PATIENCE)[0] for process in started]
        assert [process.returncode for process in started] == [0] * count, "\n".join(text[-1500:] for text in told)
        assert [status for _, status in dagster_runs(server)] == ["SUCCESS"] * count
        assert mlflow_runs(server) == [("pipeline", "FINISHED")] * count
        assert not any("Traceback" in text or "locked" in text for text in told)
