"""Fixtures every test may use: the optional folder of real files, and one whole run of the job on a tiny profile."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from nrdfer.runtime.nvidia import find_cards, torch_build

PROJECT = Path(__file__).resolve().parents[1]


# tests have stores of their own: what an activated environment says of the user's must reach neither them nor what they
# start
for _name in [name for name in os.environ if name.startswith(("NRDFER_", "MLFLOW_")) or name == "DAGSTER_HOME"]:
    if not _name.startswith("NRDFER_FUZZ_"):  # what the fuzz tests are asked for
        del os.environ[_name]
os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
# a build for CPUs is as good as any for the tests, but "auto" refuses one where a card is
if (_build := torch_build()) is not None and _build.cuda is None and find_cards().there:
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Before any fixture, forget what an address left in the environment, also from earlier threads."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD",
                 "MLFLOW_TRACKING_TOKEN", "PGPASSWORD"):  # fmt: skip
        os.environ.pop(name, None)


#: Folder below tests/ -> marker of everything in it; `slow` and `network` stand in the test files themselves.
MARKED_FOLDERS = {"browser": "browser", "end_to_end": "end_to_end"}


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in the folders of `MARKED_FOLDERS`."""
    for item in items:
        if not item.path.is_relative_to(PROJECT / "tests"):
            continue
        marker = MARKED_FOLDERS.get(item.path.relative_to(PROJECT / "tests").parts[0])
        if marker is not None:
            item.add_marker(marker)


#: Of the files that look at the one whole run of the job, those that run on another process than the others.
_SECOND_GROUP = {"test_slurm.py", "test_ray.py", "test_moved_project.py", "test_serving.py", "test_tracking_outage.py"}


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """On several processes a file stays on one, and so do all files that share the one whole run of the job."""
    from xdist.scheduler import LoadScopeScheduling

    sharing = {
        str(path.relative_to(PROJECT))
        for path in (PROJECT / "tests").rglob("test_*.py")
        if re.search(r"\breproduced: ", path.read_text())  # an argument: of a test or of one of its fixtures
    }

    class OnePlace(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            place = nodeid.split("::")[0]
            if place not in sharing:
                return place
            # two groups, each with a whole job of its own: one would take longer than all other tests together
            return "the whole job, again" if Path(place).name in _SECOND_GROUP else "the whole job"

    return OnePlace(config, log)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Real clips, label files and weights; they cannot be shipped, so tests skip where the folder is missing."""
    path = PROJECT.parent / "shared"
    if not (path / "weights").is_dir():
        pytest.skip(f"real clips and weights are not shipped with the project and {path} does not exist")
    return path


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], str]:
    """One reproduction of the tiny profile, which several tests look at, and whose data others use."""
    from devtools.tiny_project import execute, make_project
    from tests.browser.servers import keep_ports_free_of_others

    folder = tmp_path_factory.mktemp("project")
    environment = make_project(folder)
    keep_ports_free_of_others(folder / ".nrdfer")  # its links can be followed when a test starts the pages
    done = execute(folder, environment)
    assert done.returncode == 0, done.stderr[-6000:]
    return folder, environment, done.stderr
