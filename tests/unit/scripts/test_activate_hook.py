"""What an activated shell says of the project's places, whatever its folder is called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nrdfer.core.addresses import sqlite_path

HOOK = Path(__file__).resolve().parents[3] / "scripts" / "activate_hook.sh"
ENVIRONMENT = Path("pipelines") / "project" / "environment.sh"


def activated(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    (folder / "scripts").mkdir(parents=True)
    (folder / "venv" / "bin").mkdir(parents=True)
    (folder / "scripts" / HOOK.name).write_bytes(HOOK.read_bytes())
    (folder / ENVIRONMENT.parent).mkdir(parents=True)
    (folder / ENVIRONMENT).write_bytes((HOOK.parents[1] / ENVIRONMENT).read_bytes())
    (folder / "venv" / "bin" / "activate").write_text("")
    ours = ("NRDFER", "_NRDFER", "MLFLOW", "DAGSTER")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    subprocess.run(["bash", f"scripts/{HOOK.name}", "venv"], cwd=folder, env=environment, check=True)
    return subprocess.run(
        ["bash", "-c", f". venv/bin/activate && {line}"], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize("name", ["plain", "a%20b", "what?", "100% of it", "a b#c"])
def test_a_folder_of_an_odd_name_is_an_address_that_means_it(tmp_path: Path, name: str) -> None:
    from mlflow.utils.file_utils import local_file_uri_to_path

    folder = tmp_path / name
    done = activated(folder, 'printf "%s\\n" "$MLFLOW_TRACKING_URI" "$MLFLOW_DEFAULT_ARTIFACT_ROOT"')
    address, root = done.stdout.splitlines()
    assert sqlite_path(address) == folder / ".nrdfer" / "mlflow.db"
    assert Path(local_file_uri_to_path(root)) == folder / ".nrdfer" / "mlartifacts"


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may write everywhere")
def test_a_folder_that_may_not_be_written_is_told_before_dagster_starts(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    done = activated(folder, "chmod 500 . && dagster job execute; status=$?; chmod 700 .; exit $status")
    assert done.returncode == 1 and "may not write" in done.stderr and "Traceback" not in done.stderr


FAKE = """mkdir bin; printf '#!/bin/sh\\necho "$DAGSTER_HOME|$DAGSTER_MODULE_NAME|$PYTHONWARNINGS|$*"\\n' > bin/dagster
chmod +x bin/dagster; PATH=$PWD/bin:$PATH; touch dagster.yaml; export PYTHONWARNINGS=error::UserWarning
dagster job execute -j a; dagster dev; cd bin; dagster job list; echo "$PYTHONWARNINGS"
"""


def test_dagster_keeps_to_the_folder_and_does_not_announce_its_successors(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    done = activated(folder, f"{{ {FAKE} }}")
    assert done.returncode == 0, done.stderr
    execute, dev, elsewhere, after = (line.split("|") for line in done.stdout.splitlines())
    assert (execute[0], execute[1], execute[3]) == (str(folder), "pipelines.definitions", "job execute -j a")
    assert (dev[0], dev[1], dev[3]) == (str(folder), "", "dev")
    assert elsewhere[0] == ""  # no dagster.yaml is there: Dagster says what it does then
    first, *others = execute[2].split(",")
    assert first == after[0] == "error::UserWarning"  # the user's own stays
    assert "ignore:Function `job_execute_command` is superseded" in others
    code = "import warnings; warnings.warn('Function `job_execute_command` is superseded and so on')"
    environment = {**os.environ, "PYTHONWARNINGS": execute[2]}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (0, "")
