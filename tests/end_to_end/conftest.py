"""One reproduction of the tiny profile, which several tests look at, and whose data others use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.project import execute, make_project


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], str]:
    folder = tmp_path_factory.mktemp("project")
    environment = make_project(folder)
    done = execute(folder, environment)
    assert done.returncode == 0, done.stderr[-6000:]
    return folder, environment, done.stderr
