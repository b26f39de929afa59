"""Steps that wait for a place in a pool look again as soon as a step of their own run gives one back.

Dagster lets each look at intervals that grow to fifteen seconds; for so long a GPU does nothing between two trainings.
Keep out: places that other runs give back, which are found at those intervals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.dagster_internals import InstanceConcurrencyContext


def look_when_freed() -> None:
    """Let this process's runs do so."""
    from pipelines.dagster_internals import InstanceConcurrencyContext

    free = InstanceConcurrencyContext.free_step
    if free.__module__ == __name__:
        return

    def free_step(self: InstanceConcurrencyContext, step_key: str) -> None:
        held = step_key in self._claims
        free(self, step_key)
        if held:
            self._pending_timeouts.clear()  # no other moment is waited for: that of each has passed

    InstanceConcurrencyContext.free_step = free_step  # type: ignore[method-assign]
