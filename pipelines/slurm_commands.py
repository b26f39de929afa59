"""Slurm's own commands, and what they say about jobs.

Only commands that every Slurm has are needed: ``sbatch``, ``squeue``, ``scontrol``, ``scancel``. ``sacct`` is asked for
what the controller has forgotten, where there is an accounting database. Keep out: steps and runs (``slurm.py``).
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nrdfer.core.errors import NrdferError

_PATIENCE = 120  # seconds for a command; the controller may be busy, and commands wait for it themselves
_FIELDS = "%i|%T|%r|%N|%j|%k"
#: States that a job leaves again.
UNFINISHED = {
    "PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT",
    "RESIZING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD", "SPECIAL_EXIT",
}  # fmt: skip
UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Job:
    """A job as Slurm has it."""

    number: str
    state: str
    reason: str = ""  # why it waits, or how it ended
    nodes: str = ""
    comment: str = ""
    signal: int = 0  # that ended it
    status: int = 0  # with which it ended
    name: str = ""


class SlurmError(NrdferError):
    """A command of Slurm failed."""


def run(line: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run a command; returns what it wrote.

    Raises:
        SlurmError: it is not there, failed, or did not end.
    """
    try:
        done = subprocess.run(  # noqa: S603
            line, env=environment, capture_output=True, text=True, timeout=_PATIENCE, stdin=subprocess.DEVNULL,
            errors="replace",  # names and comments of others' jobs are of any encoding
        )  # fmt: skip
    except FileNotFoundError:
        raise SlurmError(
            f"{line[0]} was not found: the executor slurm runs on a machine from which jobs can be submitted"
        ) from None
    except subprocess.TimeoutExpired:
        raise SlurmError(
            f"{line[0]} did not answer within {_PATIENCE} s; see whether Slurm's controller runs"
        ) from None
    if done.returncode != 0:
        said = " ".join(done.stderr.split()) or "it gave no reason"
        raise SlurmError(f"{line[0]} failed with status {done.returncode}: {said}")
    return done.stdout


def queue() -> dict[str, Job]:
    """Jobs of this user by number: those in the queue, and those that ended less than Slurm's ``MinJobAge`` ago."""
    line = ["squeue", "--noheader", "--all", "--states=all", f"--user={os.getuid()}", f"--format={_FIELDS}"]
    # what a user has set for squeue would hide jobs
    plain = {name: value for name, value in os.environ.items() if not name.startswith("SQUEUE_")}
    rows = (row.split("|", 5) for row in run(line, plain).splitlines() if row.count("|") >= 5)
    jobs = (Job(number, state, why, nodes, comment, name=name) for number, state, why, nodes, name, comment in rows)
    return {job.number: job for job in jobs}


def ended_job(number: str) -> Job:
    """How a job that is no longer in the queue ended; with the state `UNKNOWN` if Slurm has forgotten it."""
    try:
        output = run(["scontrol", "show", "job", "--oneliner", number])
    except SlurmError as error:
        if "Invalid job id" not in str(error):
            raise
        return _accounted(number)
    facts = dict(re.findall(r"(?:^|\s)(JobState|Reason|NodeList|ExitCode)=(\S*)", output))
    status, _, signal = facts.get("ExitCode", "0:0").partition(":")
    return Job(
        number, facts.get("JobState", UNKNOWN), facts.get("Reason", ""), facts.get("NodeList", ""), "",
        int(signal or 0), int(status or 0),
    )  # fmt: skip


def _accounted(number: str) -> Job:
    try:
        output = run(["sacct", "--noheader", "--allocations", "--parsable2", f"--jobs={number}",
                    "--format=State,ExitCode,NodeList"])  # fmt: skip
    except SlurmError:  # no accounting here
        return Job(number, UNKNOWN)
    state, code, nodes = [*(output.splitlines() or [""])[0].split("|"), "", ""][:3]
    status, _, signal = (code or "0:0").partition(":")
    return Job(number, (state.split() or [UNKNOWN])[0], nodes=nodes, signal=int(signal or 0), status=int(status or 0))


def ask_to_end(number: str) -> None:
    """SIGTERM for a running job's step, which then saves; a job that has not begun is withdrawn."""
    run(["scancel", "--quiet", "--state=PENDING", number])
    run(["scancel", "--quiet", "--signal=TERM", "--batch", number])


def end(number: str) -> None:
    """End a job; one that has ended already is no error."""
    run(["scancel", "--quiet", number])
