"""Whatever becomes of the tracking server or of the training, MLflow ends with every point of the log, once."""

from __future__ import annotations

import dataclasses
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devtools.tracking_server import TrackingServer
from devtools.uploaded_points import compare
from nrdfer.core import paths
from nrdfer.tracking import pending_uploads
from nrdfer.tracking.background_upload import Delivery
from nrdfer.tracking.client import Tracking
from nrdfer.tracking.log_uploader import RunFacts
from nrdfer.tracking.open_runs import RUNS
from nrdfer.tracking.training_log import TrainingLog, last_of_each, read_all

pytestmark = pytest.mark.slow

OUTAGE = float(os.environ.get("NRDFER_OUTAGE_SECONDS", "5"))
FACTS = RunFacts("d" * 64, "fd1 training", {"a": "1"}, {"recipe": {"lr": 0.1}}, "dagster-1", {"profile": "tiny"})
EPOCH = 10  # batches


class Steps:
    """A training that only writes its log: a batch a call, of which one in three is shown."""

    def __init__(self, path: Path, pace: float = 0.0) -> None:
        self.step, self.now, self.pace = 0, 1000.0, pace
        self.log = TrainingLog(path, clock=lambda: self.now)

    def one(self) -> None:
        self.step += 1
        self.now += 0.4
        time.sleep(self.pace)
        epoch = (self.step - 1) // EPOCH + 1
        self.log.write("batch", step=self.step, epoch=epoch, loss=1 / self.step, lr=0.1, clips_per_second=self.now)
        if self.step % EPOCH == 0:
            self.log.write("epoch", step=self.step, epoch=epoch, lr=0.1, train_loss=1 / epoch, test_war=epoch / 1000)
            self.log.write("system", step=epoch, cpu_utilization_percentage=50.0 + epoch)

    def many(self, count: int) -> None:
        for _ in range(count):
            self.one()


def facts(name: str) -> RunFacts:
    """Of a training that no other test knows."""
    return dataclasses.replace(FACTS, digest=name, pipeline=f"pipeline of {name}")


def wait_for(true: Callable[[], object]) -> None:
    for _ in range(1200):
        if true():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not happen within a minute")


def assert_complete(tracking: Tracking, run_id: str | None, log: Path, status: str = "FINISHED") -> None:
    assert run_id
    found = compare(tracking, run_id, log)
    assert found["points_in_log"] == found["points_in_mlflow"] > 0
    assert (found["lost"], found["wrong"], found["duplicates"], found["status"]) == (0, 0, 0, status)
    epochs = {line["epoch"]: line["test_war"] for line in last_of_each(read_all(log), "epoch").values()}
    assert {m.step: m.value for m in tracking.client.get_metric_history(run_id, "test_war")} == epochs
    batches = last_of_each(read_all(log), "batch")
    losses = tracking.client.get_metric_history(run_id, "update_loss")
    assert len(losses) >= len(batches) / 3 - 1
    assert all(m.value == batches[m.step]["loss"] for m in losses)


def said(caplog: pytest.LogCaptureFixture, words: str) -> int:
    return sum(words in record.getMessage() for record in caplog.records)


def test_a_server_that_is_away_in_mid_training_misses_nothing(
    server: TrackingServer, remote: Tracking, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.start()
    steps = Steps(tmp_path / "train.jsonl", pace=0.02)
    with Delivery(remote, steps.log.path, facts("mid"), every=0.2) as delivery:
        steps.many(20)
        wait_for(lambda: delivery._arrived)
        server.kill()
        until = time.monotonic() + OUTAGE
        while time.monotonic() < until:
            steps.one()
        wait_for(lambda: said(caplog, "cannot upload this training's metrics"))
        assert not delivery.complete
        server.start()
        steps.many(20)
    assert delivery.complete
    assert_complete(remote, delivery.run_id, steps.log.path)
    assert said(caplog, "cannot upload this training's metrics") == said(caplog, "is back") == 1


def test_a_server_that_is_away_at_the_start_is_told_everything(
    server: TrackingServer, remote: Tracking, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.kill()
    steps = Steps(tmp_path / "train.jsonl")
    with Delivery(remote, steps.log.path, facts("start"), every=0.2) as delivery:
        steps.many(30)
        wait_for(lambda: said(caplog, "cannot upload this training's metrics"))
        assert delivery.run_id is None
        server.start()
        steps.many(30)
    assert_complete(remote, delivery.run_id, steps.log.path)
    run = remote.client.get_run(delivery.run_id or "")
    assert (run.data.params["recipe.lr"], run.data.tags["a"]) == ("0.1", "1")
    parent = remote.client.get_run(run.data.tags["mlflow.parentRunId"])
    assert parent.data.params == {"profile": "tiny"}


def test_a_server_that_is_away_at_the_end_is_told_by_the_next_training(
    server: TrackingServer, remote: Tracking, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.start()
    steps = Steps(tmp_path / "train.jsonl")
    with Delivery(remote, steps.log.path, facts("end"), wait=0.5, every=0.1) as delivery:
        steps.many(30)
        wait_for(lambda: delivery._arrived)
        server.kill()
        steps.many(30)
    assert not delivery.complete and said(caplog, "is still unreachable: ") == 1
    (marker,) = pending_uploads.folder().glob("*.json")
    pending_uploads.close_pipeline(remote, "pipeline of end", "FINISHED")  # the pipeline ends without a server too
    kept = steps.log.path.rename(tmp_path / "the work folder is gone")
    server.start()
    with Delivery(remote, tmp_path / "next.jsonl", facts("next")) as following:
        wait_for(lambda: not marker.exists())
    assert_complete(remote, delivery.run_id, kept)
    assert list(pending_uploads.folder().iterdir()) == []
    run = remote.client.get_run(delivery.run_id or "")
    assert run.info.end_time == int(1000 * delivery._ended)
    parent = remote.client.get_run(run.data.tags["mlflow.parentRunId"])
    assert parent.info.status == "FINISHED"
    # the one of the training that has just ended is still open: its pipeline has not ended
    assert [path.name for path in (paths.home() / "pipeline-runs").iterdir()] == ["pipeline of next"]
    assert following.complete


CHILD = """
import sys, time
from pathlib import Path
from nrdfer.tracking.background_upload import Delivery
from nrdfer.tracking.client import Tracking
from tests.unit.tracking.test_background_upload import Steps, facts
steps = Steps(Path(sys.argv[1]), pace=0.01)
with Delivery(Tracking(), steps.log.path, facts("killed"), every=0.05):
    while True:
        steps.one()
"""


def test_a_training_killed_and_continued_has_no_point_twice(
    server: TrackingServer, remote: Tracking, tmp_path: Path
) -> None:
    server.start()
    path = tmp_path / "train.jsonl"
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)])
    try:
        wait_for(lambda: remote.find(nrdfer__digest="killed"))
        (run,) = remote.find(nrdfer__digest="killed")
        wait_for(lambda: len(remote.client.get_metric_history(run.info.run_id, "test_war")) >= 3)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert remote.client.get_run(run.info.run_id).info.status == "RUNNING"
    with path.open("a") as file:
        file.write('{"kind": "batch", "st')
    last = last_of_each(read_all(path), "batch").popitem()[1]
    steps = Steps(path)
    steps.step, steps.now = 13, last["time"] + 60  # the last checkpoint; what follows is computed again
    with Delivery(Tracking(), path, facts("killed"), every=0.05) as delivery:
        steps.many(last["step"] + 7)
    assert delivery.run_id == run.info.run_id
    found = compare(remote, run.info.run_id, path)
    assert (found["lost"], found["wrong"], found["duplicates"], found["status"]) == (0, 0, 0, "FINISHED")
    epochs = sorted({line["epoch"] for line in read_all(path) if line["kind"] == "epoch"})
    assert [m.step for m in remote.client.get_metric_history(run.info.run_id, "train_loss")] == epochs


@pytest.mark.parametrize(("error", "status"), [(ZeroDivisionError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_the_status_tells_how_a_training_ended(
    tracking: Tracking, tmp_path: Path, error: type[BaseException], status: str
) -> None:
    steps = Steps(tmp_path / "train.jsonl")
    with pytest.raises(error), Delivery(tracking, steps.log.path, FACTS) as delivery:
        steps.many(15)
        wait_for(lambda: delivery.run_id)
        assert tracking.client.get_run(delivery.run_id or "").info.status == "RUNNING"
        raise error
    assert_complete(tracking, delivery.run_id, steps.log.path, status)


def test_an_answer_that_was_lost_makes_no_point_twice(
    tracking: Tracking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    client = tracking.client
    really, calls = client.log_batch, list[str]()

    def log_batch(run_id: str, **what: Any) -> None:
        really(run_id, **what)
        if "metrics" in what:
            calls.append("metrics")
            if len(calls) == 1:
                raise ConnectionResetError("the answer was lost")

    monkeypatch.setattr(client, "log_batch", log_batch)
    steps = Steps(tmp_path / "train.jsonl")
    with Delivery(tracking, steps.log.path, FACTS, every=0.1) as delivery:
        steps.many(30)
        wait_for(lambda: calls)
        steps.many(10)
    assert said(caplog, "ConnectionResetError: the answer was lost") == 1
    assert_complete(tracking, delivery.run_id, steps.log.path)


def test_a_training_begun_anew_with_another_log_gives_no_point_a_second_time(
    tracking: Tracking, tmp_path: Path
) -> None:
    for name in ("first.jsonl", "second.jsonl"):
        steps = Steps(tmp_path / name)
        steps.now += 5000 * len(name)
        with Delivery(tracking, steps.log.path, FACTS) as delivery:
            steps.many(30)
    found = compare(tracking, delivery.run_id or "", tmp_path / "first.jsonl")
    assert (found["lost"], found["wrong"], found["duplicates"]) == (0, 0, 0)
    assert [m.step for m in tracking.client.get_metric_history(delivery.run_id or "", "test_war")] == [1, 2, 3]


def test_a_training_that_can_keep_nothing_for_later_keeps_its_end(
    server: TrackingServer,
    remote: Tracking,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.kill()

    def full(*_: object) -> Path:
        raise OSError("no space left")

    monkeypatch.setattr(pending_uploads, "leave", full)
    with pytest.raises(ZeroDivisionError), Delivery(remote, tmp_path / "train.jsonl", facts("a"), wait=0.1):
        assert [(name, told.status) for name, told in RUNS] == [(facts("a").digest, "FAILED")]
        raise ZeroDivisionError
    (kept,) = (told for _, told in RUNS)
    assert kept.status == "FAILED" and kept.ended is not None
    assert "could not be kept for later" in caplog.text
    with Delivery(remote, tmp_path / "train.jsonl", facts("a"), wait=0.1):
        pass
    (kept,) = (told for _, told in RUNS)
    assert kept.status == "FINISHED"


@pytest.mark.parametrize("address", ["mlflow.lab:5000", "sqlite:////proc/nothing/mlflow.db"])
def test_an_end_is_not_waited_for_that_waiting_cannot_bring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    steps = Steps(tmp_path / "train.jsonl")
    asked = time.monotonic()
    with Delivery(Tracking(address), steps.log.path, facts(address[:6]), wait=3600, every=0.1) as delivery:
        steps.many(3)
    assert time.monotonic() - asked < 1800  # not the hour
    assert not delivery.complete and pending_uploads.is_anything_left()
