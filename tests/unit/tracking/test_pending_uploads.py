"""What was kept for later is told to the MLflow it was meant for, and one that is refused keeps back no other."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from nrdfer.core import leases, paths
from nrdfer.core.atomic_files import temporary_beside
from nrdfer.tracking import pending_uploads
from nrdfer.tracking.client import Tracking, mark_pipeline
from nrdfer.tracking.log_uploader import RunFacts
from nrdfer.tracking.open_runs import PIPELINES, RUNS, OpenPipeline, OpenRun
from nrdfer.tracking.training_log import TrainingLog


@pytest.fixture
def log(tmp_path: Path) -> Path:
    with TrainingLog(tmp_path / "train.jsonl") as made:
        made.write("epoch", step=5, epoch=1, test_war=0.5)
    return tmp_path / "train.jsonl"


def test_nothing_left_asks_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    tracking = Tracking("http://127.0.0.1:1")
    assert pending_uploads.upload_pending(tracking) == 0
    mark_pipeline("one that runs", tracking.uri)
    assert pending_uploads.upload_pending(tracking) == 0


def test_a_training_is_told_once_with_its_own_times(tracking: Tracking, log: Path) -> None:
    facts = RunFacts("d1", "fd1 training", params={"recipe": {"sizes": (1, 2)}})
    pending_uploads.leave(facts, tracking.uri, log, "FAILED", 1000.0, 1060.5)
    assert (pending_uploads.upload_pending(tracking), pending_uploads.upload_pending(tracking)) == (1, 0)
    (run,) = tracking.find(nrdfer__digest="d1")
    assert (run.info.status, run.info.start_time, run.info.end_time) == ("FAILED", 1_000_000, 1_060_500)
    assert run.data.metrics == {"test_war": 0.5}
    assert run.data.params == {"recipe.sizes": "(1, 2)"}


def test_another_address_is_named_and_not_told(tracking: Tracking, log: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    marker = pending_uploads.leave(RunFacts("d1", "fd1 training"), "http://elsewhere:5000", log, "FINISHED", 1.0, 2.0)
    assert pending_uploads.upload_pending(tracking) == 0
    assert marker.exists() and tracking.find(nrdfer__digest="d1") == []
    assert "fd1 training waits for the MLflow at http://elsewhere:5000" in caplog.text


def test_one_that_fails_keeps_back_no_other(tracking: Tracking, log: Path, caplog: pytest.LogCaptureFixture) -> None:
    refused = RunFacts("a", "fd1 training", params={"x" * 1000: "a name that MLflow does not take"})
    bad = pending_uploads.leave(refused, tracking.uri, log, "FINISHED", 1.0, 2.0)
    good = pending_uploads.leave(RunFacts("b", "fd2 training"), tracking.uri, log, "FINISHED", 1.0, 2.0)
    assert pending_uploads.upload_pending(tracking) == 1
    assert bad.exists() and not good.exists()
    assert "fd1 training could not be uploaded yet (" in caplog.text


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"[" * 100_000, b'{"facts": {"digest": ' + b"9" * 5000 + b"}}"])
def test_a_damaged_file_in_undelivered_ends_no_start_and_keeps_back_no_other(
    tracking: Tracking, log: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    bad = pending_uploads.leave(RunFacts("a", "fd1 training"), tracking.uri, log, "FINISHED", 1.0, 2.0)
    good = pending_uploads.leave(RunFacts("b", "fd2 training"), tracking.uri, log, "FINISHED", 1.0, 2.0)
    bad.write_bytes(content)
    assert pending_uploads.upload_pending(tracking) == 1
    assert not good.exists() and not bad.exists()
    assert f"{bad} is damaged" in caplog.text
    aside = {path.name.rpartition("-")[0] for path in (pending_uploads.folder() / ".damaged").iterdir()}
    assert aside == {"a.json", "a.jsonl"}  # nothing is lost
    assert not pending_uploads.is_anything_left()


def test_an_undelivered_log_with_a_damaged_line_is_told_without_it(
    tracking: Tracking, log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    marker = pending_uploads.leave(RunFacts("d1", "fd1 training"), tracking.uri, log, "FINISHED", 1.0, 2.0)
    copy = marker.with_suffix(".jsonl")
    copy.write_bytes(b"nothing\n" + copy.read_bytes())
    assert pending_uploads.upload_pending(tracking) == 1
    (run,) = tracking.find(nrdfer__digest="d1")
    assert run.data.metrics
    assert "1 damaged lines" in caplog.text


@pytest.mark.parametrize(
    "content", [b"", b"{}x", b'{"process": "1:x"}', b'{"process": 5}', b'{"ended": 1e999}', b'{"status": "GONE"}']
)
def test_a_damaged_file_in_open_runs_ends_no_start(
    tracking: Tracking, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    RUNS.folder.mkdir()
    (RUNS.folder / "d1").write_bytes(content)
    pending_uploads.upload_pending(tracking)
    assert list(RUNS) == []
    assert f"{RUNS.folder / 'd1'} is damaged" in caplog.text
    assert [path.name[:3] for path in (RUNS.folder / ".damaged").iterdir()] == ["d1-"]


def test_a_training_that_runs_again_is_taken_back(tracking: Tracking, log: Path) -> None:
    pending_uploads.leave(RunFacts("d1", "fd1 training"), tracking.uri, log, "FAILED", 1.0, 2.0)
    pending_uploads.take_back("d1")
    assert list(pending_uploads.folder().iterdir()) == []
    assert pending_uploads.upload_pending(tracking) == 0


def test_a_pipeline_that_ended_without_a_server_is_closed_later(
    tracking: Tracking, caplog: pytest.LogCaptureFixture
) -> None:
    parent = tracking.pipeline_run("dagster-1", {})
    away = Tracking("http://127.0.0.1:1")
    pending_uploads.close_pipeline(away, "dagster-1", "FAILED")
    assert "MLflow at http://127.0.0.1:1 does not answer; the rest will be uploaded later" in caplog.text
    pending_uploads.close_pipeline(tracking, "dagster-2", "FINISHED")
    assert tracking.client.get_run(parent).info.status == "RUNNING"  # it was meant for the other address
    pending_uploads.close_pipeline(tracking, "dagster-1", "FAILED")
    assert tracking.client.get_run(parent).info.status == "FAILED"
    assert list((paths.home() / "pipeline-runs").iterdir()) == []


def test_a_pipeline_that_begins_without_a_server_is_told_when_it_is_back(
    tracking: Tracking, caplog: pytest.LogCaptureFixture
) -> None:
    away = Tracking("http://127.0.0.1:1")
    assert not pending_uploads.begin_pipeline(away, "dagster-1", {"recipe": {"lr": 0.1}}, {"dagster.job_name": "j"})
    assert "MLflow at http://127.0.0.1:1 does not accept this run" in caplog.text
    begun = PIPELINES.read("dagster-1")
    assert begun is not None and begun.run_id == "" and begun.started is not None
    pending_uploads.close_pipeline(away, "dagster-1", "FINISHED")
    PIPELINES.change("dagster-1", uri=tracking.uri)  # as if it had been the same server
    pending_uploads.upload_pending(tracking)
    (run,) = tracking.find(dagster__run_id="dagster-1")
    assert (run.info.status, run.data.params) == ("FINISHED", {"recipe.lr": "0.1"})
    assert run.info.start_time == int(1000 * begun.started) <= run.info.end_time
    assert run.data.tags["dagster.job_name"] == "j"
    assert list(PIPELINES) == []


def test_steps_find_the_pipelines_run_in_its_file(tracking: Tracking) -> None:
    assert pending_uploads.begin_pipeline(tracking, "dagster-1", {}, {})
    begun = PIPELINES.read("dagster-1")
    assert begun is not None and begun.run_id == tracking.pipeline_run("dagster-1", {})


def test_a_training_whose_process_was_killed_has_failed_and_one_that_goes_on_is_running(tracking: Tracking) -> None:
    killed, living = (tracking.training_run(digest, digest, None, {}, {}) for digest in ("d1", "d2"))
    RUNS.write("d1", OpenRun(uri=tracking.uri, lease="0" * 32))
    RUNS.write("d2", OpenRun(uri=tracking.uri))
    pending_uploads.upload_pending(tracking)
    assert [tracking.client.get_run(run).info.status for run in (killed, living)] == ["FAILED", "RUNNING"]
    assert [name for name, _ in RUNS] == ["d2"]


def test_what_an_earlier_release_left_open_has_failed(tracking: Tracking) -> None:
    run = tracking.training_run("d1", "d1", None, {}, {})
    signed = {"host": os.uname().nodename, "process": f"{os.getpid()}:1.00"}
    for folder, name in ((RUNS.folder, "d1"), (PIPELINES.folder, "dagster-1")):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps({**signed, "uri": tracking.uri}))
    assert pending_uploads.is_anything_left()
    pending_uploads.upload_pending(tracking)
    assert tracking.client.get_run(run).info.status == "FAILED"
    assert [*RUNS, *PIPELINES] == []


def test_a_pipelines_file_that_a_step_made_lives_as_long_as_the_run(tracking: Tracking) -> None:
    PIPELINES.write("dagster-1", OpenPipeline(uri=tracking.uri, lease="0" * 32))  # of a step that has ended
    leases.take("dagster-1")
    assert not pending_uploads.is_anything_left()


def test_one_that_was_deleted_is_forgotten(tracking: Tracking) -> None:
    RUNS.write("0" * 64, OpenRun(uri=tracking.uri, lease="0" * 32))
    pending_uploads.upload_pending(tracking)
    assert list(RUNS) == []


def test_what_a_killed_process_left_half_written_goes(tracking: Tracking, log: Path) -> None:
    whole = pending_uploads.leave(RunFacts("d1", "fd1"), "http://elsewhere:5000", log, "FINISHED", 1.0, 2.0)
    half, hidden = whole.with_name(f"{'d2' * 32}.jsonl"), temporary_beside(whole)
    half.touch()
    hidden.touch()
    pending_uploads.upload_pending(tracking)
    assert sorted(path.name for path in pending_uploads.folder().iterdir()) == ["d1.json", "d1.jsonl"]


def test_what_somebody_else_put_there_stays(tracking: Tracking, log: Path) -> None:
    marker = pending_uploads.leave(RunFacts("d1", "fd1"), tracking.uri, log, "FINISHED", 1.0, 2.0)
    theirs = [marker.with_name(name) for name in ("notes-of-mine.txt", "mine.jsonl", ".hidden")]
    for path in theirs:
        path.write_text("mine")
    assert pending_uploads.upload_pending(tracking) == 1
    assert sorted(pending_uploads.folder().iterdir()) == sorted(theirs)
    assert not pending_uploads.is_anything_left()  # no start asks MLflow because of them


def test_a_file_of_another_version_keeps_back_nothing(tracking: Tracking, caplog: pytest.LogCaptureFixture) -> None:
    mark_pipeline("good", tracking.uri)
    (PIPELINES.folder / "old").touch()  # what an earlier version wrote
    assert [name for name, _ in PIPELINES] == ["good"]
    assert f"{PIPELINES.folder / 'old'} is damaged" in caplog.text
