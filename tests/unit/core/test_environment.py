"""Variables of the environment: nonsense is told by the variable's name, with what is allowed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import pipelines
from nrdfer.cli import app
from nrdfer.core import environment, paths
from nrdfer.core.errors import NrdferError
from nrdfer.core.machine_errors import written_places


def resources() -> Any:
    """The module that makes resources, as a new process imports it."""
    spec = importlib.util.spec_from_file_location("resources_anew", Path(pipelines.__file__).parent / "resources.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("value", ["abc", "-5", "nan", "inf", "1e400", "0x10", "9" * 400])
def test_a_wait_that_is_none_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("NRDFER_TRACKING_WAIT", value)
    with pytest.raises(NrdferError, match=r"^NRDFER_TRACKING_WAIT='.* is not valid: give a number from 0 to "):
        resources()
    monkeypatch.setenv("NRDFER_TRACKING_WAIT", "")
    assert resources().EnvironmentWorkbench().tracking_wait == 120
    monkeypatch.setenv("NRDFER_TRACKING_WAIT", "2.5")
    assert resources().EnvironmentWorkbench().tracking_wait == 2.5


@pytest.mark.parametrize(
    ("world", "rank"), [("two", "0"), ("0", "0"), ("2", "-1"), ("2", "2"), ("2", ""), ("1e3", "0")]
)
def test_ranks_that_are_none_are_refused_by_their_name(monkeypatch: pytest.MonkeyPatch, world: str, rank: str) -> None:
    import torch

    from nrdfer.runtime.distributed import joined

    monkeypatch.setenv("WORLD_SIZE", world)
    monkeypatch.setenv("RANK", rank)
    name = "RANK" if world == "2" else "WORLD_SIZE"
    told = rf"^{name}=.* give a whole number from \d+ to \d+"
    with pytest.raises(NrdferError, match=told), joined(torch.device("cpu")):
        pass


def test_a_folder_of_a_user_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_WEIGHTS", "~nobody-of-this-name/w")
    with pytest.raises(NrdferError, match=r"^NRDFER_WEIGHTS='~nobody-of-this-name/w' is not valid: .*no such user"):
        environment.folder("NRDFER_WEIGHTS")
    monkeypatch.setenv("NRDFER_WEIGHTS", "~/w")
    assert environment.folder("NRDFER_WEIGHTS") == Path.home() / "w"
    monkeypatch.setenv("NRDFER_WEIGHTS", "")
    assert environment.folder("NRDFER_WEIGHTS") is None


def test_the_project_folder_of_a_users_home_and_of_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NRDFER_HOME", "~/x")
    assert paths.home() == Path.home() / "x"
    monkeypatch.setenv("NRDFER_HOME", "")
    assert paths.home() == tmp_path / ".nrdfer"


def test_weights_of_a_user_that_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    monkeypatch.setenv("NRDFER_WEIGHTS", "~nobody-of-this-name/w")
    result = CliRunner().invoke(app, ["weights", "list"])
    assert result.exit_code == 1
    assert "~nobody-of-this-name/w" in result.stderr and "there is no such user" in result.stderr


def test_a_working_directory_that_was_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NRDFER_HOME", raising=False)
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    result = CliRunner().invoke(app, ["store", "verify"])
    assert result.exit_code == 1
    assert "the working directory was removed" in result.stderr and "NRDFER_HOME" in result.stderr
    with pytest.raises(NrdferError, match="the working directory was removed"):
        paths.home()
    assert written_places()  # asked while an error is told: it raises none of its own
