"""Commands find in their environment what an activated shell would have set."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.project.files import ACTIVATE, write_project

SHOW = "import json, os; print(json.dumps(dict(os.environ)))"
ENTER = f"from pathlib import Path; from pipelines.project.environment import enter; enter(Path({{!r}})); {SHOW}"
OURS = ("NRDFER", "_NRDFER", "MLFLOW", "DAGSTER", "ORT_", "DO_NOT")


def environment(**given: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)} | given


def by_python(folder: Path, cwd: Path, **given: str) -> dict[str, str]:
    line = [sys.executable, "-c", ENTER.format(str(folder))]
    return _read(subprocess.run(line, cwd=cwd, env=environment(**given), capture_output=True, text=True))


def by_shell(folder: Path, cwd: Path, **given: str) -> dict[str, str]:
    line = ["bash", "-c", f'. "{folder}/{ACTIVATE}" && "{sys.executable}" -c "{SHOW}"']
    return _read(subprocess.run(line, cwd=cwd, env=environment(**given), capture_output=True, text=True))


def _read(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return {name: value for name, value in found.items() if name.startswith(OURS) and value}


def _folder(address: str) -> Path:
    from mlflow.utils.file_utils import local_file_uri_to_path

    return Path(local_file_uri_to_path(address))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"NRDFER_HOME": "/elsewhere/home"},
        {"MLFLOW_TRACKING_URI": "http://127.0.0.1:1"},
        {"NRDFER_HOME": "/other/.nrdfer", "_NRDFER_HOME_SET": "/other/.nrdfer"},
    ],
    ids=["nothing", "home", "server", "another activated"],
)
def test_the_same_as_in_an_activated_shell(tmp_path: Path, given: dict[str, str]) -> None:
    if given.get("NRDFER_HOME", "").startswith("/elsewhere"):
        given = {"NRDFER_HOME": str(tmp_path / "elsewhere")}
    folder = tmp_path / "a b%20"
    write_project(folder)
    shell, python = by_shell(folder, tmp_path, **given), by_python(folder, tmp_path, **given)
    assert _folder(shell.pop("MLFLOW_DEFAULT_ARTIFACT_ROOT")) == _folder(python.pop("MLFLOW_DEFAULT_ARTIFACT_ROOT"))
    assert python.pop("DAGSTER_HOME") == str(folder)  # a shell's dagster finds it by the folder it is typed in
    assert shell == python
    assert (Path(python["NRDFER_HOME"])).is_dir()


def test_folders_mean_what_they_meant_where_the_command_was_typed(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    write_project(folder)
    given = {"NRDFER_DFEW_ROOT": "data/DFEW", "NRDFER_PROFILES": "/whole", "MLFLOW_DEFAULT_ARTIFACT_ROOT": "s3://b/x"}
    found = by_python(folder, tmp_path, **given)
    assert found["NRDFER_DFEW_ROOT"] == str(tmp_path / "data" / "DFEW")
    assert found["NRDFER_PROFILES"] == "/whole"
    assert found["MLFLOW_DEFAULT_ARTIFACT_ROOT"] == "s3://b/x"


def test_the_users_settings_of_dagster_stay_and_the_store_is_the_projects(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    write_project(folder)
    found = by_python(folder, tmp_path, DAGSTER_HOME="deploy")
    assert found["DAGSTER_HOME"] == str(tmp_path / "deploy")
    assert found["NRDFER_HOME"] == str(folder / ".nrdfer")
