"""The wheel works without the checkout: its commands, its profiles, one step of the graph; the home folder stays empty.

The wheel is built once and unpacked beside the installed packages; it comes before the checkout's own in PYTHONPATH.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from devtools.tiny_project import make_project
from tests.conftest import PROJECT

pytestmark = pytest.mark.slow
Command = Callable[..., subprocess.CompletedProcess[str]]
PRODUCT = ("nrdfer", "assets", "pipelines")
BUILT_FROM = ("pyproject.toml", "README.md", "LICENSE", "THIRD_PARTY_NOTICES.md", "setup.py", "MANIFEST.in")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `pip install` of the wheel fills it."""
    copy = tmp_path_factory.mktemp("wheel") / "source"
    copy.mkdir()
    for name in PRODUCT:
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in filter(lambda name: (PROJECT / name).exists(), BUILT_FROM):
        shutil.copy(PROJECT / name, copy)
    line = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", "..", "."]
    done = subprocess.run(line, cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = copy.parent.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(copy.parent / "site")
    shutil.rmtree(copy)
    return copy.parent / "site"


@pytest.fixture
def nrdfer(site: Path, tmp_path: Path) -> Command:
    """Types a command in a shell that knows the wheel alone."""
    ours = ("NRDFER", "_NRDFER", "MLFLOW", "DAGSTER", "VIRTUAL_ENV", "CI")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    (tmp_path / "home").mkdir()

    def run(*words: str, cwd: Path = tmp_path, **given: str) -> subprocess.CompletedProcess[str]:
        environment = kept | {"PYTHONPATH": str(site), "HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"} | given
        line = [sys.executable, "-P", "-m", "nrdfer.cli", *words]
        return subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True)

    return run


def test_files_that_commands_need_are_in_it(site: Path) -> None:
    names = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert {"nrdfer/models/costs.json", "pipelines/profiles/quick.yaml", "pipelines/project/dagster.yaml"} <= names
    assert {"nrdfer/demo/static/page.css", "nrdfer/demo/static/page.js"} <= names
    for name in ("dagster.yaml", "workspace.yaml", "environment.sh"):
        assert (site / "pipelines" / "project" / name).is_file()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PRODUCT)


def test_short_commands(nrdfer: Command, site: Path, tmp_path: Path) -> None:
    (metadata,) = site.glob("*.dist-info")
    assert nrdfer("--version").stdout == metadata.name.removesuffix(".dist-info").replace("-", " ") + "\n"
    done = nrdfer("results", NRDFER_PROFILE="quick")
    assert done.returncode == 1 and "no results of profile 'quick' yet; run: nrdfer reproduce\n" in done.stderr
    done = nrdfer("reproduce")
    assert done.returncode == 1 and "nrdfer init FOLDER" in done.stderr
    assert [path.name for path in (tmp_path / "home").rglob("*") if "dagster" in path.name] == []


def test_a_step_of_the_graph_in_a_new_folder(nrdfer: Command, tmp_path: Path) -> None:
    done = nrdfer("init", "project")
    assert done.returncode == 0 and "nrdfer reproduce --profile quick" in done.stdout
    project = tmp_path / "project"
    make_project(tmp_path / "tiny")
    (project / "deep").mkdir()
    profile = {"NRDFER_PROFILES": str(tmp_path / "tiny" / "profiles")}
    done = nrdfer("run", "--only", "clips", "--profile", "tiny", cwd=project / "deep", **profile)
    assert done.returncode == 0, done.stdout + done.stderr
    first, log, end, last = done.stdout.splitlines()
    assert first == f"job full_reproduction, only clips, profile tiny, in {project}"
    assert "done     dfew/clips" in end
    assert "succeeded" in last and "STEP_SUCCESS" in Path(log.removeprefix("log: ")).read_text()
    assert {path.name for path in project.iterdir()} >= {".nrdfer", ".dagster"}
    assert not (tmp_path / "home" / ".dagster").exists()
    done = nrdfer("run", "--only", "clips", "--profile", "paper", cwd=project, **profile)
    assert done.returncode == 1 and "there is no profile 'paper'" in done.stderr
    assert "start    dfew" not in done.stdout  # at once, before any step
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "nothing"), "there is no job 'nothing'; known are "),
        (("run", "table_1"), "dagster job backfill -j table_1 --all --noprompt"),
        (("run", "-c", "no.yaml"), "there is no such file"),
        (("run", "-c", "list.yaml"), "a run config is a mapping"),
        (("run", "-c", "wrong.yaml"), "the run's config is not valid"),
    ],
    ids=["job", "partitions", "missing", "list", "config"],
)
def test_bad_input_is_one_message(nrdfer: Command, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    nrdfer("init", ".")
    (tmp_path / "list.yaml").write_text("[1]\n")
    (tmp_path / "wrong.yaml").write_text("resources: {nobody: 1}\n")
    done = nrdfer(*words)
    assert done.returncode == 1 and message in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_another_package_assets_is_refused_by_name(nrdfer: Command, tmp_path: Path, site: Path) -> None:
    (tmp_path / "other" / "assets").mkdir(parents=True)
    (tmp_path / "other" / "assets" / "__init__.py").touch()
    path = os.pathsep.join((str(tmp_path / "other"), str(site)))
    done = nrdfer("run", PYTHONPATH=path)
    assert done.returncode == 1 and str(tmp_path / "other" / "assets" / "__init__.py") in done.stderr
    assert "in an environment of its own" in done.stderr
    assert nrdfer("models", PYTHONPATH=path).returncode == 0  # the library needs no graph
