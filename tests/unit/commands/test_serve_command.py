"""``nrdfer serve`` as a process: who is answered over HTTP, and of which files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nrdfer.core.errors import NrdferError
from nrdfer.models.trained_files import LAST
from nrdfer.predict.model import open_model
from nrdfer.preprocessing.spec import FILE
from nrdfer.publish.model_files import crops_content
from nrdfer.publish.register_video_model import register_video
from nrdfer.registry import register, tags
from nrdfer.registry.versions import Facts
from nrdfer.serving.served_files import Served, checked_files
from nrdfer.serving.video_bundle import bundle_in, load_bundle
from nrdfer.tracking.client import Tracking
from tests.unit.registry.registered import NAME, TOLD

pytestmark = pytest.mark.slow

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, fresh_database: Path, network_folder: Path) -> Iterator[str]:
    """A server of a registered model of videos, with no folder named whose videos may be asked for."""
    home = tmp_path_factory.mktemp("home")
    shutil.copy(fresh_database, home / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NRDFER_HOME", str(home))
        for name in ("MLFLOW_TRACKING_URI", "NRDFER_PROFILE", "NRDFER_PROFILES", "NRDFER_WEIGHTS"):
            patch.delenv(name, raising=False)
        made = register_model(shutil.copytree(network_folder, home / "network"))
        with socket.socket() as place:
            place.bind(("127.0.0.1", 0))
            port = place.getsockname()[1]
        with (home / "log").open("w") as log:
            server = subprocess.Popen(
                [sys.executable, "-m", "nrdfer.cli", "serve", made, "--port", str(port)],
                env={**os.environ, "MLFLOW_TRACKING_URI": ""},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    try:
        yield when_it_answers(f"http://127.0.0.1:{port}", server, home / "log")
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


def register_model(network: Path) -> str:
    open_model(str(network)).preprocessing.write(network / FILE)
    tracking = Tracking()
    run = tracking.training_run("f" * 64, "fd1", None, {}, {})
    told = {**TOLD, tags.EPOCH: "3", "war_honest": "0.5", "uar_honest": "0.5"}
    facts = Facts("f" * 64, "# a card\n\nof one line", 3, {"war": 0.5, "uar": 0.5}, told)
    made = register(tracking, NAME, run, crops_content(network, LAST, "# a card", network / FILE), facts)
    return register_video(tracking, NAME, made.version).uri


def when_it_answers(address: str, server: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/ping", timeout=5):  # noqa: S310
                return f"{address}/invocations"
        except OSError:
            assert server.poll() is None, log.read_text()[-3000:]
            time.sleep(0.2)
    raise AssertionError(log.read_text()[-3000:])


def ask(address: str, rows: list[dict[str, Any]], **headers: str) -> tuple[int, str]:
    body = json.dumps({"dataframe_records": rows}).encode()
    request = urllib.request.Request(address, body, JSON | headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def test_a_page_that_points_its_own_name_at_this_machine_is_not_answered(address: str) -> None:
    status, _ = ask(address, [{"path": "/nothing.mp4"}], Host="evil.example")
    assert status == 403


def test_a_video_outside_the_folders_that_the_starter_allowed_is_not_read(address: str, acted_video: Path) -> None:
    status, answer = ask(address, [{"path": str(acted_video)}])
    assert "frames_with_face" not in answer, answer[:600]
    assert (status, "--videos" in answer) == (403, True)


def test_the_answer_for_a_file_that_is_no_video_is_strict_json(address: str) -> None:
    def no(name: str) -> None:
        raise AssertionError(f"{name} in an answer")

    json.loads(ask(address, [{"path": "/nothing.mp4"}])[1], parse_constant=no)


def test_a_detector_is_for_models_of_videos(tmp_path: Path, fresh_database: Path, network_folder: Path) -> None:
    shutil.copy(fresh_database, tmp_path / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NRDFER_HOME", str(tmp_path))
        for name in ("MLFLOW_TRACKING_URI", "NRDFER_PROFILE", "NRDFER_PROFILES", "NRDFER_WEIGHTS"):
            patch.delenv(name, raising=False)
        of_videos = register_model(shutil.copytree(network_folder, tmp_path / "network"))
        with (
            pytest.raises(NrdferError, match="takes aligned crops and detects nothing"),
            checked_files(Served(of_videos.replace("-video", ""), "sample")),
        ):
            pass
        with checked_files(Served(of_videos, "sample")) as (files, _, words):
            assert load_bundle(bundle_in(files)).cropper.preprocessing.retinaface is not None
            assert "files are as registered" in words
        assert not files.exists()
        with pytest.raises(NrdferError, match="nowhere"), checked_files(Served(of_videos, "nowhere.pth")):
            pass
