"""A new project's folder holds what the repository's root does, and nothing in it is ever overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrdfer.core.errors import NotOursError
from pipelines.project.files import ACTIVATE, HERE, contents, write_project
from tests.conftest import PROJECT


@pytest.mark.parametrize("name", ["dagster.yaml", "workspace.yaml"])
def test_the_wheels_settings_are_the_repositorys(name: str) -> None:
    assert (HERE / name).read_bytes() == (PROJECT / name).read_bytes(), f"cp {name} pipelines/project/"


def test_a_folder_gets_what_it_lacks(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "project"
    assert write_project(folder) == ["dagster.yaml", "workspace.yaml", ACTIVATE]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == contents()
    assert write_project(folder) == []
    (folder / "workspace.yaml").unlink()
    assert write_project(folder) == ["workspace.yaml"]


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
