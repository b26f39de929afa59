"""A Slurm cluster on this machine: a controller, and two hosts with a hostname and a process table of their own.

From Debian's packages ``slurmctld``, ``slurmd``, ``slurm-client`` and ``munge``; everything is on 127.0.0.1, in one
folder, and ends with the context. Keep out: what is run on it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from devtools.namespace_host import NamespaceHost, free_ports, obstacle, wait_until
from nrdfer.core.processes import die_with_parent

_PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "munged")
_CONFIGURATION = """\
ClusterName=trial
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SlurmdTimeout={timeout}
KillWait=10
MinJobAge=3600
ReturnToService=2
{nodes}
PartitionName=all Nodes=ALL Default=YES State=UP
"""


def missing() -> str:
    """Reason why there can be no cluster here; empty if there can."""
    absent = [name for name in _PROGRAMS if shutil.which(name, path=_path()) is None]
    if absent:
        return f"Slurm is not installed ({', '.join(absent)}): apt-get install slurmctld slurmd slurm-client munge"
    return obstacle()


def _path() -> str:
    return f"{os.environ['PATH']}{os.pathsep}/usr/sbin"


class SlurmCluster:
    """A running cluster.

    Args:
        folder: for its files; short, because of the sockets in it.
        cpus: of each of the two hosts.
        timeout: seconds after which Slurm gives up a node that does not answer.
    """

    def __init__(self, folder: Path, cpus: int = 2, timeout: int = 20) -> None:
        self.folder = folder
        names = ("node1", "node2")
        self.nodes = [NamespaceHost(name, folder / f"{name}.log", names) for name in names]
        self._ports = free_ports(3)
        self._cpus, self._timeout = cpus, timeout
        self._servers: list[subprocess.Popen[bytes]] = []

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which the project uses this cluster."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf"), "NRDFER_EXECUTOR": "slurm"}

    def __enter__(self) -> Self:
        (self.folder / "state").mkdir(parents=True, exist_ok=True)
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(128))
        nodes = "\n".join(
            f"NodeName={node.name} NodeHostname={node.name} NodeAddr=127.0.0.1 Port={port} CPUs={self._cpus} "
            "State=UNKNOWN"
            for node, port in zip(self.nodes, self._ports[1:], strict=True)
        )
        (self.folder / "slurm.conf").write_text(
            _CONFIGURATION.format(
                host=socket.gethostname(), port=self._ports[0], folder=self.folder, timeout=self._timeout, nodes=nodes
            )
        )
        try:
            self._serve("munged", "--foreground", "--force", f"--key-file={key}",
                        f"--socket={self.folder}/munge.socket",
                        f"--pid-file={self.folder}/munge.pid", f"--log-file={self.folder}/munge.log",
                        f"--seed-file={self.folder}/munge.seed")  # fmt: skip
            wait_until("munge's socket", (self.folder / "munge.socket").exists)
            self._serve("slurmctld", "-D", "-i", "-f", f"{self.folder}/slurm.conf")
            for number in range(len(self.nodes)):
                self.start_node(number)
            wait_until("both nodes are idle", lambda: self.states() == ["idle", "idle"])
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
        node = self.nodes[number]
        node.start(["slurmd", "-D", "-N", node.name, "-f", f"{self.folder}/slurm.conf"], self._variables())

    def kill_node(self, number: int) -> None:
        """SIGKILL to everything on a host."""
        self.nodes[number].kill()

    def states(self) -> list[str]:
        """State of each node as ``sinfo`` has it; empty while the controller does not answer."""
        return self.ask("sinfo", "--noheader", "--Node", "--format=%T").split()

    def ask(self, *line: str) -> str:
        """Output of one of Slurm's commands."""
        done = subprocess.run(line, env=self._variables(), capture_output=True, text=True)  # noqa: S603
        return done.stdout

    def close(self) -> None:
        """End everything."""
        for node in self.nodes:
            node.kill()
        for server in reversed(self._servers):
            server.kill()
            server.wait()
        self._servers.clear()

    def _serve(self, *line: str) -> None:
        with (self.folder / f"{line[0]}.out").open("wb") as log:
            server = subprocess.Popen(  # noqa: S603
                line, env=self._variables(), stdout=log, stderr=log, preexec_fn=die_with_parent
            )
            self._servers.append(server)

    def _variables(self) -> dict[str, str]:
        return {**os.environ, "PATH": _path(), "SLURM_CONF": str(self.folder / "slurm.conf")}
