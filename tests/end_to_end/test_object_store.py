"""Two machines that share a bucket, MLflow's server and Dagster's history, but no store.

The second one's disk is empty: it evaluates, predicts, and follows every link from a version to its sources.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.s3_server import S3Server, s3_server
from devtools.tiny_project import execute, make_project
from devtools.tracking_server import TrackingServer

pytestmark = pytest.mark.slow

Machine = tuple[Path, dict[str, str]]


def nrdfer(machine: Machine, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "nrdfer.cli", *arguments],
        cwd=machine[0], env=machine[1], capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3") / "server.log") as server:
        yield server


@pytest.fixture(scope="module")
def first(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The machine that ran the whole job. Its store is gone since; the user's corpus, which is no artefact, is not."""
    folder = tmp_path_factory.mktemp("first") / "project"
    environment = make_project(folder)
    tracking = TrackingServer(folder.parent / "mlflow")
    tracking.start()
    try:
        environment |= {**s3.environment, "NRDFER_STORE_URL": s3.url, "MLFLOW_TRACKING_URI": tracking.uri}
        done = execute(folder, environment)
        assert done.returncode == 0, done.stderr[-4000:]
        status = json.loads(nrdfer((folder, environment), "store", "status", "--json"))
        assert status["waiting"] == 0 and all(row["here"] and row["in_bucket"] for row in status["artefacts"])
        for name in ("store", "pointers", "reports"):
            shutil.rmtree(folder / ".nrdfer" / name)
        yield folder, environment
    finally:
        tracking.kill()


@pytest.fixture(scope="module")
def second(first: Machine, s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    folder = tmp_path_factory.mktemp("second") / "project"
    shared = ("NRDFER_STORE_URL", "MLFLOW_TRACKING_URI", *s3.environment)
    environment = {**make_project(folder), **{name: first[1][name] for name in shared}}
    environment["NRDFER_SCRATCH"] = str(folder / "scratch")
    settings = folder / "dagster.yaml"
    text = settings.read_text()
    assert "base_dir: .dagster/storage" in text
    settings.write_text(text.replace("base_dir: .dagster/storage", f"base_dir: {first[0]}/.dagster/storage"))
    return folder, environment


def test_the_second_machine_evaluates_with_the_same_figures(second: Machine, s3: S3Server) -> None:
    told = nrdfer(second, "evaluate", "models:/nr-dfernet-dfew@fd1", "--split", "fd1", "--protocol", "honest", "--json")
    (key,) = [key for key in s3.keys("store/dfew/fd1/evaluation/") if key.endswith("/metrics.json")]
    made = json.loads(s3.client().get_object(Bucket="artefacts", Key=key)["Body"].read())
    honest = json.loads(told)["honest"]
    assert 0 <= honest.pop("calibration")["ece"] <= 1
    assert honest == made["honest"]
    assert list((second[0] / "scratch/dfew/shards").glob("*/*.tar"))
    assert not list((second[0] / ".nrdfer").glob("store/*/*/*/MANIFEST.json"))


def test_the_second_machine_predicts(second: Machine, first: Machine) -> None:
    video = sorted((first[0] / ".nrdfer/corpus").glob("*/AFEW/Val_AFEW/*/*.avi"))[0]
    nrdfer(second, "predict", str(video), "--no-video", "--out", str(second[0] / "predicted"))
    assert "ok" in (second[0] / "predicted/predictions.csv").read_text()


def test_every_link_closes_on_the_second_machine(second: Machine) -> None:
    told = nrdfer(second, "lineage", "--all")
    assert told.splitlines()[-1] == "broken links: 0"
    assert list((second[0] / "scratch/dfew/fd1/checkpoint").glob("*/last.safetensors"))


def test_the_bucket_is_whole(second: Machine) -> None:
    told = json.loads(nrdfer(second, "store", "verify", "--bucket", "--json"))
    assert told["damaged"] == 0 and len(told["artefacts"]) > 20


def test_no_secret_was_written(first: Machine, second: Machine, s3: S3Server) -> None:
    secret = s3.secret.encode()
    for folder in (first[0].parent, second[0].parent):
        files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
        assert len(files) > 10
        assert [path for path in files if secret in path.read_bytes()] == []
