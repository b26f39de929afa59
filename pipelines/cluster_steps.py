"""Steps that a cluster's scheduler runs: Dagster's step-delegating executor, which also repeats steps that were lost.

A step is lost if the cluster ended it for no fault of its own: its node died, it was preempted or killed. It is started
again whatever retry policy it has; every other failure keeps to the policy. Only Dagster starts steps again, never the
scheduler: an attempt that Dagster does not know would end the run. Keep out: the schedulers (``slurm.py``,
``ray_jobs.py``) and what surrounds a run (``executor.py``).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster import DagsterEvent

from assets.run_end import CLUSTER_STEP
from nrdfer.core import leases, paths
from nrdfer.core.processes import MARK
from pipelines.dagster_internals import RetryMode, StepDelegatingExecutor, StepRetryData
from pipelines.step_submission import Submission

if TYPE_CHECKING:
    from pipelines.dagster_internals import ExecutionPlan, PlanOrchestrationContext

#: What a handler's reason begins with if the step is to be started again.
LOST = "lost: "
MOST_LOSSES = 3  # attempts after the first; a step that is lost more often has a cause of its own
LOOK = 10  # seconds between two looks at the running steps
_LOST = re.compile(rf"failed health check: {LOST}")
#: Variables of the machine that orchestrates, which say nothing of another.
_OF_THIS_MACHINE = {MARK, "CUDA_VISIBLE_DEVICES", "HOSTNAME", "PWD", "OLDPWD", "DAGSTER_COMPRESSED_EXECUTE_STEP_ARGS"}

_SETTINGS = ("max_concurrent", "retries", "tag_concurrency_limits")


def config_schema() -> dict[str, dg.Field]:
    """Settings in the launchpad: those of Dagster's multiprocess executor that do not belong to processes."""
    fields: Mapping[str, dg.Field] = dg.multiprocess_executor.config_schema.as_field().config_type.fields  # type: ignore[attr-defined]
    return {name: fields[name] for name in _SETTINGS}


class ClusterExecutor(StepDelegatingExecutor):
    """Runs each step as a job of a scheduler; see the module.

    Args:
        handler: a step handler of Dagster, with two methods more: ``patience(error)``, seconds in which a scheduler
            that does not take a step may yet take it, and ``finish()``, which waits for the steps that were asked to
            end, and ends those that do not.
        config: as `config_schema` has it.
    """

    def __init__(self, handler: Any, config: Mapping[str, Any]) -> None:
        self._submission = Submission(handler)
        super().__init__(
            self._submission,
            retries=RetryMode.from_config(config["retries"]) or RetryMode.ENABLED,
            check_step_health_interval_seconds=LOOK,
            max_concurrent=config.get("max_concurrent"),
            tag_concurrency_limits=config.get("tag_concurrency_limits"),
            should_verify_step=True,
        )
        self._handler = handler

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        """Execute the plan; at the end no job is left."""
        try:
            yield from super().execute(plan_context, execution_plan)
        finally:
            try:
                self._handler.finish()
            except Exception as error:  # the results are there; a scheduler that is away does not undo them
                plan_context.log.warning(f"{self._handler.name} does not say whether its jobs have ended: {error}")

    def _pop_events(self, instance: dg.DagsterInstance, run_id: str, seen_storage_ids: set[int]) -> list[DagsterEvent]:
        """New events of the steps; without the end of one that is not in flight.

        A node that was given up may still live: when both attempts of a step end, the second end would be an error.
        """
        kept, in_flight = [], self._submission.in_flight
        for event in super()._pop_events(instance, run_id, seen_storage_ids):
            ends = event.is_step_success or event.is_step_failure or event.is_step_up_for_retry
            if ends and event.step_key not in in_flight:
                continue
            if ends:
                in_flight.discard(str(event.step_key))
            kept.append(event)
        return kept

    def log_failure_or_retry_event_after_error(
        self, step_context: Any, err_info: Any, known_state: Any
    ) -> DagsterEvent:
        """Record that a step is repeated if it was lost; else what its retry policy says."""
        lost = _LOST.search(err_info.message) is not None and not self.retries.disabled
        attempts = known_state.get_retry_state().get_attempt_count(step_context.step.key)
        if lost and attempts < MOST_LOSSES:
            data = StepRetryData(error=err_info, seconds_to_wait=None)  # type: ignore[no-untyped-call]
            return DagsterEvent.step_retry_event(step_context, data)
        return super().log_failure_or_retry_event_after_error(step_context, err_info, known_state)


def step_environment() -> dict[str, str]:
    """The environment that a step on another machine needs: this one's, with whole paths.

    The mark of the run is left out: the scheduler ends what belongs to a run, and process numbers differ there.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _OF_THIS_MACHINE}
    places = {"NRDFER_HOME": str(paths.home()), CLUSTER_STEP: "1"}
    if kept.get("DAGSTER_HOME"):
        places["DAGSTER_HOME"] = os.path.abspath(kept["DAGSTER_HOME"])  # noqa: PTH100  # as Dagster reads it, no links
    return kept | places


def project_mark() -> str:
    """What marks this project folder's jobs in a queue that others read, too: it does not tell the folder."""
    return hashlib.sha256(os.fsencode(paths.home())).hexdigest()[:16]


def is_over(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a run of this project has ended, or was deleted, so that no job of it should be left.

    One that Dagster's storage does not know may be in another storage that shares the folder: its lease tells.
    """
    run = instance.get_run_by_id(run_id)
    return leases.is_over(run_id) if run is None else run.is_finished
