"""Secrets planted in an address, a token, a password and the environment are in nothing that is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devtools.tracking_server import TrackingServer

pytestmark = pytest.mark.slow

IN_ADDRESS, IN_TOKEN, IN_ENVIRONMENT = "planted-a-91", "planted-t-92", "planted-e-93"
_PROGRAM = """
import logging, sys
from pathlib import Path
import nrdfer.cli  # as every command begins
from nrdfer.tracking import pending_uploads
from nrdfer.tracking.log_uploader import RunFacts
from nrdfer.tracking.background_upload import Delivery
from nrdfer.tracking.client import Tracking
from nrdfer.tracking.training_log import TrainingLog

logging.basicConfig(level=logging.INFO)
tracking = Tracking()
pending_uploads.begin_pipeline(tracking, "dagster-1", {"a": 1}, {"b": "c"})
try:
    with TrainingLog(Path("train.jsonl")) as log, Delivery(
        tracking, log.path, RunFacts("d" * 64, "fd1", pipeline="dagster-1"), wait=1.0, every=0.1
    ):
        log.write("epoch", step=5, epoch=1, test_war=0.5)
        if sys.argv[1] == "fails":
            raise ValueError("the training failed")
finally:
    pending_uploads.close_pipeline(tracking, "dagster-1", "FINISHED")
"""


def planted(address: str, folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    return kept | {
        "MLFLOW_TRACKING_URI": address.replace("http://", f"http://me:{IN_ADDRESS}@") + f"?token={IN_TOKEN}",
        "HF_TOKEN": IN_TOKEN,
        "AWS_SECRET_ACCESS_KEY": IN_ENVIRONMENT,
        "LAB_DATABASE_PASSWORD": IN_ENVIRONMENT,
        "NRDFER_HOME": str(folder / "home"),
        "HOME": str(folder),
        "TMPDIR": str(folder / "tmp"),
    }


def run(line: list[str], address: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    (folder / "tmp").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, *line], cwd=folder, env=planted(address, folder), capture_output=True, timeout=300
    )


def found_in(folder: Path, done: subprocess.CompletedProcess[bytes]) -> list[str]:
    """Where any of the secrets is: files, their names, and all output."""
    texts = {"stdout": done.stdout, "stderr": done.stderr}
    texts |= {str(path): path.read_bytes() + os.fsencode(path) for path in folder.rglob("*") if path.is_file()}
    secrets = [secret.encode() for secret in (IN_ADDRESS, IN_TOKEN, IN_ENVIRONMENT)]
    return [place for place, text in texts.items() if any(secret in text for secret in secrets)]


@pytest.mark.parametrize("ends", ["well", "fails"])
def test_a_training_with_mlflow_away_leaves_no_secret(tmp_path: Path, ends: str) -> None:
    done = run(["-c", _PROGRAM, ends], "http://127.0.0.1:9", tmp_path)
    assert done.returncode == (ends == "fails"), done.stderr.decode()[-3000:]
    assert list((tmp_path / "home" / "undelivered").glob("*.json")) and b"does not" in done.stderr
    assert found_in(tmp_path, done) == []


@pytest.mark.parametrize("ends", ["well", "fails"])
def test_a_training_with_a_server_leaves_no_secret_here_or_there(
    server: TrackingServer, tmp_path: Path, ends: str
) -> None:
    server.start()
    done = run(["-c", _PROGRAM, ends], server.uri, tmp_path)
    assert done.returncode == (ends == "fails"), done.stderr.decode()[-3000:]
    assert not list((tmp_path / "home" / "undelivered").glob("*.json"))
    assert found_in(tmp_path, done) == found_in(server.folder, done) == []


def test_predict_without_mlflow_ends_in_words_without_a_secret(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(b"\0" * 100)  # looked for before MLflow is asked, opened after
    done = run(["-m", "nrdfer.cli", "predict", "v.mp4", "--out", "o"], "http://127.0.0.1:9", tmp_path)
    told = done.stderr.decode()
    assert done.returncode == 1 and "Traceback" not in told and len(told) < 2000
    assert "MLflow at http://127.0.0.1:9 does not answer" in told, told
    assert found_in(tmp_path, done) == []
