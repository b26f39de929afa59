"""Start every service of a cluster on this machine, from packages: ``make cluster``.

    python -m scripts.cluster [--run] [--workers 2] [--folder DIR]

The services of ``deploy/compose.yaml`` without Docker: PostgreSQL, an object store, MLflow's server, Dagster's web
server and daemon, a Ray head and workers. All listen on 127.0.0.1 and keep what they make in one folder. With
``--run`` it then types ``dagster job execute -j full_reproduction`` with the profile of ``NRDFER_PROFILE`` (sample),
whose steps run on the workers. It ends everything on Ctrl-C, or after the run. The object store keeps its objects in
memory, so a folder is not started a second time. Keep out: the services for one machine (``scripts/dev.py``).
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from devtools.object_store import object_store
from devtools.own_places import take_folder
from devtools.postgres_server import PostgresServer, missing
from devtools.tiny_project import PROJECT
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
def service(name: str, line: list[str], environment: dict[str, str], folder: Path) -> Iterator[Service]:
    """Run a program in a process group of its own; at the end, end it with all its children, politely first."""
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603
            line, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True, preexec_fn=lambda: die_with_parent(number=signal.SIGTERM),
        )  # fmt: skip
    try:
        yield Service(name, process, log)
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started; returns when none is left."""
    everyone: list[psutil.Process] = []
    try:
        leader = psutil.Process(process.pid)
        everyone = [leader, *leader.children(recursive=True)]
    except psutil.NoSuchProcess:
        pass
    for number, patience in ((signal.SIGINT, 10), (signal.SIGTERM, 10), (signal.SIGKILL, 10)):
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


def nodes(address: str, environment: dict[str, str]) -> int:
    """How many nodes of a Ray cluster are alive, its head included."""
    code = (
        f"import ray; ray.init(address={address!r}, log_to_driver=False, logging_level='ERROR'); "
        "print(sum(node['Alive'] for node in ray.nodes()))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)  # noqa: S603
    return int(done.stdout.split()[-1]) if done.returncode == 0 and done.stdout.split() else 0


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
        store = self._stack.enter_context(object_store(BUCKET))
        # the only one with the keys of the objects
        mlflow = TrackingServer(
            self.folder / "mlflow", postgres.url("mlflow"), f"s3://{BUCKET}/mlflow", store.environment
        )
        self._stack.callback(mlflow.kill)
        mlflow.start()
        page = free_port()
        self.addresses = {
            "PostgreSQL": f"{HOST}:{postgres.port}", "object store": store.url, "MLflow": mlflow.uri,
            "Dagster": f"http://{HOST}:{page}",
        }  # fmt: skip
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "AWS_", "PG"))}
        kept.pop("DAGSTER_MODULE_NAME", None)
        return kept | {
            "DAGSTER_HOME": str(PROJECT / "deploy"),
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
        address = f"{HOST}:{free_port()}"
        # a short path: it holds sockets
        scratch = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="ray-"))
        begin = ["ray", "start", "--block", "--disable-usage-stats", "--node-ip-address", HOST]
        begin += ["--object-store-memory", str(100 << 20)]  # references only pass through it
        head = self._start(
            "ray-head", [*begin, "--head", "--port", address.rpartition(":")[2], "--num-cpus", "0",
                         "--include-dashboard", "false", "--temp-dir", scratch],
        )  # fmt: skip
        wait_until(lambda: nodes(address, self.environment) >= 1, head)
        each = max(1, (os.cpu_count() or 1) // workers)
        started = [
            self._start(f"ray-worker-{k}", [*begin, "--address", address, "--num-cpus", str(each)])
            for k in range(1, workers + 1)
        ]
        wait_until(lambda: nodes(address, self.environment) == 1 + workers, started[-1])
        self.addresses["Ray"] = self.environment["RAY_ADDRESS"] = address

    def watch(self) -> None:
        """Wait until Ctrl-C, or until a service ends by itself."""
        while True:
            for started in self.services:
                started.complain_if_ended()
            time.sleep(0.5)

    def run(self) -> int:
        """Type the line; its exit status."""
        return subprocess.run(LINE, cwd=self.folder, env=self.environment).returncode  # noqa: S603


def main() -> int:
    """Run until a signal or the end of the run; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", action="store_true", help="the whole job on the workers, and end")
    parser.add_argument("--workers", type=int, default=2, help="of Ray (2)")
    parser.add_argument("--folder", type=Path, help="a new one, which is kept; a temporary one otherwise")
    given = parser.parse_args()
    if reason := missing():
        print(reason, file=sys.stderr)
        return 1

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    try:
        with ExitStack() as stack:
            made = given.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cluster-")))
            folder = made.resolve()
            take_folder(folder)
            folder.chmod(0o711)  # the database's own user passes through it
            print(f"starting {', '.join(SERVICES)}; their logs are in {folder}", flush=True)
            cluster = Cluster(folder, given.workers, stack)
            for name, address in cluster.addresses.items():
                print(f"{name:13}  {address}", flush=True)
            if given.run:
                return cluster.run()
            print("Ctrl-C ends all.", flush=True)
            cluster.watch()
    except KeyboardInterrupt:
        return 0
    except ServiceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
