"""The executor: Dagster's multiprocess executor, which first clears the wreck of runs that were killed.

On Linux its steps are forked from one process that has loaded what they all need (``step_server.py``).

``dagster job execute`` offers no earlier place that runs once, in the run's own process, before any step asks for a
pool slot. Keep out: what repair does (``repair.py``), and what MLflow is told (``tracked_run.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.definitions.executor_definition import (
    MULTI_PROC_CONFIG,
    multiple_process_executor_requirements,
)
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import DagsterEventType
from dagster._core.executor.multiprocess import MultiprocessExecutor

from nrdfer.processes import children_marked
from pipelines import repair, step_server, tracked_run
from pipelines.signing import sign_run

if TYPE_CHECKING:
    from dagster._core.events import DagsterEvent
    from dagster._core.execution.context.system import PlanOrchestrationContext
    from dagster._core.execution.plan.plan import ExecutionPlan
    from dagster._core.executor.init import InitExecutorContext


class RepairingExecutor(MultiprocessExecutor):
    """Signs the run with this process, repairs dead runs, runs the steps, and says in MLflow how the run ended."""

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        """Execute the plan; see the class."""
        run_id = plan_context.dagster_run.run_id
        sign_run(plan_context.instance, run_id)  # also of a run that another process made: the UI's
        with children_marked(run_id):
            if self._start_method == "forkserver":
                step_server.begin()
            elif reason := step_server.obstacle():
                plan_context.log.info(f"every step starts a Python of its own, which takes seconds: {reason}")
            repair.repair_dead_runs(plan_context.instance, plan_context.log)
            yield from self._execute_tracked(plan_context, execution_plan)

    def _execute_tracked(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        run_id = plan_context.dagster_run.run_id
        tracked_run.begin(plan_context)
        status = "FAILED"
        failures: dict[str, str] = {}
        refused: dict[str, list[str]] = {}
        try:
            for event in super().execute(plan_context, execution_plan):
                step = str(event.step_key)
                if event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION:
                    check = event.asset_check_evaluation_data
                    if not check.passed:
                        refused.setdefault(step, []).append(f"{check.check_name}: {check.description}")
                if event.is_step_failure:
                    # of a check that fails, Dagster's own message tells the name only
                    failures[step] = "; ".join(refused.get(step, [])) or reason_of(event)
                yield event
            status = "FAILED" if failures else "FINISHED"
        except (DagsterExecutionInterruptedError, KeyboardInterrupt):
            status = "KILLED"  # somebody asked for it: SIGTERM, Ctrl-C, the UI's "terminate"
            raise
        finally:
            repair.close_tracking(run_id, status, plan_context.log)
            if failures:
                # last, because the reasons stand far above, between tracebacks
                told = "\n".join(f"  {step}: {reason}" for step, reason in failures.items())
                plan_context.log.error(f"what stopped this run:\n{told}")


def reason_of(event: DagsterEvent) -> str:
    """Why a step failed, in the words meant for a person if there are any."""
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return str(data.user_failure_data.description)
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else str(event.message)


@dg.executor(
    name="multiprocess",
    config_schema=MULTI_PROC_CONFIG,
    requirements=multiple_process_executor_requirements(),
)
def repairing_executor(init_context: InitExecutorContext) -> RepairingExecutor:
    """One process a step, after repairing what killed runs left behind."""
    from dagster._core.execution.retries import RetryMode

    config = init_context.executor_config
    default = "spawn" if step_server.obstacle() else "forkserver"
    chosen: Mapping[str, object] = config.get("start_method") or {default: {}}  # type: ignore[assignment]
    retries = RetryMode.from_config(config.get("retries", {"enabled": {}}))  # type: ignore[arg-type]
    return RepairingExecutor(
        max_concurrent=config.get("max_concurrent") or None,  # type: ignore[arg-type]
        tag_concurrency_limits=config.get("tag_concurrency_limits"),  # type: ignore[arg-type]
        retries=retries or RetryMode.ENABLED,
        start_method=next(iter(chosen)),
        explicit_forkserver_preload=[step_server.__name__],
    )
