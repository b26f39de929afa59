"""One training on several machines of a cluster: ``torchrun`` on each, started by what runs the job, Slurm or Ray.

The process that begins this, a step of the graph or ``nrdfer train`` in a job, monitors the training and trains nothing
itself; what a process of the training does belongs to ``rank`` and ``loop``. How machines are asked belongs to
``slurm_nodes`` and ``ray_nodes``.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from nrdfer.core.atomic_files import write_whole
from nrdfer.core.errors import ProfileError, TrainingLost, TrainingStopped
from nrdfer.core.processes import die_with_parent
from nrdfer.runtime.engine import Engine
from nrdfer.training import ray_nodes, slurm_nodes
from nrdfer.training.launch import clear_errors, raise_first, read_words, supervise
from nrdfer.training.request import TrainingRequest
from nrdfer.training.signals import stop_requests

GRACE_S = 60  # for processes that are asked to end: torchrun's own is half of it
_REQUEST = "request.json"  # in the work folder, which all machines see


def check(engine: Engine) -> int:
    """Number of processes on each machine.

    Raises:
        ProfileError: this process is in no job that has as many machines, or the processes cannot be divided.
    """
    if ray_nodes.here():  # first: Ray itself may run in a job of Slurm
        pass
    elif slurm_nodes.here():
        slurm_nodes.check(engine.nodes)
    else:
        raise ProfileError(
            f"engine: nodes: {engine.nodes} machines are requested, but this process was started alone; start the "
            "training with `torchrun --nnodes ... -m nrdfer.cli train`, or in a job of Slurm or Ray "
            "(docs/clusters/several_nodes.md), or set nodes: 1"
        )
    if engine.devices % engine.nodes or engine.devices == 0:
        raise ProfileError(
            f"engine: devices: {engine.devices} cannot be divided among {engine.nodes} machines; devices is the number "
            f"of all processes, such as {2 * engine.nodes} for two on each machine"
        )
    return engine.devices // engine.nodes


def train_on_nodes(request: TrainingRequest, watch: Callable[[], None] | None = None) -> None:
    """Run a training on several machines, until all processes have ended.

    Args:
        request: the training; the engine has the numbers of machines and of all processes.
        watch: called about twice a second, and once at the end (to read the log).

    Raises:
        ProfileError: see `check`.
        TrainingStopped: SIGTERM; everything is saved.
        TrainingLost: a machine or a process was lost.
        NrdferError: what the first process that failed had to say.
    """
    world, here = request.engine.devices, check(request.engine)
    clear_errors(request.workdir, world)
    spec = request.workdir / _REQUEST
    write_whole(spec, request.to_json().encode())
    with stop_requests() as stop:
        name = f"nrdfer-{secrets.token_hex(8)}"
        process = subprocess.Popen(  # noqa: S603
            line_of(request.engine, here, spec, name), stdin=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=die_with_parent,  # a kill of this process must not leave a training that nobody watches
        )  # fmt: skip

        def ask_to_end() -> None:
            if ray_nodes.here() or not slurm_nodes.ask_to_end(name):
                process.terminate()

        codes, asked = supervise([process], stop, ask_to_end, watch)
    _raise_errors(request.workdir, world, codes[0], asked)


def line_of(engine: Engine, here: int, spec: Path, name: str) -> list[str]:
    """The command that runs ``torchrun`` on each machine, with `here` processes each; `name` is the training's own."""
    if ray_nodes.here():
        start = ray_nodes.start_line(engine, here)
        meeting = ray_nodes.MEETING
    else:
        start = slurm_nodes.start_line(engine.nodes, name)
        meeting = [f"--rdzv-endpoint={slurm_nodes.meeting_point()}"]
    torchrun = [
        sys.executable, "-m", "torch.distributed.run", f"--nnodes={engine.nodes}", f"--nproc-per-node={here}",
        "--max-restarts=0", f"--shutdown-timeout={GRACE_S}", "--rdzv-backend=c10d", f"--rdzv-id={name}", *meeting,
    ]  # fmt: skip
    return [*start, *torchrun, "-m", "nrdfer.training.rank", str(spec)]


def _raise_errors(workdir: Path, world: int, code: int | None, asked: bool) -> None:
    words = read_words(workdir, world)
    if failed := {rank: said for rank, said in words.items() if not said["stopped"] and not said["lost"]}:
        raise_first(failed, world)
    if asked and code != 0:
        stopped = [said["message"] for said in words.values() if said["stopped"]]
        reason = f"stopped; what {workdir} holds is kept, and the same command continues"
        raise TrainingStopped(stopped[0] if stopped else reason)
    if lost := [said["message"] for said in words.values() if said["lost"]]:
        raise TrainingLost(lost[0])
    if words:
        raise TrainingStopped(words[min(words)]["message"])
    if code != 0:
        raise TrainingLost(
            f"what runs the training on {world} processes ended with {code} and without a message from them: a machine "
            f"was lost, or a process was killed for lack of memory? Checkpoints are kept in {workdir}, and the same "
            "command continues"
        )
