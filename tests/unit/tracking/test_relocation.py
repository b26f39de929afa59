"""A project folder that was moved or copied goes on working where it lies now."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from nrdfer import registry
from nrdfer.serving.registered_model import load_registered
from nrdfer.tracking.client import Tracking
from nrdfer.tracking.relocation import here
from tests.unit.patience import at_most
from tests.unit.registry.registered import NAME, make_checkpoint, model_folder, register

CHAMPION = f"models:/{NAME}@champion"


@pytest.fixture
def project(fresh_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, with one version, as its own process made it."""
    home = tmp_path / "before here" / ".nrdfer"
    home.mkdir(parents=True)
    shutil.copy(fresh_database, home / "mlflow.db")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("NRDFER_HOME", str(home))
    tracking = Tracking()
    made = register(tracking, make_checkpoint(tmp_path / "checkpoint"))
    registry.point_alias(tracking, NAME, registry.CHAMPION, made.version)
    (run,) = tracking.find(nrdfer__digest="f" * 64)
    tracking.client.log_dict(run.info.run_id, {"a": 1}, "config/resolved.json")
    (home / "corpus").mkdir()
    (home / "corpus" / "a.avi").touch()
    return home


def _answers_below(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(home))
    monkeypatch.delenv(
        "MLFLOW_TRACKING_URI", raising=False
    )  # MLflow sets it for this process: another would not have it
    tracking = Tracking()
    assert model_folder(tracking, "1").is_relative_to(home)
    clip = np.zeros((1, 16, 3, 32, 32), np.float32)
    assert len(load_registered(CHAMPION).predict({"clip": clip})) == 1
    (run,) = tracking.find(nrdfer__digest="f" * 64)
    assert Path(unquote(urlsplit(run.info.artifact_uri).path)).is_relative_to(home)
    got = tracking.client.download_artifacts(run.info.run_id, "config/resolved.json", str(tmp_path))
    assert Path(got).read_text()
    again = register(tracking, tmp_path / "checkpoint")  # as the same line would
    assert (again.version, again.created) == ("1", False)


def test_a_project_folder_that_was_moved_keeps_its_registry(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(2):  # and moved again
        home = tmp_path / f"after ü {number}" / ".nrdfer"
        home.parent.mkdir()
        former, project = project, project.parent.rename(home.parent) / ".nrdfer"
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            _answers_below(home, tmp_path, monkeypatch)
        said = [record.getMessage() for record in caplog.records if "this project was in" in record.getMessage()]
        assert len(said) == 1 and str(former) in said[0] and str(home) in said[0]
        assert here(former / "corpus" / "a.avi", home) == home / "corpus" / "a.avi"
    assert here("/nowhere/else.avi", home) == Path("/nowhere/else.avi")


def test_a_copy_of_a_project_uses_its_own_files(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "copy" / ".nrdfer"
    shutil.copytree(project, home)
    _answers_below(home, tmp_path, monkeypatch)
    _answers_below(project, tmp_path, monkeypatch)


def test_a_database_whose_files_are_elsewhere_only_stays_as_it_is(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "database only" / ".nrdfer"
    home.mkdir(parents=True)
    shutil.copy(project / "mlflow.db", home / "mlflow.db")
    content = (home / "mlflow.db").read_bytes()
    monkeypatch.setenv("NRDFER_HOME", str(home))
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with caplog.at_level(logging.WARNING):
        tracking = Tracking()
        assert model_folder(tracking, "1").is_relative_to(project)
    assert "it stays as it is" in caplog.text
    assert (home / "mlflow.db").read_bytes() == content


def test_artefacts_on_a_larger_disk_are_found_after_a_move(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts = project / "mlartifacts"
    artifacts.symlink_to(artifacts.rename(tmp_path / "larger disk"))
    home = project.parent.rename(tmp_path / "after") / ".nrdfer"
    _answers_below(home, tmp_path, monkeypatch)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"[1]", b"{}", None])
def test_a_damaged_list_of_former_places_is_set_aside(
    tmp_path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    former = tmp_path / "moved-from.json"
    if content is None:
        os.mkfifo(former)
    else:
        former.write_bytes(content)
    with at_most(10):
        assert here("/gone/x", tmp_path) == Path("/gone/x")
    assert f"{former} is damaged" in caplog.text and not former.exists()
