"""Submission of steps that a scheduler may not take just now, and steps that are in flight.

A handler of a scheduler (``slurm.py``, ``ray_jobs.py``) submits; this one, around it, submits again what could not be
because the scheduler was away or full, and never lets one step's trouble end the others. Keep out: which errors pass
(the handler's ``patience``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dagster import DagsterEvent

from pipelines.dagster_internals import CheckStepHealthResult, StepHandler

if TYPE_CHECKING:
    from pipelines.dagster_internals import StepHandlerContext

PATIENCE = 3600.0  # seconds for a scheduler that does not answer
_PAUSE = 5.0  # seconds after a refusal in which no other step is submitted: each attempt may last minutes
_TELL = 60.0  # seconds between two lines of the log about one step


class Submission(StepHandler):
    """Dagster's step handler around a scheduler's.

    Args:
        handler: with a method ``patience(error)``: seconds in which to wait may help against an error of a submission,
            0 if it never does.
    """

    def __init__(self, handler: Any) -> None:
        self._handler = handler
        self._refused: dict[str, tuple[float, float]] = {}  # step -> since when, and when that was last logged
        self._last_refused = -_PAUSE
        self.in_flight: set[str] = set()

    @property
    def name(self) -> str:
        """Name in Dagster's messages."""
        return str(self._handler.name)

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        """Submit the step, or remember it for the next look at the running steps.

        Raises:
            NrdferError: the scheduler does not take it, and to wait does not help.
        """
        step = step_of(step_handler_context)
        self.in_flight.add(step)
        yield from self._submit(step, step_handler_context)

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        """As the scheduler's; a step that was not submitted yet is submitted."""
        step = step_of(step_handler_context)
        if step not in self._refused:
            result: CheckStepHealthResult = self._handler.check_step_health(step_handler_context)
            return result
        if time.monotonic() - self._last_refused < _PAUSE:
            return CheckStepHealthResult.healthy()
        try:
            for _ in self._submit(step, step_handler_context):
                pass
        except Exception as error:
            return CheckStepHealthResult.unhealthy(f"it could not be submitted: {error}")
        return CheckStepHealthResult.healthy()

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        """Ask the step to save and to end; what goes wrong is logged, because others are to be asked, too."""
        step = step_of(step_handler_context)
        if self._refused.pop(step, None) is not None:
            return
        try:
            yield from self._handler.terminate_step(step_handler_context)
        except Exception as error:
            context: Any = step_handler_context.get_step_context(step)
            yield DagsterEvent.engine_event(context, f"{step} could not be asked to end: {error}")

    def _submit(self, step: str, context: StepHandlerContext) -> Iterator[DagsterEvent]:
        now = time.monotonic()
        since, logged = self._refused.get(step, (now, now - _TELL))
        try:
            yield from self._handler.launch_step(context)
        except Exception as error:
            self._last_refused = time.monotonic()
            if now - since >= self._handler.patience(error):
                self._refused.pop(step, None)
                raise
            if now - logged >= _TELL:
                logged = now
                about: Any = context.get_step_context(step)
                words = f"{step} has not been accepted by the scheduler yet and will be submitted again: {error}"
                yield DagsterEvent.engine_event(about, words)
            self._refused[step] = since, logged
        else:
            self._refused.pop(step, None)


def step_of(context: StepHandlerContext) -> str:
    """The one step of a handler's context."""
    (step,) = context.execute_step_args.step_keys_to_execute or ()
    return str(step)
