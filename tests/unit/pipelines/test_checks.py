"""A check blocks what comes after it, and what stops a run is told in the verdict's words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from nrdfer.preprocessing.validation import Verdict
from pipelines.checks import check_result, checks

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[3]
RUN = """
import dagster as dg
from nrdfer.preprocessing.validation import Verdict
from pipelines.checks import check_result
from pipelines.engines import local_executor

@dg.asset
def faces():
    return 1

@dg.asset_check(asset=faces, blocking=True)
def faces_are_found():
    return check_result(Verdict(("9 of 10 clips were excluded", "a second problem"), {"clips": 10}))

@dg.asset(deps=[faces])
def shards():
    raise AssertionError("this must not run")

def make():
    assets = [faces, shards]
    job = dg.define_asset_job("everything")
    made = dg.Definitions(assets, asset_checks=[faces_are_found], jobs=[job], executor=local_executor)
    return made.resolve_job_def("everything")

if __name__ == "__main__":
    with dg.DagsterInstance.get() as instance:
        done = dg.execute_job(dg.reconstructable(make), instance)
    print([e.step_key for e in done.all_events if e.is_step_start])
    print([e.step_key for e in done.all_events if e.is_step_failure])
"""


def test_every_check_blocks() -> None:
    found = [spec for check in checks for spec in check.check_specs]
    assert len(found) == len(checks)
    assert all(spec.blocking for spec in found)
    assert all(spec.description for spec in found)


def test_a_verdict_without_problems_passes_with_its_figures() -> None:
    result = check_result(Verdict((), {"clips": 3}))
    assert result.passed
    assert result.description is None
    assert result.metadata["clips"] == dg.IntMetadataValue(3)


def test_many_problems_are_told_shortly() -> None:
    result = check_result(Verdict(tuple(f"problem {i}" for i in range(1000)), {}))
    assert not result.passed
    assert result.description is not None
    assert result.description.startswith("problem 0; problem 1; ")
    assert result.description.endswith("problem 19; and 980 more problems")


def test_a_failed_check_stops_the_run_in_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "judged_run.py").write_text(RUN)
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        **os.environ, "DAGSTER_HOME": str(home), "NRDFER_HOME": str(tmp_path / "nrdfer"),
        "PYTHONPATH": f"{PROJECT}{os.pathsep}{tmp_path}",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "judged_run.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.splitlines()[-2:] == ["['faces', 'faces_faces_are_found']", "['faces_faces_are_found']"]
    _, _, summary = done.stderr.partition("what stopped this run:\n")
    assert "faces_are_found: 9 of 10 clips were excluded; a second problem" in summary
