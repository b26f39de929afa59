"""One training on several machines of one job of Slurm: ``srun`` starts ``torchrun`` on each of them.

The process that the job runs starts and monitors them, and trains nothing itself; what a process does belongs to
``rank`` and ``loop``. A job asks for its machines itself (``sbatch --nodes``), or through ``engine: {nodes: N}`` in the
graph (``pipelines/slurm.py``).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from nrdfer.core import environment
from nrdfer.core.atomic_files import write_whole
from nrdfer.core.errors import ProfileError, TrainingError, TrainingStopped
from nrdfer.runtime.distributed import MOST_RANKS
from nrdfer.runtime.engine import Engine
from nrdfer.training.launch import clear_errors, raise_first, read_words, supervise
from nrdfer.training.request import TrainingRequest
from nrdfer.training.signals import stop_requests

JOB, NODES, CORES = "SLURM_JOB_ID", "SLURM_JOB_NUM_NODES", "SLURM_CPUS_PER_TASK"
_REQUEST = "request.json"  # in the work folder, which all machines see


def check(engine: Engine) -> int:
    """Number of processes on each machine.

    Raises:
        ProfileError: this process is in no job of Slurm with as many machines, or the processes cannot be divided.
    """
    alone = f"engine: nodes: {engine.nodes} machines are requested, but "
    if not os.environ.get(JOB) or shutil.which("srun") is None:
        raise ProfileError(
            f"{alone}this process was started alone; start the training with `torchrun --nnodes ... -m nrdfer.cli "
            "train` or in a job of Slurm (docs/clusters/several_nodes.md), or set nodes: 1"
        )
    given = environment.whole(NODES, 1, least=1, most=MOST_RANKS)
    if given != engine.nodes:
        raise ProfileError(f"{alone}Slurm's job {os.environ[JOB]} has {given}; give sbatch --nodes={engine.nodes}")
    if engine.devices % engine.nodes or engine.devices == 0:
        raise ProfileError(
            f"engine: devices: {engine.devices} cannot be divided among {engine.nodes} machines; devices is the number "
            f"of all processes, such as {2 * engine.nodes} for two on each machine"
        )
    return engine.devices // engine.nodes


def train_on_nodes(request: TrainingRequest, watch: Callable[[], None] | None = None) -> None:
    """Run a training on all machines of this job, until all processes have ended.

    Args:
        request: the training; the engine has the numbers of machines and of all processes.
        watch: called about twice a second, and once at the end (to read the log).

    Raises:
        ProfileError: see `check`.
        TrainingStopped: SIGTERM; everything is saved.
        NrdferError: what the first process that failed had to say.
    """
    world, here = request.engine.devices, check(request.engine)
    clear_errors(request.workdir, world)
    spec = request.workdir / _REQUEST
    write_whole(spec, request.to_json().encode())
    with stop_requests() as stop:
        process = subprocess.Popen(  # noqa: S603
            line_of(request.engine.nodes, here, spec), stdin=subprocess.DEVNULL, start_new_session=True
        )
        codes, asked = supervise([process], stop, _ask_to_end, watch)
    _raise_errors(request.workdir, world, codes[0], asked)


def line_of(nodes: int, here: int, spec: Path) -> list[str]:
    """The command that starts ``torchrun`` on each machine; the processes meet at this one."""
    with socket.socket() as free:
        free.bind(("", 0))
        port = int(free.getsockname()[1])
    job = os.environ[JOB]
    # what sbatch was given does not reach srun by itself, and a step in an interactive job must not wait for its shell
    cores = [f"--cpus-per-task={os.environ[CORES]}"] if os.environ.get(CORES) else []
    return [
        "srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", *cores, "--overlap",
        "--kill-on-bad-exit=1", "--mpi=none", f"--job-name=nrdfer-nodes-{job}",
        sys.executable, "-m", "torch.distributed.run", f"--nnodes={nodes}", f"--nproc-per-node={here}",
        "--max-restarts=0", "--rdzv-backend=c10d", f"--rdzv-endpoint={socket.gethostname()}:{port}",
        f"--rdzv-id={job}", "-m", "nrdfer.training.rank", str(spec),
    ]  # fmt: skip


def _ask_to_end() -> None:
    """SIGTERM to every process on every machine, but not to this one."""
    subprocess.run(["scancel", "--quiet", "--signal=TERM", os.environ[JOB]], check=False)  # noqa: S603, S607


def _raise_errors(workdir: Path, world: int, code: int | None, asked: bool) -> None:
    words = read_words(workdir, world)
    failed = {rank: said for rank, said in words.items() if not said["stopped"]}
    if asked and code != 0:
        stopped = [said["message"] for said in words.values() if said["stopped"]]
        reason = f"stopped before it began; what {workdir} holds is kept, and the same command continues"
        raise TrainingStopped(stopped[0] if stopped else reason)
    if failed:
        raise_first(failed, world)
    if words:
        raise TrainingStopped(words[min(words)]["message"])
    if code != 0:
        raise TrainingError(
            f"srun ended with {code} without a message from the training's processes: a machine was lost, or one "
            f"process was killed for lack of memory? Checkpoints are kept in {workdir}, and the same command continues"
        )
