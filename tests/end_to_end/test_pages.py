"""After activation the plain lines work as typed; ``nrdfer dev`` serves both pages on localhost until it is stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from devtools.dagster_history import reasons, runs
from devtools.tiny_project import PROJECT, make_project
from tests.browser.servers import web_pages

QUESTION = """{
  runsOrError { ... on Runs { results { runId jobName } } }
  workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError { __typename } } } }
}"""
TYPED = ". .venv/bin/activate && nrdfer dev"  # what `make dev` does


@pytest.fixture
def activated(tmp_path: Path) -> tuple[Path, list[str], dict[str, str]]:
    """A project folder, the start of a shell line that activates, and an environment without our variables."""
    environment = make_project(tmp_path)
    shutil.copy(PROJECT / "workspace.yaml", tmp_path)
    (tmp_path / "scripts").mkdir()
    shutil.copy(PROJECT / "scripts" / "activate_hook.sh", tmp_path / "scripts")
    for room in ("pipelines", "assets"):  # whole: half a package would hide the other half
        (tmp_path / room).symlink_to(PROJECT / room)
    activate = tmp_path / ".venv" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.write_text(f'export PATH="{Path(sys.executable).parent}:$PATH"\n')
    subprocess.run([tmp_path / "scripts" / "activate_hook.sh", ".venv"], cwd=tmp_path, check=True)
    for name in ("DAGSTER_MODULE_NAME", "NRDFER_HOME"):
        del environment[name]
    return tmp_path, ["bash", "-c"], environment


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
    assert done.returncode != 0
    told = reasons(done.stdout + done.stderr)
    assert "there is no profile 'papr'" in told
    assert "profiles there: tiny" in told
    ((run_id, _),) = runs(folder)
    return run_id


@pytest.fixture
def taken() -> Iterator[tuple[int, int]]:
    """Two ports that somebody else listens on."""
    with socket.socket() as first, socket.socket() as second:
        for one in (first, second):
            one.bind(("127.0.0.1", 0))
            one.listen()
        yield first.getsockname()[1], second.getsockname()[1]


def answers(address: str) -> bool:
    try:
        ask(address)
    except (urllib.error.URLError, ConnectionError):
        return False
    return True


def test_both_pages_answer_although_their_ports_are_taken_and_end_together(
    activated: tuple[Path, list[str], dict[str, str]], history: str, taken: tuple[int, int]
) -> None:
    folder, shell, environment = activated
    wished = {"DAGSTER_PORT": str(taken[0]), "MLFLOW_PORT": str(taken[1])}
    with web_pages(folder, environment | wished, [*shell, TYPED]) as pages:
        dagster, mlflow = pages.address("Dagster"), pages.address("MLflow")
        for title, port, address in (("Dagster", taken[0], dagster), ("MLflow", taken[1], mlflow)):
            assert any(f"port {port} is taken: {title} gets {address.rsplit(':')[-1]}" in line for line in pages.said)
        found = json.loads(ask(f"{dagster}/graphql", QUESTION))["data"]
        assert [run["runId"] for run in found["runsOrError"]["results"]] == [history]
        (location,) = found["workspaceOrError"]["locationEntries"]
        assert (location["name"], location["locationOrLoadError"]["__typename"]) == ("nrdfer", "RepositoryLocation")
        assert ask(f"{mlflow}/health") == "OK"
        below = pages.below()
        listening = {c.laddr.ip for p in below for c in p.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}
        # servers, and so all runs that are launched in the page, know where links shall lead
        (server,) = [p for p in below if "mlflow server" in " ".join(p.cmdline())]
        assert {**server.environ(), "NRDFER_DAGSTER_URL": dagster, "NRDFER_MLFLOW_URL": mlflow} == server.environ()

        again = subprocess.run([*shell, TYPED], cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
        assert again.returncode == 0, again.stderr
        assert "run already" in again.stdout and dagster in again.stdout and mlflow in again.stdout

        os.killpg(pages.process.pid, signal.SIGINT)
        pages.process.wait(60)
        _, alive = psutil.wait_procs(below, timeout=30)
        assert alive == []
        assert not answers(f"{dagster}/server_info")


def test_a_server_that_dies_is_told_with_its_log_and_ends_the_other(tmp_path: Path) -> None:
    environment = make_project(tmp_path)
    home = tmp_path / ".nrdfer"
    with web_pages(tmp_path, environment) as pages:
        kept = json.loads((home / "pages.json").read_text())
        assert pages.address("MLflow") == f"http://127.0.0.1:{kept['mlflow']}"
        below = pages.below()
        (server,) = [p for p in below if "mlflow server" in " ".join(p.cmdline())]
        with (home / "mlflow-ui.log").open("a") as log:
            log.write("the last words of a server\n")
        server.kill()
        assert pages.process.wait(60) == 1
        _, alive = psutil.wait_procs(below, timeout=30)
        assert alive == []
    said = "\n".join(pages.said)
    assert "MLflow ended (status -9)" in said
    assert "the last words of a server" in said and str(home / "mlflow-ui.log") in said
    assert not (home / "pages-running.json").exists()
