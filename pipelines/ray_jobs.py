"""Steps as jobs of Ray: the step handler of ``dagster-ray``, for ``cluster_steps.ClusterExecutor``.

Ray's address is in ``RAY_ADDRESS``, as for Ray's own commands. A step gets cores by the profile and, where it uses a
GPU, ``NRDFER_RAY_GPUS`` of them; its tag ``dagster-ray/config`` comes before both. Variables with secret values are not
handed on, because Ray shows a job's environment in its dashboard: they are set where ``ray start`` is typed. Keep out:
what is a lost step (``cluster_steps.py``).
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster import DagsterEvent
from dagster_ray.core.executor import RayStepHandler
from ray.job_submission import JobStatus, JobSubmissionClient

from nrdfer.core import environment
from nrdfer.core.redaction import SECRET_NAME, hide
from nrdfer.training.ray_nodes import GPUS, MOST_GPUS
from pipelines.cluster_steps import LOST, is_over, project_mark, step_environment
from pipelines.dagster_internals import CheckStepHealthResult
from pipelines.step_needs import Needs, needs_of
from pipelines.step_submission import PATIENCE

if TYPE_CHECKING:
    from pipelines.dagster_internals import StepHandlerContext

_TAG_RUN, _TAG_PROJECT = "dagster/run-id", "nrdfer/project"
_GRACE = 60  # seconds in which a step that is asked to end saves
#: Variables that a step needs, beside those that name a folder or a server of this project.
_HANDED_ON = re.compile(
    r"(NRDFER|MLFLOW|DAGSTER|AWS|PG|OMP|MKL|FSSPEC)_\w+|PG[A-Z]+|DO_NOT_TRACK|PATH|PYTHONPATH|NO_PROXY"
)
_KILLED = re.compile(r"exit code (-9|137)\b")
#: Kinds of Ray's errors of the actor that runs a job: it is gone with its node, or never came up.
_LOST_ACTOR = "JOB_SUPERVISOR_ACTOR_"
_NO_TURN = "JOB_SUPERVISOR_ACTOR_START_TIMEOUT"
_UNFINISHED = (JobStatus.PENDING, JobStatus.RUNNING)


class _Client(JobSubmissionClient):
    """Ray's client for jobs; a step starts in the folder of the project and has the resources that it needs."""

    needs = Needs()
    line: Sequence[str] = ()  # of the next job, instead of its entrypoint, in which words are not quoted

    def submit_job(self, *, entrypoint: str, **more: Any) -> str:
        """As Ray's."""
        entrypoint = shlex.join(self.line) if self.line else entrypoint
        cpus, gpus = more["entrypoint_num_cpus"], more["entrypoint_num_gpus"]
        # a job without resources would run on the head node, beside all others
        more["entrypoint_num_cpus"] = cpus if cpus is not None else self.needs.cpus
        more["entrypoint_num_gpus"] = gpus if gpus is not None else self._gpus()
        more["metadata"] = {**(more.get("metadata") or {}), _TAG_PROJECT: project_mark()}
        number: str = super().submit_job(entrypoint=f"cd {shlex.quote(str(Path.cwd()))} && exec {entrypoint}", **more)
        return number

    def _gpus(self) -> int:
        return environment.whole(GPUS, 0, least=0, most=MOST_GPUS) if self.needs.gpu else 0


class RaySteps(RayStepHandler):
    """The handler of ``dagster-ray``, which says why a job ended and which steps were lost."""

    def __init__(self) -> None:
        handed, _ = divided(step_environment())
        self._submission = _Client(os.environ.get("RAY_ADDRESS") or None)
        super().__init__(
            client=self._submission,
            env_vars=[f"{name}={value}" for name, value in handed.items()],
            runtime_env=None, num_cpus=None, num_gpus=None, memory=None, resources=None,
        )  # fmt: skip
        self._seen_ended: set[str] = set()
        self._jobs: set[str] = set()
        self._unsure: set[str] = set()  # jobs that were submitted at least once

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        """Submit the step with what it needs."""
        key = self._get_step_key(step_handler_context)
        context: Any = step_handler_context.get_step_context(key)
        needs = needs_of(context, context.step.pool, step_handler_context.step_tags[key])
        # a step that spans machines reserves them itself, as a job of Ray has one
        self._submission.needs = Needs() if needs.nodes > 1 else needs
        args, job = step_handler_context.execute_step_args, self._get_ray_job_submission_id(step_handler_context)
        self._submission.line = args.get_command_args(skip_serialized_namedtuple=True)
        again, self._unsure = job in self._unsure, self._unsure | {job}
        if again:
            self.client.get_version()  # raises while the head is away
        try:
            yield from super().launch_step(step_handler_context)
        except RuntimeError as error:
            if not again or "already" not in str(error):  # else the submission without an answer had come through
                raise
        self._jobs.add(job)

    def patience(self, error: Exception) -> float:
        """Seconds in which to wait may help: Ray's head does not answer."""
        return PATIENCE if isinstance(error, OSError) else 0.0  # also what its client's library raises

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        """Stop the step's job, if there is one."""
        if self._get_ray_job_submission_id(step_handler_context) in self._unsure:
            yield from super().terminate_step(step_handler_context)

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        """Whether the step's job waits or runs; if it has ended without a result, the reason in words."""
        job = self._get_ray_job_submission_id(step_handler_context)
        try:
            status = self.client.get_job_status(job)
        except RuntimeError as error:
            if "does not exist" not in str(error):
                raise  # the head is away; Dagster says so, and looks again
            return CheckStepHealthResult.unhealthy(f"{LOST}Ray no longer knows its job {job}")
        if status in _UNFINISHED:
            return CheckStepHealthResult.healthy()
        if job not in self._seen_ended:  # its last events may have been written since Dagster looked for them
            self._seen_ended.add(job)
            return CheckStepHealthResult.healthy()
        facts = self.client.get_job_info(job)
        return CheckStepHealthResult.unhealthy(end_in_words(job, status, facts.error_type, facts.message))

    def finish(self) -> None:
        """Wait for the jobs that delivered their result or were stopped; end those that do not end by themselves."""
        for job in self._unsure - self._jobs:
            with contextlib.suppress(RuntimeError):  # it was not taken
                self.client.stop_job(job)
        end_jobs(self.client, self._jobs)


def end_in_words(job: str, status: object, kind: str | None, message: str | None) -> str:
    """Reason why a job that ended left no result; begins with `LOST` if the step is to be started again."""
    said = hide(" ".join((message or "no reason was given").split()))
    if status == JobStatus.STOPPED:
        return f"it was stopped in Ray (job {job})"
    if kind == _NO_TURN:
        return (
            f"{LOST}Ray's job {job} waited too long for its turn; start Ray's head with RAY_JOB_START_TIMEOUT_SECONDS "
            f"set to more than a run takes, and see that a node has what the step asks for ({said})"
        )
    if kind is not None and kind.startswith(_LOST_ACTOR):
        return f"{LOST}Ray lost its job {job}, most often with its node ({kind}: {said})"
    if _KILLED.search(said):
        return f"{LOST}its process was killed by signal 9 (SIGKILL) (Ray's job {job}: {said})"
    return f"its process ended without a result (Ray's job {job}: {said})"


def divided(variables: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """What is handed on to a job, and the names of what is not because it is secret."""
    wanted = {name: value for name, value in variables.items() if _HANDED_ON.fullmatch(name)}
    # how long Ray waits between SIGTERM and SIGKILL when a job is stopped
    wanted["RAY_JOB_STOP_WAIT_TIME_S"] = str(_GRACE)
    secret = sorted(name for name, value in wanted.items() if SECRET_NAME.search(name) or hide(value) != value)
    return {name: value for name, value in wanted.items() if name not in secret}, secret


def tell_what_is_not_handed_on(log: logging.Logger) -> None:
    """Name the secret variables that Ray's nodes must have themselves."""
    _, secret = divided(step_environment())
    if secret:
        names = ", ".join(secret)
        log.warning(f"not handed on, as Ray shows a job's environment: {names}; set them where `ray start` is typed")


def end_jobs_of_ended_runs(instance: dg.DagsterInstance, log: logging.Logger) -> None:
    """End the jobs of this project whose run has ended, because the process that orchestrated it was killed."""
    client = _Client(os.environ.get("RAY_ADDRESS") or None)
    left = set()
    for job in client.list_jobs():
        facts = job.metadata or {}
        mine = facts.get(_TAG_PROJECT) == project_mark() and job.status in _UNFINISHED
        if mine and job.submission_id and is_over(instance, facts.get(_TAG_RUN, "")):
            client.stop_job(job.submission_id)
            left.add(job.submission_id)
            log.warning(f"Ray's job {job.submission_id} of a run that has ended is ended")
    end_jobs(client, left)


def end_jobs(client: JobSubmissionClient, jobs: set[str]) -> None:
    """Wait for jobs that are about to end, and stop those that do not; Ray kills what it stops and does not end."""
    for stopped in (False, True):
        deadline = time.monotonic() + _GRACE
        while left := {job for job in jobs if client.get_job_status(job) in _UNFINISHED}:
            if time.monotonic() > deadline:
                break
            time.sleep(1)
        for job in () if stopped else left:
            client.stop_job(job)
