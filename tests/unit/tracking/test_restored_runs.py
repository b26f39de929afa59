"""A new or lost MLflow database is filled again from the store: runs with curves, settings, times and data sets."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest

from nrdfer.shards.split import Split
from nrdfer.store import Artifact
from nrdfer.tracking import restored_runs
from nrdfer.tracking.client import TAG_DAGSTER_RUN, Tracking
from nrdfer.tracking.restored_runs import facts_of, run_of_finished
from tests.unit.tracking.test_background_upload import Steps, assert_complete

DIGEST = "e" * 64
ROWS = [
    {
        "name": f"dfew-fd1-{part}",
        "digest": part,
        "context": "training",
        "source": {"uri": "/s"},
        "profile": {"clips": 2},
    }
    for part in ("train", "test")
]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Artifact:
    """A finished training's artefact, with a log of thirty batches."""
    folder = tmp_path / "artefact"
    folder.mkdir()
    Steps(folder / "train.jsonl").many(30)
    manifest = {
        "inputs": {"shards": "s" * 64, "clips": "c" * 64, "initial": "none"},
        "config": {"recipe": {"lr": 0.1}},
        "counts": {"mlflow_run_id": "0" * 32},
    }
    return Artifact("dfew/fd1/checkpoint", DIGEST, folder, manifest, up_to_date=True)


@pytest.fixture(autouse=True)
def datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restored_runs, "datasets_of", lambda split, shards: ROWS)


def _run(tracking: Tracking, checkpoint: Artifact) -> str:
    split = Split("fd1", "dfew", Path("/s"), ("a", "b"), ("c", "d"))
    facts = facts_of(checkpoint, split, "fd1", {TAG_DAGSTER_RUN: "dagster-1"})
    return run_of_finished(tracking, checkpoint, facts, [])


def test_a_lost_database_is_filled_again_from_the_store(tracking: Tracking, checkpoint: Artifact) -> None:
    made = _run(tracking, checkpoint)
    assert_complete(tracking, made, checkpoint.path / "train.jsonl")
    run = tracking.client.get_run(made)
    assert {entry.dataset.name for entry in run.inputs.dataset_inputs} == {"dfew-fd1-train", "dfew-fd1-test"}
    assert run.data.params == {"recipe.lr": "0.1"}
    assert run.data.tags["nrdfer.digest"] == DIGEST and run.data.tags["nrdfer.data_digest"] == "s" * 64
    assert (run.info.start_time, run.info.end_time) == (1_000_400, pytest.approx(1_012_000, abs=1))
    assert _run(tracking, checkpoint) == made
    assert len(tracking.find(nrdfer__digest=DIGEST)) == 1


def test_a_run_that_lacks_its_data_sets_gets_them_and_keeps_its_end(tracking: Tracking, checkpoint: Artifact) -> None:
    run_id = tracking.training_run(DIGEST, "fd1", None, {TAG_DAGSTER_RUN: "dagster-1"}, {})
    tracking.client.set_terminated(run_id, "FINISHED", 5_000)
    counts = {"counts": {"mlflow_run_id": run_id}}
    checkpoint = dataclasses.replace(checkpoint, manifest={**checkpoint.manifest, **counts})
    assert _run(tracking, checkpoint) == run_id
    run = tracking.client.get_run(run_id)
    assert len(run.inputs.dataset_inputs) == 2
    assert (run.info.status, run.info.end_time) == ("FINISHED", 5_000)


def test_a_checkpoint_without_a_log_gets_its_history(tracking: Tracking, checkpoint: Artifact) -> None:
    (checkpoint.path / "train.jsonl").unlink()
    facts = facts_of(checkpoint, SimpleNamespace(), "fd1", {})  # type: ignore[arg-type]
    run_id = run_of_finished(tracking, checkpoint, facts, [{"epoch": 1, "train_loss": 2.0}])
    assert tracking.client.get_run(run_id).data.metrics == {"train_loss": 2.0}
