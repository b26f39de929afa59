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

from nrdfer.core import paths
from nrdfer.core.processes import MARK
from pipelines.dagster_internals import RetryMode, StepDelegatingExecutor, StepRetryData

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
        handler: a step handler of Dagster, with a method ``finish()`` that waits for the steps that were asked to end,
            and ends those that do not.
        config: as `config_schema` has it.
    """

    def __init__(self, handler: Any, config: Mapping[str, Any]) -> None:
        super().__init__(
            handler,
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
    places = {"NRDFER_HOME": str(paths.home())}
    if kept.get("DAGSTER_HOME"):
        places["DAGSTER_HOME"] = os.path.abspath(kept["DAGSTER_HOME"])  # noqa: PTH100  # as Dagster reads it, no links
    return kept | places


def project_mark() -> str:
    """What marks this project folder's jobs in a queue that others read, too: it does not tell the folder."""
    return hashlib.sha256(str(paths.home()).encode()).hexdigest()[:16]


def is_over(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a run of this project has ended, or was deleted, so that no job of it should be left."""
    run = instance.get_run_by_id(run_id)
    return run is None or run.is_finished
