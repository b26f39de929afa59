"""After activation the plain lines work as typed; ``make dev`` serves both pages on localhost until it is stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.project import PROJECT, make_project, runs

QUESTION = """{
  runsOrError { ... on Runs { results { runId jobName } } }
  workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError { __typename } } } }
}"""


@pytest.fixture
def activated(tmp_path: Path) -> tuple[Path, list[str], dict[str, str]]:
    """A project folder, the start of a shell line that activates, and an environment without our variables."""
    environment = make_project(tmp_path)
    shutil.copy(PROJECT / "workspace.yaml", tmp_path)
    shutil.copytree(PROJECT / "scripts", tmp_path / "scripts")
    activate = tmp_path / ".venv" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.write_text(f'export PATH="{Path(sys.executable).parent}:$PATH"\n')
    subprocess.run([tmp_path / "scripts" / "activate_hook.sh", ".venv"], cwd=tmp_path, check=True)
    for name in ("DAGSTER_MODULE_NAME", "NRDFER_HOME"):
        del environment[name]
    return tmp_path, ["bash", "-c"], environment


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def ask(url: str, question: str | None = None) -> str:
    data = None if question is None else json.dumps({"query": question}).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return str(answer.read().decode())


@pytest.fixture
def history(activated: tuple[Path, list[str], dict[str, str]]) -> str:
    """Id of a run of the command line; it fails at once, because its profile needs data."""
    folder, shell, environment = activated
    line = ". .venv/bin/activate && dagster job execute -j full_reproduction"
    done = subprocess.run(
        [*shell, line], cwd=folder, env={**environment, "NRDFER_PROFILE": "papr"}, capture_output=True, text=True
    )
    assert "there is no profile 'papr'" in done.stdout + done.stderr
    ((run_id, _),) = runs(folder)
    return run_id


@pytest.fixture
def pages(
    activated: tuple[Path, list[str], dict[str, str]], history: str
) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    folder, shell, environment = activated
    ports = {"DAGSTER_PORT": str(free_port()), "MLFLOW_PORT": str(free_port())}
    process = subprocess.Popen(
        [*shell, ". .venv/bin/activate && scripts/dev.sh"],
        cwd=folder,
        env=environment | ports,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a test run in the background ignores SIGINT, and so would the script: a shell cannot trap what it ignores
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    try:
        assert "Ctrl-C stops both" in said, (folder / ".nrdfer" / "dagster-dev.log").read_text()
        words = said.split()
        yield process, words[1], words[3]
    finally:
        if process.poll() is None:  # its servers have process groups of their own
            for below in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
                below.kill()


def test_both_pages_answer_and_end_together(pages: tuple[subprocess.Popen[str], str, str], history: str) -> None:
    process, dagster, mlflow = pages
    found = json.loads(ask(f"{dagster}/graphql", QUESTION))["data"]
    assert [run["runId"] for run in found["runsOrError"]["results"]] == [history]
    (location,) = found["workspaceOrError"]["locationEntries"]
    assert (location["name"], location["locationOrLoadError"]["__typename"]) == ("nrdfer", "RepositoryLocation")
    assert ask(f"{mlflow}/health") == "OK"
    below = psutil.Process(process.pid).children(recursive=True)
    listening = {c.laddr.ip for p in below for c in p.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}
    os.killpg(process.pid, signal.SIGINT)
    process.wait(60)
    _, alive = psutil.wait_procs(below, timeout=30)
    assert alive == []
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            ask(f"{dagster}/server_info")
        except (urllib.error.URLError, ConnectionError):
            return
    pytest.fail("Dagster's page still answers")
