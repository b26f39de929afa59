"""What ends a run before its first step, and what is a warning because other machines run the steps."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nrdfer.preflight import check
from nrdfer.preflight.plan import Fault, NotReadyError, Plan
from nrdfer.store.pointers import made_with
from pipelines.before_steps import assets_of, makes_anything, refuse_faults
from pipelines.definitions import defs
from pipelines.executor import RepairingExecutor
from pipelines.resources import EnvironmentWorkbench

STEPS = [
    "afew__videos", "afew__aligned_faces.afew_aligned_faces_plan", "afew__aligned_faces.afew_aligned_faces_chunk[?]",
    "dfew__folds_folds_are_disjoint", "dfew__fd1__checkpoint",
]  # fmt: skip
FOUND = [
    Fault("weights", "they are\nnot here", of_machine=True),
    Fault("DFEW", "a batch of 64"),
    Fault("DFEW", "no fear"),
]


def context(profile: str = "quick", **config: Any) -> Any:
    job = defs.resolve_job_def("full_reproduction")
    run = SimpleNamespace(
        run_config={"resources": {"workbench": {"config": {"profile": profile, **config}}}}, run_id="r"
    )
    return SimpleNamespace(
        job=SimpleNamespace(get_definition=lambda: job), dagster_run=run, log=logging.getLogger("run"), instance=None
    )


PLAN: Any = SimpleNamespace(step_keys_to_execute=STEPS)


def test_assets_are_known_by_their_steps_and_checks_are_none() -> None:
    assert assets_of(context(), PLAN) == {"afew/videos", "afew/aligned_faces", "dfew/fd1/checkpoint"}


def test_all_faults_end_a_run_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "find_faults", lambda *_, **__: FOUND)
    with pytest.raises(NotReadyError) as refused:
        refuse_faults(context(), PLAN, cluster=False)
    assert str(refused.value) == (
        "nothing was started, because 3 faults were found before the first step:\n"
        "  weights: they are not here\n  DFEW: a batch of 64\n  DFEW: no fear"
    )
    assert refused.value.reasons() == {"weights": "they are\nnot here", "DFEW": "a batch of 64; no fear"}


def test_on_a_cluster_what_other_machines_may_have_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(check, "find_faults", lambda *_, **__: FOUND[:1])
    refuse_faults(context(), PLAN, cluster=True)
    assert "which may differ from those of the steps: weights: they are not here" in caplog.text
    monkeypatch.setattr(check, "find_faults", lambda *_, **__: FOUND)
    with pytest.raises(NotReadyError, match="2 faults"):
        refuse_faults(context(), PLAN, cluster=True)


def test_the_runs_own_config_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Plan] = []
    monkeypatch.setattr(check, "find_faults", lambda plan, *_, **__: seen.append(plan) or [])
    refuse_faults(context(dfew_root="/data", overrides={"workers": 1}), PLAN, cluster=False)
    (plan,) = seen
    assert (plan.profile.name, plan.profile.corpora.dfew_root, plan.profile.workers) == ("quick", "/data", 1)


def test_a_run_makes_nothing_where_all_its_assets_were_made_with_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    assert makes_anything(context(), PLAN)
    profile = EnvironmentWorkbench(profile="quick").settings
    for asset in assets_of(context(), PLAN):
        pointer = made_with(profile).root / f"{asset}.json"
        pointer.parent.mkdir(parents=True, exist_ok=True)
        assert makes_anything(context(), PLAN)
        pointer.touch()
    assert not makes_anything(context(), PLAN)
    assert makes_anything(context(overrides={"workers": 1}), PLAN)
    assert makes_anything(context(overrides={"afew_recipe": {"epoch": 3}}), PLAN)  # which the checks will refuse


def test_a_profile_that_cannot_be_read_is_the_one_fault() -> None:
    with pytest.raises(NotReadyError, match=r"1 fault was found .*\n  profile: .*unknown setting epoch"):
        refuse_faults(context(overrides={"afew_recipe": {"epoch": 3}}), PLAN, cluster=False)


def test_no_step_begins_where_a_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Steps:
        retries = None

        def execute(self, *_: object) -> Any:
            pytest.fail("a step began")

    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    monkeypatch.setattr(check, "find_faults", lambda *_, **__: FOUND)
    monkeypatch.setattr("pipelines.run_lease.held", lambda *_: __import__("contextlib").nullcontext())
    monkeypatch.setattr("pipelines.open_databases.kept_open", lambda *_: __import__("contextlib").nullcontext())
    monkeypatch.setattr("pipelines.run_origin.record_origin", lambda *_: None)
    monkeypatch.setattr("pipelines.repair.repair_dead_runs", lambda *_: [])
    executor: Any = RepairingExecutor(Steps())  # type: ignore[arg-type]
    with pytest.raises(NotReadyError):
        list(executor.execute(context(), PLAN))
    assert "what stopped this run:\n  weights: they are not here\n  DFEW: a batch of 64; no fear" in caplog.text
    assert list(tmp_path.iterdir()) == []  # no run in MLflow, either
