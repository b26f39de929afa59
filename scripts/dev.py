"""Serve Dagster's and MLflow's pages on this machine until Ctrl-C: ``make dev``.

Expects the activated virtual environment. Ports: ``DAGSTER_PORT`` and ``MLFLOW_PORT``, else those this project had
first, else 3000 and 5000; a port that is taken is skipped, with a message. Keep out: targets of links
(``nrdfer/tracking/ui_urls.py``).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil
from rich.console import Console

from nrdfer.core import paths
from nrdfer.core.addresses import displayed
from nrdfer.core.atomic_files import write_whole
from nrdfer.core.file_locks import lock
from nrdfer.core.processes import die_with_parent
from nrdfer.tracking.ui_urls import (
    HOST,
    TRAINING_VIEW,
    VARIABLES,
    address,
    mlflow_page,
    remember_ports,
    remembered_ports,
)

PATIENCE = 180.0  # seconds until a server must have answered; a cold disk takes long
TITLES = {"dagster": "Dagster", "mlflow": "MLflow"}
PORT_VARIABLES = {"dagster": "DAGSTER_PORT", "mlflow": "MLFLOW_PORT"}
HEALTH = {"dagster": "/server_info", "mlflow": "/health"}
LOADED = """{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError {
  ... on PythonError { message } } } } ... on PythonError { message } } }"""
console = Console(highlight=False, soft_wrap=True)


class StoppedError(Exception):
    """Somebody pressed Ctrl-C, closed the terminal or asked this process to end."""


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
            told = "\n".join(f"    {line}" for line in lines) or "    (its log is empty)"
            raise ServerError(f"{TITLES[self.name]} ended (status {status}). The end of {self.log}:\n{told}")

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
        return [sys.executable, "-m", "dagster", "dev", "--host", HOST, "--port", str(port)]
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


def is_free(port: int) -> bool:
    """Whether a server could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def choose_ports(names: list[str]) -> dict[str, int]:
    """A free port for each page: the requested one, or the next, with a message."""
    first_time = not (paths.home() / "pages.json").exists()
    home, chosen = remembered_ports(), dict[str, int]()
    for name in names:
        wished = os.environ.get(PORT_VARIABLES[name], "")
        if wished and not (wished.isdigit() and 0 < int(wished) < 65536):
            raise ServerError(f"{PORT_VARIABLES[name]}={wished!r} is no port: give a number from 1 to 65535")
        first = int(wished) if wished else home[name]
        free = (port for port in range(first, 65536) if port not in chosen.values() and is_free(port))
        port = next(free, 0)
        if not port:
            raise ServerError(
                f"no port from {first} on is free for {TITLES[name]}; set {PORT_VARIABLES[name]} to another"
            )
        if port != first:
            console.print(f"port {first} is taken: {TITLES[name]} gets {port}. Links written earlier lead to {first}.")
        chosen[name] = port
        if wished or first_time:
            home[name] = port
    remember_ports(home)
    return chosen


def environment_of_servers(ports: dict[str, int]) -> dict[str, str]:
    """What the servers, and all runs they start, find in their environment: above all each other's addresses."""
    environment = {**os.environ, "NRDFER_HOME": str(paths.home()), "MLFLOW_TRACKING_URI": paths.tracking_uri()}
    environment["MLFLOW_BACKEND_STORE_URI"] = paths.tracking_uri()  # not on a command line, which everybody can read
    environment |= {VARIABLES[name]: address(port) for name, port in ports.items()}
    environment |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    # jobs of MLflow's own, for language models; they would be two more processes
    environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    environment.pop("DAGSTER_MODULE_NAME", None)  # the pages read workspace.yaml, and refuse to have both
    return environment


def make_database(environment: dict[str, str]) -> None:
    """Make MLflow's database if there is none, under the lock that runs take: two makers at once crash MLflow."""
    line = [sys.executable, "-c", "from nrdfer.tracking.client import Tracking; Tracking().experiment_id"]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, start_new_session=True)  # noqa: S603
    if done.returncode:
        raise ServerError(f"MLflow's database {displayed(paths.tracking_uri())} cannot be used:\n{done.stderr[-2000:]}")


def wait_for(servers: list[Server]) -> None:
    """Wait until all answer; shows that it waits."""
    begun, told = time.monotonic(), 0.0
    with console.status("") as status:
        while waiting := [server for server in servers if not server.answers()]:
            for server in servers:
                server.complain_if_ended()
            names, seconds = " and ".join(TITLES[server.name] for server in waiting), time.monotonic() - begun
            if seconds > PATIENCE:
                logs = " and ".join(str(server.log) for server in waiting)
                raise ServerError(f"{names} did not answer within {PATIENCE:.0f} s; see {logs}")
            status.update(f"waiting for {names} ({seconds:.0f} s)")
            if not console.is_terminal and seconds - told > 10:
                told = seconds
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


@contextmanager
def only_once() -> Iterator[IO[str] | None]:
    """Hold this project's lock on its pages; None if another process holds it. The kernel frees it at any end."""
    paths.home().mkdir(parents=True, exist_ok=True)
    with (paths.home() / "pages.lock").open("a") as handle:
        yield handle if lock(handle, Path(handle.name), wait=False) else None


def tell_who_runs(running: Path) -> None:
    """Say where the pages of this project already are."""
    try:
        found = json.loads(running.read_text())
        console.print("The pages of this project run already:")
        tell_addresses(found["dagster"], found["mlflow"])
        console.print(f"Ctrl-C there, or `kill {found['pid']}`, stops both.")
    except (OSError, ValueError, KeyError):
        console.print(
            f"The pages of this project ({paths.home()}) are just being started or stopped by another `make dev`."
        )


def tell_addresses(dagster: str, mlflow: str) -> None:
    """Where the pages are."""
    console.print(f"Dagster  {dagster}\nMLflow   {mlflow}")
    console.print(f"models:  {mlflow}/#/models?{TRAINING_VIEW}  (or press Model training, top left in MLflow)")


def serve(running: Path) -> None:
    """Start both, tell where they are, and watch them until one ends."""
    own = not paths.tracking_uri().startswith(("http://", "https://"))  # else runs are kept on the user's own server
    ports = choose_ports(["dagster", "mlflow"] if own else ["dagster"])
    environment = environment_of_servers(ports)
    servers: list[Server] = []
    try:
        console.print(f"starting {' and '.join(TITLES[name] for name in ports)}; their logs are in {paths.home()}")
        servers.append(start("dagster", ports["dagster"], environment))
        if own:
            make_database(environment)
            servers.append(start("mlflow", ports["mlflow"], environment))
        wait_for(servers)
        complain_if_not_loaded(servers[0])
        repair(environment)
        addresses = address(ports["dagster"]), address(ports["mlflow"]) if own else mlflow_page()
        write_whole(running, json.dumps({"pid": os.getpid(), "dagster": addresses[0], "mlflow": addresses[1]}).encode())
        tell_addresses(*addresses)
        console.print("Ctrl-C stops both.")
        while True:
            for server in servers:
                server.complain_if_ended()
            time.sleep(0.5)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # impatience must leave nothing behind; this takes seconds
        running.unlink(missing_ok=True)
        console.print("stopping")
        stop(servers)


def repair(environment: dict[str, str]) -> None:
    """Clear what runs that were killed left behind, so that the pages show no run that nobody runs.

    After the servers' start: then Dagster's history is there, and no other process makes it at the same time.
    """
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.repair"], env=environment, capture_output=True, text=True, timeout=120
    )
    told = [line for line in done.stderr.splitlines() if "was killed" in line or "is ended" in line]
    if done.returncode:
        console.print(f"runs that were killed could not be looked for: {done.stderr.strip()[-500:]}", markup=False)
    for line in told:
        console.print(line, markup=False)


def main() -> int:
    """Run until a signal ends it; returns the exit status."""

    def end(*_: object) -> None:
        raise StoppedError

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)  # also where a shell has told its background jobs to ignore Ctrl-C
    running = paths.home() / "pages-running.json"
    with only_once() as lock:
        if lock is None:
            tell_who_runs(running)
            return 0
        try:
            running.unlink(missing_ok=True)  # of one that was killed
            serve(running)
        except StoppedError:
            return 0
        except ServerError as error:
            console.print(str(error), markup=False)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
