"""The project's folder is found from within it, and another project's is not taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrdfer.core.errors import NrdferError
from pipelines.project.files import write_project
from pipelines.project.folder import find_folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DAGSTER_HOME", "NRDFER_HOME"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "project"
    write_project(folder)
    (folder / "a" / "b").mkdir(parents=True)
    return folder


def test_it_is_here_or_above(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (project, project / "a" / "b"):
        monkeypatch.chdir(place)
        assert find_folder() == project


def test_dagster_home_names_settings_and_not_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "a" / "dagster.yaml").write_text((project / "dagster.yaml").read_text())
    monkeypatch.setenv("DAGSTER_HOME", str(project / "a"))
    monkeypatch.chdir(project)
    assert find_folder() == project
    (project / "c").mkdir()
    monkeypatch.chdir(project / "c")
    assert find_folder() == project


def test_outside_of_a_project_dagster_home_is_one_and_nrdfer_home_is_the_last(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "a" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.chdir(project.parent)
    monkeypatch.setenv("NRDFER_HOME", str(project / ".nrdfer"))
    monkeypatch.setenv("DAGSTER_HOME", str(project / "a"))
    assert find_folder() == project / "a"
    monkeypatch.delenv("DAGSTER_HOME")
    assert find_folder() == project


def test_another_projects_settings_above_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: true}\n")
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    for name in ("DAGSTER_HOME", "NRDFER_HOME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(NrdferError, match="nrdfer init FOLDER"):
        find_folder()
