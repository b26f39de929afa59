"""Steps as jobs of Slurm: ``sbatch`` of Dagster's own command for one step, for ``cluster_steps.ClusterExecutor``.

What a job asks for: cores and machines by the profile, then the options of ``NRDFER_SLURM``, for steps that use a GPU
those of ``NRDFER_SLURM_GPU``, and last the step's tag ``nrdfer/slurm``. A job is never requeued by Slurm, because only
Dagster may start a step again. Keep out: how Slurm's commands are called (``slurm_commands.py``).
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import shlex
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster import DagsterEvent

from nrdfer.core import environment, paths
from nrdfer.core.errors import NrdferError
from pipelines import slurm_commands
from pipelines.cluster_steps import LOST, is_over, project_mark, step_environment
from pipelines.dagster_internals import CheckStepHealthResult, StepHandler
from pipelines.slurm_commands import UNFINISHED, Job, SlurmError
from pipelines.step_needs import Needs, needs_of
from pipelines.step_submission import PATIENCE, step_of

if TYPE_CHECKING:
    from pipelines.dagster_internals import StepHandlerContext

OPTIONS, GPU_OPTIONS, TAG = "NRDFER_SLURM", "NRDFER_SLURM_GPU", "nrdfer/slurm"
_GRACE = 60.0  # seconds in which a step that is asked to end saves
_LOOK = 5.0  # seconds that a view of the queue is used: one question for all steps
_MEMORY = f"ran out of memory; give it more with --mem in {OPTIONS}, {GPU_OPTIONS} or the tag {TAG}"
_TIME = f"reached its time limit; give it more with --time in {OPTIONS}, {GPU_OPTIONS} or the tag {TAG}"
_WORDS = {
    "NODE_FAIL": LOST + "its node {nodes} failed",
    "BOOT_FAIL": LOST + "its node {nodes} did not start",
    "PREEMPTED": LOST + "it was preempted by another job",
    "REVOKED": LOST + "it was withdrawn by the controller",
    "UNKNOWN": LOST + "Slurm no longer knows it",
    "CANCELLED": "it was cancelled with scancel, or by an administrator",
    "TIMEOUT": f"it {_TIME}",
    "DEADLINE": f"it {_TIME}",
    "OUT_OF_MEMORY": f"it {_MEMORY}",
}
#: Of a submission: the controller does not answer now.
_AWAY = re.compile(
    r"did not answer|[Uu]nable to contact|[Tt]imed out|temporarily|Connection (refused|reset)|Zero Bytes|"
    r"[Cc]ommunication connection failure|in standby mode"
)
_FULL = re.compile(r"job submit limit|[Mm]aximum.*job|MaxSubmit")
#: Slurm tells of these long after the step's last event: there is nothing to wait for.
_DEAD_NODE = ("NODE_FAIL", "BOOT_FAIL")


class SlurmSteps(StepHandler):
    """Dagster's step handler for Slurm."""

    def __init__(self) -> None:
        self._jobs: dict[str, str] = {}  # step -> its last job
        self._submitted: set[str] = set()  # all jobs
        self._unsure: dict[str, str] = {}  # steps of which sbatch did not say whether it took them, with their comment
        self._seen_ended: set[str] = set()
        self._queue: dict[str, Job] = {}
        self._no_answer: SlurmError | None = None  # to the last question about the queue
        self._looked = -_LOOK

    @property
    def name(self) -> str:
        """Name in Dagster's messages."""
        return "Slurm"

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        """Submit the step; its output goes to a file in ``NRDFER_HOME`` that only its user can read."""
        args = step_handler_context.execute_step_args
        step, context = _step(step_handler_context)
        self._jobs.pop(step, None)
        log = log_folder(args.run_id) / f"{step}-%j.log"
        line = [
            "sbatch", "--parsable", "--no-requeue", "--export=ALL", f"--chdir={Path.cwd()}",
            f"--job-name=nrdfer-{step}", f"--comment={_comment(args.run_id)}",
            f"--output={_plain(log.parent)}/{log.name}",
            *options_of(needs_of(context, context.step.pool, step_handler_context.step_tags[step])),
            *tagged_options(step_handler_context.step_tags[step].get(TAG)),
            "--wrap", "exec " + shlex.join(args.get_command_args(skip_serialized_namedtuple=True)),
        ]  # fmt: skip
        variables = {entry["name"]: entry["value"] for entry in args.get_command_env()}
        number = self._taken(step, self._unsure[step]) if step in self._unsure else ""
        if not number:
            self._unsure[step] = _comment(args.run_id)
            number = slurm_commands.run(line, submission_environment() | variables).strip().partition(";")[0]
        del self._unsure[step]
        self._jobs[step] = number
        self._submitted.add(number)
        self._looked = -_LOOK
        metadata: dict[str, Any] = {"job": number, "log": dg.MetadataValue.path(str(log).replace("%j", number))}
        yield DagsterEvent.step_worker_starting(context, f"{step} is Slurm's job {number}", metadata)

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        """Whether the step's job waits or runs; if it has ended without a result, the reason in words."""
        number = self._jobs[step_of(step_handler_context)]
        if (queued := self._in_queue(number)) is not None and queued.state in UNFINISHED:
            return CheckStepHealthResult.healthy()
        died = queued is not None and queued.state in _DEAD_NODE
        # what a job that ended by itself wrote last may have come after Dagster looked for events
        if not died and number not in self._seen_ended:
            self._seen_ended.add(number)
            return CheckStepHealthResult.healthy()
        ended = slurm_commands.ended_job(number)
        if ended.state in UNFINISHED:  # a queue does not show everything: partitions may be hidden
            return CheckStepHealthResult.healthy()
        slurm_commands.end(number)  # nothing of it may go on beside the next attempt
        return CheckStepHealthResult.unhealthy(end_in_words(ended))

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        """Ask the step to save and to end; `finish` waits for it."""
        step, context = _step(step_handler_context)
        if step not in self._jobs:
            return
        slurm_commands.ask_to_end(self._jobs[step])
        yield DagsterEvent.engine_event(context, f"Slurm's job {self._jobs[step]} is asked to end")

    def finish(self) -> None:
        """Wait for the jobs that delivered their result or were asked to end, and end those that do not."""
        unsure = {number for step, comment in self._unsure.items() if (number := self._taken(step, comment))}
        end_jobs({*self._jobs.values(), *unsure})

    def patience(self, error: Exception) -> float:
        """Seconds in which to wait may help: the controller is away or busy, or a limit of jobs is reached.

        Own jobs that fill such a limit may run for days. Limits of size that no wait lifts are worded alike, so without
        any other job of the user the error is one of these.
        """
        if not isinstance(error, SlurmError):
            return 0.0
        if _AWAY.search(str(error)) is not None:
            return PATIENCE
        if _FULL.search(str(error)) is None:
            return 0.0
        try:
            waits = {job.number for job in slurm_commands.queue().values() if job.state in UNFINISHED}
        except SlurmError:
            return PATIENCE
        return math.inf if waits & self._submitted else PATIENCE if waits else 0.0

    def _taken(self, step: str, comment: str) -> str:
        """Number of the job that a submission without an answer made after all; empty if it made none."""
        found = [
            job.number
            for job in slurm_commands.queue().values()
            if (job.comment, job.name) == (comment, f"nrdfer-{step}") and job.number not in self._submitted
        ]
        return found[-1] if found else ""

    def _in_queue(self, number: str) -> Job | None:
        """A job in a view of the queue that is at most `_LOOK` seconds old; a question may take minutes."""
        if time.monotonic() - self._looked >= _LOOK:
            self._no_answer = None
            try:
                self._queue = slurm_commands.queue()
            except SlurmError as error:
                self._no_answer = error
            self._looked = time.monotonic()
        if self._no_answer is not None:
            raise self._no_answer
        return self._queue.get(number)


def options_of(needs: Needs) -> list[str]:
    """Options of ``sbatch`` for a step, by the environment.

    Raises:
        NrdferError: a variable has quotes that are not closed.
    """
    nodes = [f"--nodes={needs.nodes}", "--ntasks-per-node=1"] if needs.nodes > 1 else []
    asked = [f"--cpus-per-task={needs.cpus}", *nodes, *_words_of(OPTIONS)]
    return asked + (_words_of(GPU_OPTIONS) if needs.gpu else [])


def _words_of(variable: str) -> list[str]:
    try:
        return shlex.split(environment.text(variable))
    except ValueError as error:
        raise NrdferError(
            f"{variable} is not valid ({error}): give options of sbatch, such as --partition=gpu --time=8:00:00"
        ) from error


def tagged_options(tag: str | None) -> list[str]:
    """Options of ``sbatch`` in a step's tag: an object such as ``{"mem": "16G", "gres": "gpu:1"}``.

    Raises:
        NrdferError: it is none.
    """
    try:
        options = json.loads(tag or "{}")
        return [f"--{name}={value}" for name, value in options.items()]
    except (ValueError, AttributeError) as error:
        raise NrdferError(f"the tag {TAG} is not valid: give an object such as {{'mem': '16G'}}, not {tag}") from error


def submission_environment() -> dict[str, str]:
    """The environment that ``sbatch`` hands on; without what describes a job in which it is itself called."""
    kept = step_environment()
    return {name: value for name, value in kept.items() if not name.startswith("SLURM_") or name == "SLURM_CONF"}


def end_in_words(job: Job) -> str:
    """Reason why a job that ended left no result; begins with `LOST` if the step is to be started again."""
    if job.state in _WORDS:
        words = _WORDS[job.state].format(nodes=job.nodes or "(not told)")
    elif job.signal == signal.SIGKILL:
        words = LOST + f"its process was killed by signal 9 (SIGKILL) on {job.nodes}"
    elif job.signal:
        words = f"its process was ended by signal {job.signal} on {job.nodes}"
    else:
        words = f"its process ended on {job.nodes} with status {job.status} without a result; its log may say more"
    return f"{words} (Slurm's job {job.number}: {job.state})"


def end_jobs(numbers: set[str]) -> None:
    """Wait for jobs that are about to end, and end those that do not."""
    deadline = time.monotonic() + _GRACE
    while numbers:
        queued = slurm_commands.queue()
        left = {number for number in numbers if number in queued and queued[number].state in UNFINISHED}
        if not left or time.monotonic() > deadline:
            for number in left:
                slurm_commands.end(number)
            return
        time.sleep(1)


def end_jobs_of_ended_runs(instance: dg.DagsterInstance, log: logging.Logger) -> None:
    """End the jobs of this project whose run has ended, because the process that orchestrated it was killed."""
    mark = f"nrdfer/{project_mark()}/"
    mine = [job for job in slurm_commands.queue().values() if job.state in UNFINISHED and job.comment.startswith(mark)]
    left = {job.number for job in mine if is_over(instance, job.comment.removeprefix(mark))}
    for number in sorted(left):
        slurm_commands.ask_to_end(number)
        log.warning(f"Slurm's job {number} of a run that has ended is ended")
    end_jobs(left)


def log_folder(run_id: str) -> Path:
    """Folder of the output of a run's jobs; readable by its user only."""
    folder = paths.home() / "slurm" / run_id
    for made in (folder.parent, folder):
        made.mkdir(parents=True, exist_ok=True)
        made.chmod(0o700)
    return folder


def _step(context: StepHandlerContext) -> tuple[str, Any]:
    step = step_of(context)
    return step, context.get_step_context(step)


def _comment(run_id: str) -> str:
    return f"nrdfer/{project_mark()}/{run_id}"


def _plain(folder: Path) -> str:
    """A folder for ``--output``, in which a percent sign begins a pattern."""
    return os.fspath(folder).replace("%", "%%")
