"""The whole graph while MLflow's server is away, with a rival in the network's place and data that is there already.

Everything is trained, told when the server is back, and registered by the same line typed again. Both runs are given
secrets, in the server's address and in the environment: none is left anywhere.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.dagster_history import runs
from devtools.tiny_project import execute, make_project, use_data_of
from devtools.tracking_server import TrackingServer
from nrdfer.tracking.client import Tracking
from nrdfer.tracking.pending_uploads import upload_pending
from tests.planted import planted, traces


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder whose short path leaves room for the names of sockets."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        yield Path(folder)


def test_trainings_go_on_without_a_server_and_are_told_when_it_is_back(
    untouched: tuple[Path, dict[str, str], str], tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = TrackingServer(tmp_path / "server")
    away = planted(server.uri) | {"NRDFER_TRACKING_WAIT": "1", "TMPDIR": str(temporary)}
    recipe = {"epochs": 1, "batch": 8, "sampling": {"strategy": "ti"}}
    rival = {
        "model": "r3d-18-center-loss",
        "model_preset": "sample",
        "model_settings": {"image_size": 48, "width": 4},
        "dfew_recipe": recipe,
        "afew_recipe": {**recipe, "batch": 7},
    }
    environment = make_project(tmp_path, **rival) | away
    use_data_of(untouched[0], tmp_path)
    first = execute(tmp_path, environment)
    said = first.stdout + first.stderr
    home = tmp_path / ".nrdfer"
    checkpoints = sorted((home / "store").glob("*few/**/checkpoint/*/last.safetensors"))
    assert len(checkpoints) == 6, said[-6000:]
    assert "dfew/shards was up to date" in said and "afew/shards was up to date" in said
    described = [json.loads((path.parent / "model.json").read_text()) for path in checkpoints]
    assert {row["model"] for row in described} == {"r3d-18-center-loss"}
    assert {(row["settings"]["width"], row["settings"]["center_weight"]) for row in described} == {(4, 0.003)}
    assert {row["recipe"]["sampling"]["strategy"] for row in described} == {"ti"}
    assert all((path.parent / "train.jsonl").stat().st_size for path in checkpoints)
    assert "the evaluation of fd1 is finished and kept, but it cannot be shown in MLflow: MLflow at" in said
    assert said.count("cannot upload this training's metrics") >= 1  # said by the delivery's thread
    assert "are missing there, kept in" in said
    assert len(list((home / "undelivered").glob("*.json"))) == 6
    try:
        server.start()
        monkeypatch.setenv("NRDFER_HOME", str(home))
        tracking = Tracking(server.uri)
        assert upload_pending(tracking) == 6  # as the next training does
        trainings = tracking.find(nrdfer__role="training")
        assert [run.info.status for run in trainings] == ["FINISHED"] * 6
        epochs = {
            run.info.run_name: [m.step for m in tracking.client.get_metric_history(run.info.run_id, "test_war")]
            for run in trainings
        }
        assert epochs == {**{f"dfew/fd{k}/training": [1] for k in range(1, 6)}, "afew/training": [1]}
        # the run is told as it was: it failed, because nothing could be registered
        assert [run.info.status for run in tracking.find(nrdfer__role="pipeline")] == ["FAILED"]
        assert list((home / "undelivered").iterdir()) == list((home / "pipeline-runs").iterdir()) == []
        again = execute(tmp_path, environment)
        assert again.returncode == 0, again.stderr[-6000:]
        assert [run.info.status for run in tracking.find(nrdfer__role="pipeline")] == ["FINISHED", "FAILED"]
        versions = tracking.client.search_model_versions("name = 'r3d-18-center-loss-dfew'")
        assert len(versions) == 5
    finally:
        server.kill()
    assert [status for _, status in runs(tmp_path)] == ["FAILURE", "SUCCESS"]
    made = [path for part in ("corpus", "store") for path in (home / part).rglob("[!.]*") if path.is_file()]
    seen = [path for path in made if "/." not in str(path.relative_to(home))]
    assert {".npy", ".tar", ".jpg", ".png", ".parquet", ".avi", ".html"} <= {path.suffix for path in seen}
    assert [str(path) for path in seen if path.stat().st_mode & 0o077] == []  # faces: whose umask was 077
    assert traces([tmp_path, temporary], first=said, again=again.stdout + again.stderr) == []
