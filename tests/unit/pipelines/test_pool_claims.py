"""A place in a pool that a run's step gives back is taken at once by the run's next."""

from __future__ import annotations

import importlib
import time
from pathlib import Path

import dagster as dg
import pytest

from pipelines.dagster_internals import InstanceConcurrencyContext
from pipelines.pool_claims import look_when_freed


@pytest.mark.parametrize("waiting", [1, 3])
def test_the_next_step_need_not_wait_for_its_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waiting: int
) -> None:
    module = importlib.import_module(InstanceConcurrencyContext.__module__)
    monkeypatch.setattr(module, "INITIAL_INTERVAL_VALUE", 1e9)  # seconds until it would look by itself
    monkeypatch.setattr(module, "MAX_CONCURRENCY_CLAIM_BLOCKED_INTERVAL", 1e9)
    look_when_freed()
    look_when_freed()  # as several runs of one process do
    steps = [f"step{number}" for number in range(waiting + 1)]
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.event_log_storage.set_concurrency_slots("gpu", 1)
        run = instance.create_run_for_job(dg.GraphDefinition("nothing").to_job())
        with InstanceConcurrencyContext(instance, run) as pool:
            assert [pool.claim("gpu", step) for step in steps] == [True, *[False] * waiting]
            for number, step in enumerate(steps):
                pool.free_step("of no pool")
                assert not any(pool.claim("gpu", other) for other in steps[number + 1 :])
                pool.free_step(step)
                taken = [other for other in steps[number + 1 :] if pool.claim("gpu", other)]
                assert taken == steps[number + 1 : number + 2], time.monotonic()
            assert not pool.has_pending_claims()
