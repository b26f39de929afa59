"""Which model answers where none is named, and which detector; no other model ever takes a place unnoticed."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devtools.hub_service import HubService, Repository
from nrdfer.config.profile import WeightsConfig
from nrdfer.core.errors import WeightsError
from nrdfer.predict import choose
from nrdfer.predict.choose import CHAMPIONS, REAL_DETECTOR, choose_detector, choose_model
from nrdfer.predict.model import Origin, TrainedModel
from nrdfer.registry import CHAMPION, point_alias
from nrdfer.tracking.client import Tracking
from nrdfer.weights.catalogue import CATALOGUE
from nrdfer.weights.sample_network import ADDRESS
from tests.unit.registry.registered import NAME, make_checkpoint, register


def test_without_a_registry_it_is_the_shipped_one_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    chosen = choose_model()
    assert chosen.address == ADDRESS
    assert "no registry of models yet" in chosen.reason
    assert "--model" in chosen.reason
    assert not (tmp_path / "home").exists()


def test_a_registry_of_others_that_is_missing_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/disk/mlflow.db")
    with pytest.raises(WeightsError, match=r"that MLFLOW_TRACKING_URI names, .*disk/mlflow\.db, is not there: mount"):
        choose_model()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/home/mlflow.db")
    assert choose_model().address == ADDRESS
    assert not (tmp_path / "home").exists()


def test_an_empty_registry_is_named_and_a_champion_goes_first(tracking: Tracking, tmp_path: Path) -> None:
    chosen = choose_model()
    assert chosen.address == ADDRESS
    assert "mlflow.db has neither models:/nr-dfernet-afew@champion nor" in chosen.reason
    made = register(tracking, make_checkpoint(tmp_path / "checkpoint"))
    assert choose_model().address == ADDRESS  # registered, and no champion
    point_alias(tracking, NAME, CHAMPION, made.version)
    chosen = choose_model()
    assert (chosen.address, chosen.reason) == (CHAMPIONS[1], "the champion of this project's registry")


def test_a_registry_that_does_not_answer_is_an_error(tracking: Tracking, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.exceptions import MlflowException

    def away(*_: object) -> None:
        raise MlflowException("the server is away")

    monkeypatch.setattr("mlflow.MlflowClient.get_model_version_by_alias", away)
    with pytest.raises(WeightsError, match=r"could not be asked.*the server is away.*--model sample"):
        choose_model()


def test_a_named_model_is_taken_and_a_branch_of_the_hub_pinned(hub: HubService, tmp_path: Path) -> None:
    assert choose_model("runs/fd1") == choose.Choice("runs/fd1", "named by --model")
    hub.repositories["someone/net"] = Repository(private=False)
    commit = hub.repositories["someone/net"].commit({})
    chosen = choose_model("hf://someone/net@main")
    assert chosen.address == f"hf://someone/net@{commit}"
    assert "hf://someone/net@main" in chosen.reason


def test_the_shipped_model_gets_a_detector_of_real_faces_where_there_is_one(
    trained: TrainedModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shipped = dataclasses.replace(trained, origin=Origin(ADDRESS, "", ""))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NRDFER_WEIGHTS", str(tmp_path))
    assert choose_detector(shipped) is None
    monkeypatch.setattr(choose, "resolve", lambda name, folder: folder / name)
    assert choose_detector(shipped) == REAL_DETECTOR
    assert choose_detector(trained) is None  # any other has that of its training
    monkeypatch.setenv("NRDFER_WEIGHTS", str(tmp_path / "nowhere"))
    with pytest.raises(
        WeightsError, match=r"the folder of weights .*nowhere does not exist; create it, or correct NRDFER"
    ):
        choose_detector(shipped)


def test_a_damaged_detector_of_real_faces_is_not_taken_for_a_missing_one(
    trained: TrainedModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shipped = dataclasses.replace(trained, origin=Origin(ADDRESS, "", ""))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    # the folder of the profile, by which the file is found later
    weights = WeightsConfig(folder=str(tmp_path / "own"), allow_download=True)
    monkeypatch.setattr(choose, "shell_weights", lambda: weights)
    (tmp_path / "own").mkdir()
    assert choose_detector(shipped) is None
    (tmp_path / "own" / Path(CATALOGUE[REAL_DETECTOR].filename).name).write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="own"):
        choose_detector(shipped)


_RUN = """
import sys
from nrdfer.cli import app
try:
    app(sys.argv[1:])
finally:
    print("imported:", *sorted({"mlflow", "dagster", "sqlalchemy", "sklearn"} & set(sys.modules)))
"""


def test_the_first_prediction_in_an_empty_folder(acted_video: Path, tmp_path: Path) -> None:
    shutil.copy(acted_video, tmp_path / "video.mp4")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("NRDFER_", "MLFLOW_", "HF_"))}
    done = subprocess.run(
        [sys.executable, "-c", _RUN, "predict", "video.mp4", "--window", "2"],
        cwd=tmp_path,
        env={**plain, "HF_HOME": str(tmp_path / "hf"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "imported:"
    assert done.stderr.startswith("model: sample (this project has no registry of models yet")
    for words in ("nr-dfernet-sample version", "not for conclusions", "retinaface-mobilenet0.25"):
        assert words in done.stderr
    out = tmp_path / "predictions"
    told = json.loads((out / "video" / "prediction.json").read_text())
    assert told["status"] == "ok"
    for content in (told, json.loads((out / "predictions.json").read_text())):
        assert content["model"]["name"] == "nr-dfernet-sample"
        assert content["warning"].startswith("trained on rendered faces only")
    for table in (out / "predictions.csv", out / "video" / "timeline.csv", out / "video" / "frames.csv"):
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert {row["warning"] for row in rows} == {told["warning"]}
        assert all(row["model"].startswith("nr-dfernet-sample version ") for row in rows)
    assert (out / "video" / "annotated.mp4").is_file()
    assert {path.name for path in tmp_path.iterdir()} <= {"video.mp4", "predictions", "hf"}
