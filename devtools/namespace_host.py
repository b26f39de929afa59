"""A host on this machine: processes with a hostname and a process table of their own, which can be killed at once.

Linux namespaces, made by ``unshare``, which needs root. The network and all files are this machine's. Keep out: what
runs on it (`devtools.slurm_cluster`, `devtools.ray_cluster`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from nrdfer.core.processes import die_with_parent

_UNSHARE = ("unshare", "--pid", "--uts", "--mount-proc", "--fork", "--kill-child")


def obstacle() -> str:
    """Reason why there can be no such host here; empty if there can."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return "namespaces need Linux and the program unshare"
    if os.geteuid() != 0:
        return "namespaces with a process table of their own need root"
    done = subprocess.run([*_UNSHARE, "hostname", "trial"], capture_output=True, text=True)  # noqa: S603
    return "" if done.returncode == 0 else f"this machine allows no namespaces: {done.stderr.strip()}"


class NamespaceHost:
    """A host that runs one command, and everything that this starts.

    Args:
        name: hostname.
        log: file that gets the output.
        others: names of further hosts, which it finds at this machine's loopback.
    """

    def __init__(self, name: str, log: Path, others: Sequence[str] = ()) -> None:
        self.name = name
        self._others = others
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the command."""
        hosts = self._log.with_suffix(".hosts")  # its name has the address of this machine's loopback
        names = " ".join(("localhost", self.name, *self._others))
        hosts.write_text(f"127.0.0.1 {names}\n{Path('/etc/hosts').read_text()}")
        script = 'mount --bind "$1" /etc/hosts && hostname "$0" && shift && { "$@" & wait; }'
        line = [*_UNSHARE, "sh", "-c", script, self.name, str(hosts), *command]
        with self._log.open("ab") as log:
            # a host must not outlive a test that is killed; unshare's own child ends with it
            self._process = subprocess.Popen(  # noqa: S603
                line, env=dict(environment), stdout=log, stderr=log, preexec_fn=die_with_parent
            )

    @property
    def runs(self) -> bool:
        """Whether the host is up."""
        return self._process is not None and self._process.poll() is None

    def processes(self) -> list[psutil.Process]:
        """Processes of the host, but for the two that make it."""
        if self._process is None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            below = psutil.Process(self._process.pid).children(recursive=True)
            return [process for process in below[1:] if process.is_running()]
        return []

    def kill(self) -> None:
        """SIGKILL to all of its processes at once, as when a machine loses its power."""
        if self._process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess, IndexError):
            psutil.Process(self._process.pid).children()[0].send_signal(signal.SIGKILL)  # the kernel ends all others
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()
        self._process.wait()
        self._process = None


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody uses now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def wait_until(what: str, is_so: Callable[[], bool], patience: float = 120.0) -> None:
    """Wait until something is so.

    Raises:
        TimeoutError: it was not within `patience` seconds.
    """
    deadline = time.monotonic() + patience
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {patience:.0f} s")
        time.sleep(0.2)
