"""Both pages from their start until Ctrl-C: ``nrdfer dev``.

Expects the environment of the project (``pipelines/project/environment.py``). Keep out: targets of links
(``nrdfer/tracking/ui_urls.py``).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from nrdfer.core import paths
from nrdfer.core.addresses import displayed
from nrdfer.core.atomic_files import write_whole
from nrdfer.core.file_locks import lock
from nrdfer.tracking.ui_urls import TRAINING_VIEW, VARIABLES, address, mlflow_page, runs_page
from pipelines.pages.ports import choose_ports
from pipelines.pages.servers import (
    TITLES,
    Server,
    ServerError,
    complain_if_not_loaded,
    console,
    start,
    stop,
    wait_for,
)

_REPAIR = 120  # seconds


class StoppedError(Exception):
    """Somebody pressed Ctrl-C, closed the terminal or asked this process to end."""


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
            f"The pages of this project ({paths.home()}) are just being started or stopped by another `nrdfer dev`."
        )


def tell_addresses(dagster: str, mlflow: str) -> None:
    """Where the pages are."""
    console.print(f"Dagster  {dagster}\nMLflow   {mlflow}")
    console.print(f"runs:    {runs_page(mlflow)}  (or press Model training, top left in MLflow)", soft_wrap=True)
    console.print(f"models:  {mlflow}/#/models?{TRAINING_VIEW}")


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
    command = [sys.executable, "-m", "pipelines.repair"]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_REPAIR)  # noqa: S603
    except subprocess.TimeoutExpired:
        console.print(f"runs that were killed could not be looked for within {_REPAIR} s; the pages may show them")
        return
    lines = [line for line in done.stderr.splitlines() if "was killed" in line or "is ended" in line]
    if done.returncode:
        console.print(f"runs that were killed could not be looked for: {done.stderr.strip()[-500:]}", markup=False)
    for line in lines:
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
