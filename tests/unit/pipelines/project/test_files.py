"""A new project's folder holds what the repository's root does, and nothing in it is ever overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.core.errors import NotOursError
from pipelines.project.files import ACTIVATE, HERE, contents, write_project
from tests.conftest import PROJECT


@pytest.mark.parametrize("name", ["dagster.yaml", "workspace.yaml"])
def test_the_wheels_settings_are_the_repositorys(name: str) -> None:
    assert (HERE / name).read_bytes() == (PROJECT / name).read_bytes(), f"cp {name} pipelines/project/"


def test_a_folder_gets_what_it_lacks(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "project"
    assert write_project(folder) == (["dagster.yaml", "workspace.yaml", ACTIVATE], [])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == contents()
    assert write_project(folder) == ([], [])
    (folder / "workspace.yaml").unlink()
    assert write_project(folder) == (["workspace.yaml"], [])


def test_a_project_with_tuned_files_is_completed_and_they_stay(tmp_path: Path) -> None:
    write_project(tmp_path)
    tuned = (tmp_path / "dagster.yaml").read_text() + "# mine\n"
    (tmp_path / "dagster.yaml").write_text(tuned)
    (tmp_path / ACTIVATE).unlink()
    assert write_project(tmp_path) == ([ACTIVATE], ["dagster.yaml"])
    assert (tmp_path / "dagster.yaml").read_text() == tuned
    done = CliRunner().invoke(app, ["init", str(tmp_path)])
    assert (
        done.exit_code == 0 and "left as they are, though a new project has them otherwise: dagster.yaml" in done.output
    )
    (tmp_path / "workspace.yaml").unlink()
    (tmp_path / "workspace.yaml").mkdir()
    with pytest.raises(NotOursError, match="nothing was written"):
        write_project(tmp_path)


@pytest.mark.parametrize("taken", ["file", "folder"])
def test_what_is_there_stays_and_nothing_else_is_written(tmp_path: Path, taken: str) -> None:
    mine = tmp_path / "workspace.yaml"
    mine.write_text("load_from: []\n") if taken == "file" else mine.mkdir()
    with pytest.raises(NotOursError, match=r"has workspace\.yaml already, .* nothing was written"):
        write_project(tmp_path)
    assert list(tmp_path.iterdir()) == [mine]
    assert mine.is_dir() or mine.read_text() == "load_from: []\n"


def test_a_link_that_leads_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "dagster.yaml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotOursError, match="stays as it is"):
        write_project(tmp_path / "p")
    assert not (tmp_path / "elsewhere").exists()
