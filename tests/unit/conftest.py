"""Made once for all tests that need them: odd video files, an empty MLflow database, MLflow's server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.hub_service import TOKEN, HubService
from devtools.tracking_server import TrackingServer
from nrdfer.tracking.client import Tracking
from tests.unit.acting import act, write_network
from tests.unit.odd_videos import Odd, long_video, make_all

MANY = 10_000


@pytest.fixture(scope="session")
def odd_videos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Odd]]:
    """A folder of odd files, and what shall become of each; read only."""
    folder = tmp_path_factory.mktemp("odd") / "corpus"
    odds = make_all(folder)
    made = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
    assert made == {odd.name for odd in odds}
    return folder, odds


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of ten thousand small frames."""
    return long_video(tmp_path_factory.mktemp("long") / "long.mp4", MANY)


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One database with all tables, copied by every test: making it takes seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    patch = pytest.MonkeyPatch()
    patch.setenv("NRDFER_HOME", str(folder))
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    _ = Tracking().experiment_id
    patch.undo()
    return folder / "mlflow.db"


@pytest.fixture
def tracking(fresh_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tracking:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(fresh_database, tmp_path / "mlflow.db")
    return Tracking()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingServer]:
    """A real server that was not started yet."""
    made = TrackingServer(tmp_path_factory.mktemp("server"))
    yield made
    made.kill()


@pytest.fixture
def remote(server: TrackingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tracking:
    """What finds that server, with an empty project folder."""
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    return Tracking()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubService]:
    """A hub on this machine, an empty cache, and a user who has a token."""
    with HubService() as service:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", service.endpoint)
        template = f"{service.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub-cache"))
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield service


@pytest.fixture(scope="session")
def network_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network without training; read only."""
    return write_network(tmp_path_factory.mktemp("network") / "network")


@pytest.fixture(scope="session")
def acted_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds with a rendered face and two without, 25 frames a second; read only."""
    return act(tmp_path_factory.mktemp("acted") / "acted.mp4")


@pytest.fixture(scope="session")
def sample_shell() -> None:
    """The profile ``sample``, whatever the shell that runs the tests says."""
    for name in ("NRDFER_PROFILE", "NRDFER_PROFILES", "NRDFER_WEIGHTS", "NRDFER_AFEW_ROOT", "NRDFER_DFEW_ROOT"):
        os.environ.pop(name, None)
