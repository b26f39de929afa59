"""Fixtures every test may use: the optional folder of real files, and one whole run of the job on a tiny profile."""

from __future__ import annotations

import gc
import os
import re
import shutil
import signal
import threading
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


# who starts the tests may ignore signals (a shell's `&`, a service), and all that they start would inherit it
for _number, _handler in ((signal.SIGTERM, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
    if signal.getsignal(_number) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(_number, _handler)


gc.disable()  # all that is imported and collected stays: looking for garbage in it takes a fifth of the time


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """From here on garbage is collected, but not looked for among what is there already."""
    gc.freeze()
    gc.enable()


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
    """Mark what lies in the folders of `MARKED_FOLDERS`; whole files that are slow come first.

    Several processes share the files out in this order: at the end, all have something short to do.
    """
    for item in items:
        if not item.path.is_relative_to(PROJECT / "tests"):
            continue
        marker = MARKED_FOLDERS.get(item.path.relative_to(PROJECT / "tests").parts[0])
        if marker is not None:
            item.add_marker(marker)
    slow = {item.path for item in items if item.get_closest_marker("slow") is not None}
    unit = PROJECT / "tests" / "unit"
    items.sort(key=lambda item: item.path.is_relative_to(unit) and item.path not in slow)


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """On several processes a file stays on one, and so do all that use `reproduced`, which some of them change."""
    from xdist.scheduler import LoadScopeScheduling

    sharing = {
        str(path.relative_to(PROJECT))
        for path in (PROJECT / "tests").rglob("test_*.py")
        if re.search(r"\breproduced: ", path.read_text())  # an argument: of a test or of one of its fixtures
    }

    class OnePlace(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            place = nodeid.split("::")[0]
            return "the whole job" if place in sharing else place

    return OnePlace(config, log)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Real clips, label files and weights; they cannot be shipped, so tests skip where the folder is missing."""
    path = PROJECT.parent / "shared"
    if not (path / "weights").is_dir():
        pytest.skip(f"real clips and weights are not shipped with the project and {path} does not exist")
    return path


Run = tuple[Path, dict[str, str], str]  # a project folder, the environment of its commands, what the job said there


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The project where the job ran on the tiny profile: several tests look at it, change it, and run more in it."""
    return _run_once(tmp_path_factory, "project")


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A copy of that project as the job left it, for tests that only read it: they may run on any process."""
    return _run_once(tmp_path_factory, "untouched")


def _run_once(tmp_path_factory: pytest.TempPathFactory, wanted: str) -> Run:
    """Run the job, unless another process of these tests has done so, and copy its project."""
    from devtools.tiny_project import environment_of, execute, make_project
    from nrdfer.core import file_locks
    from tests.browser.servers import keep_ports_free_of_others

    own = tmp_path_factory.getbasetemp()
    place = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "whole-job"
    folder, told = place / "project", place / "told"
    with file_locks.held(place.with_suffix(".lock")):
        if not told.exists():
            assert not place.exists(), "the whole job has failed already, in another process of these tests"
            environment = make_project(folder)
            keep_ports_free_of_others(folder / ".nrdfer")  # its links can be followed when a test starts the pages
            done = execute(folder, environment)
            assert done.returncode == 0, done.stderr[-6000:]
            shutil.copytree(folder, place / "untouched", symlinks=True)
            told.write_text(done.stderr)
    return place / wanted, environment_of(place / wanted), told.read_text()
