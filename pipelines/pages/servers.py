"""Servers of the two pages: starting them, waiting until they answer, and ending them with all their children.

Keep out: which ports they get (``ports.py``), and when they run (``serve.py``).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from nrdfer.core import paths
from nrdfer.core.processes import die_with_parent
from nrdfer.tracking.ui_urls import HOST, address
from pipelines.project.environment import MODULE

PATIENCE = 180.0  # seconds until a server must have answered; a cold disk takes long
TITLES = {"dagster": "Dagster", "mlflow": "MLflow"}
HEALTH = {"dagster": "/server_info", "mlflow": "/health"}
LOADED = """{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError {
  ... on PythonError { message } } } } ... on PythonError { message } } }"""
console = Console(highlight=False, soft_wrap=True)


class ServerError(Exception):
    """A server did not start, or ended by itself; the message is for a person."""


@dataclass
class Server:
    """One page's server in a process group of its own, which holds all its children."""

    name: str  # "dagster" or "mlflow"
    port: int
    log: Path
    process: subprocess.Popen[bytes]

    def complain_if_ended(self) -> None:
        """Raise a ServerError with the last lines of the log if the server has ended."""
        status = self.process.poll()
        if status is not None:
            lines = self.log.read_text(errors="replace").splitlines()[-15:]
            ending = "\n".join(f"    {line}" for line in lines) or "    (its log is empty)"
            raise ServerError(f"{TITLES[self.name]} ended (status {status}). The end of {self.log}:\n{ending}")

    def answers(self) -> bool:
        """Whether the page answers now."""
        try:
            with urllib.request.urlopen(address(self.port) + HEALTH[self.name], timeout=5):  # noqa: S310 - our own
                return True
        except (OSError, urllib.error.URLError):
            return False


def command(name: str, port: int) -> list[str]:
    """The line that starts a server; `-m` takes this environment's own, whatever PATH says."""
    if name == "dagster":
        graph = [] if Path("workspace.yaml").is_file() else ["-m", MODULE]
        return [sys.executable, "-m", "dagster", "dev", *graph, "--host", HOST, "--port", str(port)]
    return [
        sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1",
        "--default-artifact-root", paths.tracking_artifacts().as_uri(),
    ]  # fmt: skip


def start(name: str, port: int, environment: dict[str, str]) -> Server:
    """Start a server; its output goes to a log in the project's home."""
    log = paths.home() / ("dagster-dev.log" if name == "dagster" else "mlflow-ui.log")
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603
            command(name, port),
            env=environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
            # if this process is killed, too: Dagster ends its own children when it is told to end
            preexec_fn=lambda: die_with_parent(number=signal.SIGTERM),
        )
    return Server(name, port, log, process)


def wait_for(servers: list[Server]) -> None:
    """Wait until all answer; shows that it waits."""
    begun, printed = time.monotonic(), 0.0
    with console.status("") as status:
        while waiting := [server for server in servers if not server.answers()]:
            for server in servers:
                server.complain_if_ended()
            names, seconds = " and ".join(TITLES[server.name] for server in waiting), time.monotonic() - begun
            if seconds > PATIENCE:
                logs = " and ".join(str(server.log) for server in waiting)
                raise ServerError(f"{names} did not answer within {PATIENCE:.0f} s; see {logs}")
            status.update(f"waiting for {names} ({seconds:.0f} s)")
            if not console.is_terminal and seconds - printed > 10:
                printed = seconds
                console.print(f"waiting for {names} ({seconds:.0f} s)")
            time.sleep(0.3)


def complain_if_not_loaded(dagster: Server) -> None:
    """Report if Dagster answers without the graph, which its page shows in a corner only."""
    body = json.dumps({"query": LOADED}).encode()
    request = urllib.request.Request(address(dagster.port) + "/graphql", body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own
        workspace = json.loads(answer.read())["data"]["workspaceOrError"]
    entries: list[dict[str, Any]] = [entry["locationOrLoadError"] for entry in workspace.get("locationEntries", [])]
    for message in filter(None, [workspace.get("message"), *(entry.get("message") for entry in entries)]):
        console.print(f"Dagster answers, but the graph could not be loaded:\n{message}")


def stop(servers: list[Server]) -> None:
    """End the servers with all their children, politely first; returns when none is left."""
    everyone: dict[int, psutil.Process] = {}
    for server in servers:
        try:
            leader = psutil.Process(server.process.pid)
            everyone |= {process.pid: process for process in [leader, *leader.children(recursive=True)]}
        except psutil.NoSuchProcess:
            pass
        everyone |= {process.pid: process for process in psutil.process_iter() if _group(process) == server.process.pid}
    # Dagster ends its runs, the code server and the daemon in order when it is interrupted
    for server in servers:
        _signal_group(server, signal.SIGINT if server.name == "dagster" else signal.SIGTERM)
    alive = list(everyone.values())
    for patience, harder in ((10, signal.SIGTERM), (10, signal.SIGKILL), (10, None)):
        _, alive = psutil.wait_procs(alive, timeout=patience)
        if harder is None:
            break
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(harder)


def _group(process: psutil.Process) -> int | None:
    try:
        return os.getpgid(process.pid)
    except ProcessLookupError:
        return None


def _signal_group(server: Server, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(server.process.pid, number)
