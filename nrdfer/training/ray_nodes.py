"""Machines of a Ray cluster, for one training that spans them (``nodes``): a program that runs a line on each.

    python -m nrdfer.training.ray_nodes NODES CORES GPUS LINE...

reserves a placement group of so many bundles, each on a machine of its own, runs the line in each, passes SIGTERM on,
and ends with the first status that is not 0. In the line, ``{meeting}`` is a host and a port of the first machine,
``{address}`` the machine's own address. Keep out: what runs there.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from nrdfer.core import environment
from nrdfer.core.processes import die_with_parent
from nrdfer.runtime.engine import Engine

#: Set by Ray for everything that one of its jobs starts.
_IN_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"
GPUS, MOST_GPUS = "NRDFER_RAY_GPUS", 64
MEETING = ["--rdzv-endpoint={meeting}", "--local-addr={address}"]
_TELL_S = 60.0  # between two lines that say that machines are waited for
_LOOK_S = 0.5
_GRACE_S = 65.0  # for the others to save and to end when one has ended early; torchrun gives its processes 60


def here() -> bool:
    """Whether this process belongs to a job of Ray."""
    return bool(os.environ.get(_IN_JOB))


def start_line(engine: Engine, processes: int) -> list[str]:
    """The command that runs what follows it once on each machine, with `processes` processes of the training."""
    cores = processes * max(1, engine.threads, engine.workers)
    gpus = environment.whole(GPUS, 0, least=0, most=MOST_GPUS) if engine.device != "cpu" else 0
    return [sys.executable, "-m", "nrdfer.training.ray_nodes", str(engine.nodes), str(cores), str(gpus)]


class Host:
    """A line that runs on one machine; an actor of Ray."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def address(self) -> tuple[str, int]:
        """Address of the machine in the cluster, and a port that nobody uses now."""
        import ray

        with socket.socket() as free:
            free.bind(("", 0))
            return str(ray.util.get_node_ip_address()), int(free.getsockname()[1])  # type: ignore[no-untyped-call]

    def start(self, line: list[str], folder: str) -> None:
        """Start the line; it ends with this actor."""
        self._process = subprocess.Popen(  # noqa: S603
            line, cwd=folder, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent
        )

    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll() if self._process else None

    def terminate(self) -> None:
        """SIGTERM."""
        if self._process:
            self._process.terminate()


def run(nodes: int, bundle: dict[str, int], line: list[str]) -> int:
    """Run a line on as many machines as there are bundles; the exit status."""
    import ray
    from ray.util.placement_group import placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    ray.init(log_to_driver=True, logging_level=logging.WARNING)
    group = placement_group([bundle] * nodes, strategy="STRICT_SPREAD")
    since = time.monotonic()
    while not group.wait(_TELL_S):
        waited = time.monotonic() - since
        print(f"waiting for {nodes} machines of Ray, each with {bundle}, for {waited:.0f} s", file=sys.stderr)
    actor: Any = ray.remote(Host)
    hosts = [
        actor.options(
            num_cpus=bundle["CPU"], num_gpus=bundle.get("GPU", 0),
            scheduling_strategy=PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=number),
        ).remote()
        for number in range(nodes)
    ]  # fmt: skip
    places = ray.get([host.address.remote() for host in hosts])
    meeting = f"{places[0][0]}:{places[0][1]}"
    for host, (address, _) in zip(hosts, places, strict=True):
        own = [word.replace("{meeting}", meeting).replace("{address}", address) for word in line]
        ray.get(host.start.remote(own, str(Path.cwd())))

    def pass_on(number: int, frame: FrameType | None) -> None:
        for host in hosts:
            host.terminate.remote()

    signal.signal(signal.SIGTERM, pass_on)
    try:
        return _wait_for(hosts)
    except ray.exceptions.RayActorError as error:
        print(f"a machine of Ray was lost: {str(error).splitlines()[0]}", file=sys.stderr)
        return 1


def _wait_for(hosts: list[Any]) -> int:
    """0 if all ended well, else 1; what one of them ended with is soon seen by the others, which then say so."""
    import ray

    deadline = None
    while True:
        codes = ray.get([host.status.remote() for host in hosts])
        if None not in codes:
            return int(any(codes))
        if any(codes):
            deadline = deadline or time.monotonic() + _GRACE_S
            if time.monotonic() > deadline:
                return 1
        time.sleep(_LOOK_S)


if __name__ == "__main__":
    count, cores, gpus = (int(word) for word in sys.argv[1:4])
    sys.exit(run(count, {"CPU": cores} | ({"GPU": gpus} if gpus else {}), sys.argv[4:]))
