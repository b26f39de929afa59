"""The paper's tables through the lines that the documentation names: a backfill, and a job that trains nothing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from devtools.dagster_history import metadata_of_last, runs
from devtools.tiny_project import PROJECT, make_project

PARTITIONS = ["baseline|fd1", "baseline|fd2"]
Project = tuple[Path, dict[str, str]]


@pytest.fixture(scope="module")
def project(untouched: tuple[Path, dict[str, str], str], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which the main job has run: its data, its five folds, and which artefacts are its own."""
    folder = tmp_path_factory.mktemp("tables") / "project"
    environment = make_project(folder)
    for part in ("corpus", "store", "pointers"):
        shutil.copytree(untouched[0] / ".nrdfer" / part, folder / ".nrdfer" / part)
    shutil.copy(PROJECT / "workspace.yaml", folder)
    environment["DAGSTER_HOME"] = str(folder)  # as the activated environment does for a backfill
    return folder, environment


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - our own server
            return True
    except OSError:
        return False


@contextmanager
def pages(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """`dagster dev`, as ``make dev`` starts it: its daemon starts the runs of a backfill."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = ["dagster", "dev", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "dev.log").open("ab") as log:
        server = subprocess.Popen(line, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while not answers(f"http://127.0.0.1:{port}/server_info"):
            assert server.poll() is None and time.monotonic() < deadline, (folder / "dev.log").read_text()[-3000:]
            time.sleep(0.5)
        yield
    finally:
        os.killpg(server.pid, signal.SIGINT)
        try:
            server.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)


def backfill(folder: Path, environment: dict[str, str], partitions: list[str], expected: int) -> None:
    """Type the line, and wait until that many runs in all have ended; all must have succeeded."""
    line = ["dagster", "job", "backfill", "-j", "table_1", "--partitions", ",".join(partitions), "--noprompt"]
    typed = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert typed.returncode == 0, typed.stderr[-3000:]
    deadline = time.monotonic() + 420
    while time.monotonic() < deadline:
        states = [status for _, status in runs(folder)]
        if len(states) == expected and all(state in ("SUCCESS", "FAILURE") for state in states):
            break
        time.sleep(1)
    assert states == ["SUCCESS"] * expected, (folder / "dev.log").read_text()[-6000:]


def made(folder: Path, what: str) -> dict[Path, int]:
    found = (folder / ".nrdfer" / "store").glob(f"dfew/fd*/{what}/*/MANIFEST.json")
    return {path: path.stat().st_mtime_ns for path in found}


def newest(folder: Path, table: str) -> pd.DataFrame:
    found = (folder / ".nrdfer" / "store" / table / "table").glob("*/table.csv")
    return pd.read_csv(max(found, key=lambda path: path.stat().st_mtime_ns))


def test_a_backfill_fills_its_rows_and_the_same_line_again_trains_nothing(project: Project) -> None:
    folder, environment = project
    environment = {name: value for name, value in environment.items() if name != "DAGSTER_MODULE_NAME"}
    before = made(folder, "checkpoint")
    assert len(before) == 5
    with pages(folder, environment):
        backfill(folder, environment, PARTITIONS, expected=2)
        trained = made(folder, "checkpoint")
        evaluated = made(folder, "evaluation")
        assert {path: trained[path] for path in before} == before
        assert sorted(path.parts[-4] for path in set(trained) - set(before)) == ["fd1", "fd2"]
        backfill(folder, environment, PARTITIONS[:1], expected=3)
    assert made(folder, "checkpoint") == trained
    assert made(folder, "evaluation") == evaluated
    table = newest(folder, "table_1")
    measured = table.dropna(subset=["value"])
    # the main job's own network is the settings g and h: found, not trained
    assert set(measured["row"]) == {"g", "h"}
    assert set(table["row"]) == set("abcdefgh")
    found = (folder / ".nrdfer" / "store" / "table_1" / "table").glob("*/table.md")
    text = max(found, key=lambda path: path.stat().st_mtime_ns).read_text()
    assert "2 of 5 folds" in text and "not run" in text


def test_a_table_that_reads_the_folds_needs_no_daemon_and_no_training(project: Project) -> None:
    folder, environment = project
    before = made(folder, "checkpoint")
    line = ["dagster", "job", "execute", "-j", "table_2"]
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
    assert made(folder, "checkpoint") == before
    table = newest(folder, "table_2")
    assert set(table["row"]) == {f"S{s} L{w}" for w in (3, 6) for s in (1, 2, 3)}
    assert table["value"].notna().all()
    shown = metadata_of_last(folder)
    for asset in ("table_2/table", "table_1/table", "table_1/checkpoint", "table_1/evaluation"):
        assert {"mlflow_run", "source"} <= set(shown[asset]), asset
