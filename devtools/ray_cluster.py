"""A Ray cluster on this machine: a head, and two hosts with a hostname and a process table of their own.

Everything is in one folder, sends nothing, and ends with the context. Ray's own ports are open to other machines
whatever address it is given: they answer only clients that know a token. Keep out: what is run on it.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from devtools.namespace_host import NamespaceHost, free_ports, obstacle, wait_until
from nrdfer.core.processes import die_with_parent

_PORTS = (
    "node-manager-port", "object-manager-port", "metrics-export-port", "runtime-env-agent-port",
    "dashboard-agent-listen-port", "dashboard-agent-grpc-port",
)  # fmt: skip
#: Of loopback, but not the one that Ray replaces by the machine's own address, on which others could reach it.
ADDRESS = "127.0.0.2"
_WORKERS = 60  # ports of the workers of a node
_FIRST = 42000  # of those, for the head; 1,000 more for each node


def missing() -> str:
    """Reason why there can be no cluster here; empty if there can."""
    absent = [name for name in ("ray", "dagster_ray", "aiohttp_cors") if importlib.util.find_spec(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else obstacle()


def start_line(number: int) -> list[str]:
    """``ray start`` of the head (0) or of a node, with ports of its own, so that several fit on one machine."""
    first = _FIRST + 1000 * number
    ports = [f"--{name}={port}" for name, port in zip(_PORTS, free_ports(len(_PORTS)), strict=True)]
    return [
        str(Path(sys.executable).parent / "ray"), "start", "--block", "--disable-usage-stats",
        f"--node-ip-address={ADDRESS}", f"--min-worker-port={first}", f"--max-worker-port={first + _WORKERS}",
        "--object-store-memory=100000000", *ports,
    ]  # fmt: skip


def token_variables(token: str) -> dict[str, str]:
    """Variables with which Ray's processes and clients use a token."""
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}


def token_header(token: str) -> dict[str, str]:
    """Header of a request to Ray's dashboard."""
    return {"Authorization": f"Bearer {token}"}


def alive_nodes(dashboard: str, token: str) -> int:
    """How many nodes of a cluster are alive, its head included; none while its dashboard does not answer."""
    asked = urllib.request.Request(f"{dashboard}/nodes?view=summary", headers=token_header(token))  # noqa: S310
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310 - our own
            return int(answer.read().count(b'"state": "ALIVE"'))
    except (OSError, urllib.error.URLError):
        return 0


class RayCluster:
    """A running cluster.

    Args:
        folder: for its files; short, because of the sockets in it.
        cpus: of each of the two hosts; the head runs no step.
    """

    def __init__(self, folder: Path, cpus: int = 2) -> None:
        self.folder = folder
        self.nodes = [NamespaceHost(f"node{number}", folder / f"node{number}.log") for number in (1, 2)]
        self._cpus, self.token = cpus, secrets.token_hex(32)
        self._port, self._dashboard = free_ports(2)
        self._head: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which the project uses this cluster."""
        return {
            "RAY_ADDRESS": f"http://127.0.0.1:{self._dashboard}",
            "NRDFER_EXECUTOR": "ray",
            **token_variables(self.token),
        }

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        head = [
            *start_line(0), "--head", f"--port={self._port}", "--num-cpus=0", "--dashboard-host=127.0.0.1",
            f"--dashboard-port={self._dashboard}", "--include-dashboard=true", f"--temp-dir={self.folder}/ray",
        ]  # fmt: skip
        try:
            with (self.folder / "head.log").open("wb") as log:
                self._head = subprocess.Popen(  # noqa: S603
                    head, env=self._variables(), stdout=log, stderr=log, preexec_fn=die_with_parent
                )
            wait_until("Ray's dashboard answers", lambda: self.alive() >= 1)
            for number, node in enumerate(self.nodes):  # one after the other: they count up the same names of files
                wait_until(f"{node.name} is alive", functools.partial(self._comes_up, number), 300)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start_node(self, number: int) -> None:
        """Start a host, also again after `kill_node`."""
        line = [*start_line(number + 1), f"--address={ADDRESS}:{self._port}", f"--num-cpus={self._cpus}"]
        self.nodes[number].start(line, self._variables())

    def kill_node(self, number: int) -> None:
        """SIGKILL to everything on a host."""
        self.nodes[number].kill()

    def alive(self) -> int:
        """Nodes that Ray calls alive, the head included."""
        return alive_nodes(self.environment["RAY_ADDRESS"], self.token)

    def close(self) -> None:
        """End everything."""
        for node in self.nodes:
            node.kill()
        if self._head is not None:
            below = psutil.Process(self._head.pid).children(recursive=True) if self._head.poll() is None else []
            for process in below:
                process.kill()
            self._head.kill()
            self._head.wait()
            psutil.wait_procs(below, timeout=10)
            self._head = None

    def _comes_up(self, number: int) -> bool:
        """Whether a host is alive; one that gave up, as Ray does after 30 seconds, is started again."""
        if not self.nodes[number].runs:
            self.start_node(number)
        return self.alive() >= number + 2

    def _variables(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        patient = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_JOB_START_TIMEOUT_SECONDS": "86400"}
        return (
            kept
            | patient
            | token_variables(self.token)
            | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"}
        )
