"""The machines of a job of Slurm, for one training that spans them (``nodes``).

A job asks for its machines itself (``sbatch --nodes``), or through ``engine: {nodes: N}`` in the graph
(``pipelines/slurm.py``). Keep out: what runs on them.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess

from nrdfer.core import environment
from nrdfer.core.errors import ProfileError
from nrdfer.runtime.distributed import MOST_RANKS

JOB, NODES, CORES = "SLURM_JOB_ID", "SLURM_JOB_NUM_NODES", "SLURM_CPUS_PER_TASK"


def here() -> bool:
    """Whether this process belongs to a job of Slurm."""
    return bool(os.environ.get(JOB)) and shutil.which("srun") is not None


def check(nodes: int) -> None:
    """Compare a number of machines with the job's.

    Raises:
        ProfileError: it has another.
    """
    given = environment.whole(NODES, 1, least=1, most=MOST_RANKS)
    if given != nodes:
        raise ProfileError(
            f"engine: nodes: {nodes} machines are requested, but Slurm's job {os.environ[JOB]} has {given}; "
            f"give sbatch --nodes={nodes}"
        )


def start_line(nodes: int, name: str) -> list[str]:
    """The command that runs what follows it once on each machine, as a step of the job with a name of its own."""
    # what sbatch was given does not reach srun by itself, and a step in an interactive job must not wait for its shell
    cores = [f"--cpus-per-task={os.environ[CORES]}"] if os.environ.get(CORES) else []
    return [
        "srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", *cores, "--overlap",
        "--kill-on-bad-exit=1", "--mpi=none", f"--job-name={name}",
    ]  # fmt: skip


def meeting_point() -> str:
    """Host and port at which the machines meet: here, where a task of the step runs, too."""
    with socket.socket() as free:
        free.bind(("", 0))
        return f"{socket.gethostname()}:{free.getsockname()[1]}"


def ask_to_end(name: str) -> bool:
    """SIGTERM to every process of a step of this job, and to no other; whether there is such a step."""
    asked = ["squeue", "--steps", "--all", "--noheader", f"--jobs={os.environ[JOB]}", "--format=%i|%j"]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("SQUEUE_")}  # they hide steps
    answer = subprocess.run(asked, env=plain, check=False, capture_output=True, text=True, errors="replace")  # noqa: S603
    steps = [line.partition("|")[0].strip() for line in answer.stdout.splitlines() if line.endswith(f"|{name}")]
    for step in steps:
        subprocess.run(["scancel", "--quiet", "--signal=TERM", step], check=False)  # noqa: S603, S607
    return bool(steps)
