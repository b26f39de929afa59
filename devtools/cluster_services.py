"""The services of ``deploy/compose.yaml`` without Docker, from packages, for this machine only.

PostgreSQL, an object store, MLflow's server, Dagster's web server and daemon, a Ray head and workers. All listen on
127.0.0.1, but for Ray's own ports, which answer only who knows its token; all end with the process that started them.
Keep out: options and the terminal (``scripts/cluster.py``).
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from devtools.postgres_server import PostgresServer
from devtools.ray_cluster import ADDRESS, alive_nodes, start_line, token_variables
from devtools.s3_server import s3_server
from devtools.tiny_project import PROJECT, copy_settings
from devtools.tracking_server import TrackingServer, free_port
from nrdfer.core.processes import die_with_parent

BUCKET = "nrdfer"
HOST = "127.0.0.1"
#: As deploy/compose.yaml names them.
SERVICES = ("postgres", "s3", "mlflow", "dagster-webserver", "dagster-daemon", "ray-head", "ray-worker")
LINE = ["dagster", "job", "execute", "-m", "pipelines.definitions", "-j", "full_reproduction"]
_PATIENCE = 300.0


class ServiceError(Exception):
    """A service did not start or ended by itself; the message is for a person."""


@dataclass
class Service:
    """A program that runs until it is told to end."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def complain_if_ended(self) -> None:
        """Raise a ServiceError with the end of the log if it has ended."""
        if self.process.poll() is not None:
            told = self.log.read_text(errors="replace")[-2000:]
            raise ServiceError(f"{self.name} ended (status {self.process.returncode}); the end of {self.log}:\n{told}")


@contextmanager
def service(
    name: str, line: list[str], environment: dict[str, str], folder: Path, *, polite: float = 10.0
) -> Iterator[Service]:
    """Run a program in a process group of its own; at the end, end it with all its children, politely first.

    Args:
        name: of the service, and of its log.
        line: to run.
        environment: of the program.
        folder: where it runs, and which has its log.
        polite: seconds that it is given to end after each of SIGINT and SIGTERM.
    """
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603
            line, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True, preexec_fn=lambda: die_with_parent(number=signal.SIGTERM),
        )  # fmt: skip
    try:
        yield Service(name, process, log)
    finally:
        end(process, polite)


def end(process: subprocess.Popen[bytes], polite: float = 10.0) -> None:
    """End a process and all that it started; returns when none is left. `polite` is as for `service`."""
    everyone: list[psutil.Process] = []
    try:
        leader = psutil.Process(process.pid)
        everyone = [leader, *leader.children(recursive=True)]
    except psutil.NoSuchProcess:
        pass
    for number, patience in ((signal.SIGINT, polite), (signal.SIGTERM, polite), (signal.SIGKILL, 10.0)):
        for one in everyone[:1] if number == signal.SIGINT else everyone:
            try:
                one.send_signal(number)
            except psutil.NoSuchProcess:
                continue
        _, everyone = psutil.wait_procs(everyone, timeout=patience)
        if not everyone:
            break
    process.wait()


def wait_until(answers: Callable[[], bool], service: Service) -> None:
    """Wait until a service answers."""
    deadline = time.monotonic() + _PATIENCE
    while not answers():
        service.complain_if_ended()
        if time.monotonic() > deadline:
            raise ServiceError(f"{service.name} did not answer within {_PATIENCE:.0f} s; see {service.log}")
        time.sleep(0.5)


def page_answers(address: str) -> bool:
    """Whether a web page answers now."""
    try:
        urllib.request.urlopen(address, timeout=5).close()  # noqa: S310 - our own
    except (OSError, urllib.error.URLError):
        return False
    return True


class Cluster:
    """The services that run, and the environment of what uses them."""

    def __init__(self, folder: Path, workers: int, stack: ExitStack) -> None:
        self.folder, self._stack, self.services = folder, stack, list[Service]()
        self.addresses: dict[str, str] = {}
        self.environment = self._state()
        self._ray(workers)
        self._pages()

    def _start(self, name: str, line: list[str]) -> Service:
        started = self._stack.enter_context(service(name, line, self.environment, self.folder))
        self.services.append(started)
        return started

    def _state(self) -> dict[str, str]:
        """Start what keeps state: PostgreSQL, the object store and MLflow's server; returns the environment."""
        postgres = self._stack.enter_context(PostgresServer(self.folder / "postgres"))
        postgres.create("dagster", "mlflow")
        store = self._stack.enter_context(s3_server(self.folder / "s3.log", BUCKET))
        # the only one with the keys of the objects
        mlflow = TrackingServer(
            self.folder / "mlflow", postgres.url("mlflow"), f"s3://{BUCKET}/mlflow", store.environment
        )
        self._stack.callback(mlflow.kill)
        mlflow.start()
        page = free_port()
        self.addresses = {
            "PostgreSQL": f"{HOST}:{postgres.port}", "object store": store.endpoint, "MLflow": mlflow.uri,
            "Dagster": f"http://{HOST}:{page}",
        }  # fmt: skip
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "AWS_", "PG"))}
        kept.pop("DAGSTER_MODULE_NAME", None)
        copy_settings(PROJECT / "deploy" / "dagster.yaml", self.folder / "deploy")
        return kept | {
            "DAGSTER_HOME": str(self.folder / "deploy"),
            "NRDFER_HOME": str(self.folder / "home"),
            "NRDFER_DAGSTER_DATABASE": postgres.url("dagster", "postgresql"),
            "NRDFER_EXECUTOR": "ray",
            "MLFLOW_TRACKING_URI": mlflow.uri,
            "NRDFER_MLFLOW_URL": mlflow.uri,
            "NRDFER_DAGSTER_URL": f"http://{HOST}:{page}",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "RAY_USAGE_STATS_ENABLED": "0",
        }

    def _pages(self) -> None:
        page = self.addresses["Dagster"]
        graph = ["-m", "pipelines.definitions"]
        server = self._start(
            "dagster-webserver", ["dagster-webserver", *graph, "--host", HOST, "--port", page.rpartition(":")[2]]
        )
        self._start("dagster-daemon", ["dagster-daemon", "run", *graph])
        wait_until(lambda: page_answers(f"{page}/server_info"), server)

    def _ray(self, workers: int) -> None:
        port, dashboard = free_port(), free_port()
        page, token = f"http://{HOST}:{dashboard}", secrets.token_hex(32)
        # Ray's own ports are open to other machines whatever address it is given: they answer who knows the token
        self.environment |= {"RAY_ADDRESS": page, **token_variables(token)}
        # a short path: it holds sockets
        scratch = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="ray-"))
        head = self._start(
            "ray-head", [*start_line(0), "--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=true",
                         f"--dashboard-host={HOST}", f"--dashboard-port={dashboard}", f"--temp-dir={scratch}"],
        )  # fmt: skip
        wait_until(lambda: alive_nodes(page, token) >= 1, head)
        each = max(1, (os.cpu_count() or 1) // workers)
        for number in range(1, workers + 1):  # one after the other: they count up the same names of files
            line = [*start_line(number), f"--address={ADDRESS}:{port}", f"--num-cpus={each}"]
            worker, self._nodes = self._start(f"ray-worker-{number}", line), 1 + number
            wait_until(lambda: alive_nodes(page, token) >= self._nodes, worker)
        self.addresses["Ray"] = page

    def watch(self) -> None:
        """Wait until Ctrl-C, or until a service ends by itself."""
        while True:
            for started in self.services:
                started.complain_if_ended()
            time.sleep(0.5)

    def run(self) -> int:
        """Type the line; its exit status."""
        return subprocess.run(LINE, cwd=self.folder, env=self.environment).returncode  # noqa: S603
