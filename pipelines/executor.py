"""Surroundings of a run, whichever executor runs its steps: repair, MLflow's run, the reasons for a failure.

``dagster job execute`` offers no earlier place that runs once, in the run's own process, before any step asks for a
pool slot. Keep out: which executor it is (``engines.py``), what repair does (``repair.py``), and the run in MLflow
(``mlflow_run.py``).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import dagster as dg
from dagster import DagsterEvent, DagsterEventType

from nrdfer.core.machine_errors import disk_in_words, full_disk_in_words
from nrdfer.preflight.plan import NotReadyError
from nrdfer.runtime import exit_signals
from pipelines import (
    before_steps,
    closing,
    last_words,
    mlflow_run,
    open_databases,
    pool_claims,
    repair,
    run_lease,
    run_origin,
    run_progress,
)

if TYPE_CHECKING:
    from pipelines.dagster_internals import ExecutionPlan, PlanOrchestrationContext, RetryMode


Prepare = Callable[["PlanOrchestrationContext", "ExecutionPlan"], None]
CleanUp = Callable[[dg.DagsterInstance, logging.Logger], None]


class RepairingExecutor(dg.Executor):
    """Holds the run's lease, repairs dead runs, refuses what would fail, runs the steps, records in MLflow the end.

    Args:
        steps: any executor; it runs the steps.
        prepare: called before the repair; given the run's context and its steps.
        clean_up: called after the repair, to end what killed runs left on other machines; given the instance and the
            run's log.
        cluster: whether other machines run the steps.
    """

    def __init__(
        self,
        steps: dg.Executor,
        *,
        prepare: Prepare | None = None,
        clean_up: CleanUp | None = None,
        cluster: bool = False,
    ) -> None:
        self._steps = steps
        self._prepare = prepare
        self._clean_up = clean_up
        self._cluster = cluster

    @property
    def retries(self) -> RetryMode:
        """Retry mode of failed steps."""
        return self._steps.retries

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        """Execute the plan; see the class."""
        end = _End()
        pool_claims.look_when_freed()
        if plan_context.log.level > logging.INFO:  # dagster.yaml's level is for the console; the run's page has more
            plan_context.log.setLevel(logging.INFO)
        try:
            with closing.printing(plan_context.dagster_run.run_id, lambda: mlflow_run.profile_name(plan_context)):
                yield from self._execute_repaired(plan_context, execution_plan, end)
        except (dg.DagsterExecutionInterruptedError, KeyboardInterrupt):
            raise
        except NotReadyError as error:
            end.reasons = error.reasons()
            raise
        except Exception as error:
            end.trouble = disk_in_words(error) or full_disk_in_words()
            if end.trouble is not None:
                end.reasons["disk"] = end.trouble
            raise
        finally:
            if end.reasons:
                last_words.tell(plan_context.log, end.reasons, storage_is_lost=end.trouble is not None)

    def _execute_repaired(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan, end: _End
    ) -> Iterator[DagsterEvent]:
        run_id = plan_context.dagster_run.run_id
        with run_lease.held(plan_context.instance, run_id), open_databases.kept_open(plan_context.instance, run_id):
            run_origin.record_origin(plan_context.instance, run_id)
            if self._prepare is not None:
                self._prepare(plan_context, execution_plan)
            repair.repair_dead_runs(plan_context.instance, plan_context.log)
            if self._clean_up is not None:
                self._clean_up(plan_context.instance, plan_context.log)
            before_steps.refuse_faults(plan_context, execution_plan, cluster=self._cluster)
            yield from self._execute_tracked(plan_context, execution_plan, end)

    def _execute_tracked(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan, end: _End
    ) -> Iterator[DagsterEvent]:
        run_id = plan_context.dagster_run.run_id
        mlflow_run.begin(plan_context)
        status = "FAILED"
        trouble = None
        try:
            for event in self._steps.execute(plan_context, execution_plan):
                end.see(event)
                run_progress.publish(event, end.reasons.get(str(event.step_key), ""))
                yield event
            status = "FAILED" if end.reasons else "FINISHED"
        except (dg.DagsterExecutionInterruptedError, KeyboardInterrupt):
            status = "KILLED"  # on request: SIGTERM, Ctrl-C, the UI's "terminate"
            raise
        except Exception as error:
            trouble = disk_in_words(error) or full_disk_in_words()
            raise
        finally:
            if trouble is None:
                repair.close_tracking(run_id, status, plan_context.log)
            # else the next start does it: nothing can be stored or sent from here, and trying may take minutes


def steps_of(
    definition: dg.ExecutorDefinition, context: dg.InitExecutorContext, config: Mapping[str, object]
) -> dg.Executor:
    """The executor of another definition, in the place of the one that is being made.

    Args:
        definition: of Dagster or of one of its integrations.
        context: of the executor that is being made.
        config: as the definition's schema has it.

    Raises:
        TypeError: that definition makes none.
    """
    make = definition.executor_creation_fn
    if make is None:
        raise TypeError(f"the executor {definition.name} cannot be made; install a release that pyproject.toml allows")
    inner = dg.InitExecutorContext(
        job=context.job, executor_def=definition, executor_config=config, instance=context.instance
    )
    return make(inner)


class _End:
    """Facts about a run's end: why steps failed, and whether the disk allows a message about it."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}
        self.trouble: str | None = None
        self._refused: dict[str, list[str]] = {}
        self._died: dict[str, int] = {}
        self._kills = exit_signals.out_of_memory_kills()

    def see(self, event: DagsterEvent) -> None:
        """Take the reason for a failure from an event."""
        step = str(event.step_key)
        if event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if not check.passed:
                self._refused.setdefault(step, []).append(f"{check.check_name}: {check.description}")
        if event.event_type is DagsterEventType.ENGINE_EVENT and (code := exit_code_in(str(event.message))) is not None:
            self._died[step] = code
        if event.is_step_failure:
            # for a failed check, Dagster's own message has the name only
            self.reasons[step] = "; ".join(self._refused.get(step, [])) or self._of_death(step) or reason_of(event)

    def _of_death(self, step: str) -> str:
        if step not in self._died:
            return ""
        now = exit_signals.out_of_memory_kills()
        kills = None if now is None or self._kills is None else now - self._kills
        return exit_signals.in_words(self._died[step], kills)


_ENDED = re.compile(
    r"child process for step .* (?:was terminated by signal (\d+)|unexpectedly exited with code (\d+))", re.S
)


def exit_code_in(message: str) -> int | None:
    """Exit code of a step's process in Dagster's message about its end; None for any other message."""
    found = _ENDED.search(message)
    if found is None:
        return None
    return -int(found[1]) if found[1] else int(found[2])


def reason_of(event: DagsterEvent) -> str:
    """Reason why a step failed, as its user-facing message if it has one."""
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return str(data.user_failure_data.description)
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else str(event.message)
