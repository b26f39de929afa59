"""A small training that is watched: its log is in the artefact, and MLflow has what the log has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from devtools.shard_files import write_shards
from devtools.uploaded_points import compare
from nrdfer.config.profile import Profile, load_profile
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.records import ClipRecord
from nrdfer.models.saved_model import read_history
from nrdfer.shards.split import Split
from nrdfer.tracking import pending_uploads
from nrdfer.tracking.client import Tracking
from nrdfer.tracking.log_uploader import RunFacts, count_points
from nrdfer.tracking.training_log import LOG, last_of_each, read_all
from nrdfer.training.callbacks import TrainingCallbacks
from nrdfer.training.loop import train_tracked
from nrdfer.training.progress import Progress
from nrdfer.training.request import TrainingRequest, request_of

PROFILES = Path(__file__).resolve().parents[3] / "pipelines" / "profiles"
IDS = [f"{number:05d}" for number in range(14)]


@pytest.fixture(scope="module")
def profile() -> Profile:
    tiny = {"image_size": 32, "widths": [4, 6, 8], "spatial_depth": 1, "temporal_depth": 1}
    recipe = {"epochs": 3, "batch": 4, "absent_emotions": True}
    engine = {"device": "cpu", "threads": 1, "workers": 0}
    overrides = {"model_settings": tiny, "dfew_recipe": recipe, "engine": engine}
    return load_profile(PROFILES / "sample.yaml", overrides)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    rng = np.random.default_rng(0)
    clips = [
        (
            ClipRecord("dfew", name, EMOTIONS[number % 7], "", 18, "0" * 64),
            rng.integers(0, 255, (18, 32, 32, 3), np.uint8),
        )
        for number, name in enumerate(IDS)
    ]
    write_shards(clips, folder, prefix="dfew")
    return folder


def _request(profile: Profile, shards: Path, folder: Path) -> TrainingRequest:
    split = Split("fd1", "dfew", shards, tuple(IDS[:7]), tuple(IDS[7:]))
    return request_of(profile, split, folder / "work", folder / "out")


def test_a_watched_training(profile: Profile, shards: Path, tracking: Tracking, tmp_path: Path) -> None:
    out, seen = tmp_path / "out", list[Progress]()
    facts = RunFacts("d1", "fd1 training", {"a": "1"}, {"recipe": {"epochs": 3}})
    result = train_tracked(
        _request(profile, shards, tmp_path),
        TrainingCallbacks(on_batch=seen.append),
        tracking=tracking,
        facts=facts,
    )
    assert [(look.epoch, look.step, look.steps) for look in seen] == [
        (1, 1, 6),
        (1, 2, 6),
        (2, 3, 6),
        (2, 4, 6),
        (3, 5, 6),
        (3, 6, 6),
    ]
    assert seen[-1].clips_per_second > 0
    history = read_history(out)
    logged = last_of_each(read_all(out / LOG), "epoch")
    assert list(logged) == [2, 4, 6]
    assert [line["test_war"] for line in logged.values()] == [row["test_war"] for row in history]
    found = compare(tracking, result["mlflow_run_id"], out / LOG)
    assert (found["lost"], found["wrong"], found["duplicates"], found["status"]) == (0, 0, 0, "FINISHED")
    assert found["points_in_log"] >= 3 * (len(history[0]) - 1)
    assert tracking.client.get_run(result["mlflow_run_id"]).data.params == {"recipe.epochs": "3"}


def test_without_a_server_a_training_ends_well_and_is_told_later(
    profile: Profile, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    result = train_tracked(
        _request(profile, shards, tmp_path),
        tracking=Tracking("http://127.0.0.1:1"),
        facts=RunFacts("d1", "fd1 training"),
        wait=0.0,
    )
    assert (result["mlflow_run_id"], result["epochs"]) == ("", 3)
    assert (pending_uploads.folder() / "d1.jsonl").read_bytes() == (tmp_path / "out" / LOG).read_bytes()
    points = count_points(tmp_path / "out" / LOG)
    assert points >= 3 * (len(read_history(tmp_path / "out")[0]) - 1)
    assert f"{points} points of fd1 training and its end (FINISHED) are missing there" in caplog.text
