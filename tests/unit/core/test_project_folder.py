"""Every command finds the project above the folder in which it is typed, as ``nrdfer run`` does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.core import paths
from nrdfer.core.project_folder import HOME, HOME_SET, URI, use_project_above


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (HOME, HOME_SET, URI, "_NRDFER_URI_SET"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    (tmp_path / "project" / "a" / "b").mkdir(parents=True)
    (tmp_path / "project" / "dagster.yaml").write_text("storage:\n  custom:\n    module: pipelines.storage\n")
    return tmp_path / "project"


def test_a_subfolder_uses_the_projects_store(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project / "a" / "b")
    assert use_project_above(Path.cwd()) and paths.home() == project / ".nrdfer"
    assert paths.tracking_uri().endswith(f"{project}/.nrdfer/mlflow.db")


def test_the_projects_own_folder_needs_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    assert use_project_above(Path.cwd()) == {} and HOME not in os.environ


def test_a_folder_that_a_user_has_set_stays_and_an_activations_does_not(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = str(tmp_path / "other" / ".nrdfer")
    monkeypatch.setenv(HOME, other)
    assert use_project_above(project / "a") == {} and os.environ[HOME] == other
    monkeypatch.setenv(HOME_SET, other)  # as a shell that is activated for another project
    before = use_project_above(project / "a")
    assert before[HOME] == other and os.environ[HOME] == str(project / ".nrdfer")


def test_commands_in_a_subfolder_look_in_the_project_and_leave_the_environment(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "a")
    assert f"NRDFER_HOME): {project / '.nrdfer'}" in CliRunner().invoke(app, ["doctor"]).output
    done = CliRunner().invoke(app, ["predict", "nothing.mp4", "--model", "models:/none@champion"])
    assert done.exit_code == 1 and not (project / "a" / ".nrdfer").exists()
    assert HOME not in os.environ and HOME_SET not in os.environ
