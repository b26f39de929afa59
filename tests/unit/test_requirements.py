"""What pyproject.toml requires: ranges and no pins, which the locked releases are in, and no tool of developers."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from devtools.lock_file import LOCK, locked
from devtools.smoke import uv

PROJECT = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((PROJECT / "pyproject.toml").read_text())
EXTRAS = SETTINGS["project"]["optional-dependencies"]
BASE = [Requirement(line) for line in SETTINGS["project"]["dependencies"]]
LOCKED = {canonicalize_name(name): version for name, version in locked(LOCK.read_text())}
#: Numbered by years, or bounded by what others require: an upper bound would say nothing.
UNBOUNDED = {"fsspec", "packaging"}
TOOLS = {"mypy", "ruff", "pytest", "pytest-xdist", "playwright", "hypothesis", "moto", "syrupy", "import-linter",
         "pip-audit", "flask", "flask-cors", "uv", "pandas-stubs"}  # fmt: skip


def named(requirements: list[Requirement], extra: str = "") -> Iterator[tuple[Requirement, str]]:
    """Requirements with those of the extras that they name; the extra each is of."""
    for requirement in requirements:
        if requirement.name == "nrdfer":
            for inner in requirement.extras:
                yield from named([Requirement(line) for line in EXTRAS[inner]], inner)
        else:
            yield requirement, extra


def test_no_release_is_pinned() -> None:
    everything = [*BASE, *(Requirement(line) for lines in EXTRAS.values() for line in lines)]
    assert [str(found) for found in everything if any(part.operator in ("==", "===") for part in found.specifier)] == []


def test_every_requirement_of_the_library_has_an_upper_bound() -> None:
    free = {found.name for found in BASE if not any(part.operator in ("<", "<=") for part in found.specifier)}
    assert free == UNBOUNDED


@pytest.mark.parametrize("extra", ["", "dev", "onnx", "cluster", "demo"])
def test_locked_releases_are_in_the_ranges(extra: str) -> None:
    wanted = [Requirement(line) for line in EXTRAS[extra]] if extra else BASE
    for requirement, _ in named(wanted):
        version = LOCKED.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is not in {LOCK.name}"
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement}, locked {version}"


def test_the_library_brings_no_tool_of_developers() -> None:
    """All that its requirements require in turn, as it is installed."""
    seen: set[str] = set()
    waiting = [(requirement.name, requirement.extras) for requirement in BASE]
    while waiting:
        name, extras = waiting.pop()
        if canonicalize_name(name) in seen:
            continue
        seen.add(canonicalize_name(name))
        assert canonicalize_name(name) in LOCKED or name == "setuptools", name
        for requirement in map(Requirement, requires(name) or ()):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                waiting.append((requirement.name, requirement.extras))
    assert seen & TOOLS <= {"flask", "flask-cors"}  # MLflow's server
    assert len(seen) < len(LOCKED) - 40


def test_each_build_of_pytorch_has_a_group_with_an_index_that_nothing_else_uses() -> None:
    uv = SETTINGS["tool"]["uv"]
    groups = set(SETTINGS["dependency-groups"])
    assert groups == {"cpu", "cu126", "cu130"}
    assert [{entry["group"] for entry in conflict} for conflict in uv["conflicts"]] == [groups]
    indexes = {index["name"]: index for index in uv["index"]}
    assert all(index["explicit"] for index in indexes.values())
    sources = {source["group"]: indexes[source["index"]]["url"] for source in uv["sources"]["torch"]}
    assert {group: url.rpartition("/")[2] for group, url in sources.items()} == {name: name for name in groups}
    (torch,) = (str(found) for found in BASE if found.name == "torch")
    assert all(
        Requirement(line) == Requirement(torch) for group in groups for line in SETTINGS["dependency-groups"][group]
    )
    page = (PROJECT / "docs" / "install.md").read_text()
    assert all(url in page for url in sources.values())


def test_the_drivers_of_the_page_are_those_of_the_code() -> None:
    from nrdfer.runtime.nvidia import OLDEST_DRIVER, TORCH_INDEX

    page = (PROJECT / "docs" / "install.md").read_text()
    told = dict(re.findall(r"\| CUDA (\d+)\.\d \| NVIDIA driver (\d+) or newer \|", page))
    assert told == {str(cuda): str(driver) for cuda, driver in OLDEST_DRIVER.items() if cuda >= 12}
    assert TORCH_INDEX in page


def test_uv_takes_each_groups_build_from_its_index_and_no_two_at_once(tmp_path: Path) -> None:
    """With the tables of pyproject.toml, on folders that stand for the indexes; nothing is downloaded."""
    text = (PROJECT / "pyproject.toml").read_text()
    tables = text[text.index("[dependency-groups]") : text.index("[project.scripts]")]
    for name in ("cpu", "cu126", "cu130", ""):
        folder = tmp_path / "indexes" / (name or "main")
        folder.mkdir(parents=True)
        write_empty_wheel(folder, f"2.13.0+{name}" if name else "2.13.0")
        tables = tables.replace(f'whl/{name}"', f'whl/{name}"\nformat = "flat"')
        tables = tables.replace(f'"https://download.pytorch.org/whl/{name}"', f'"{folder.as_uri()}"')
    tables += f'\n[[tool.uv.index]]\nname = "main"\nurl = "{folder.as_uri()}"\nformat = "flat"\ndefault = true\n'
    head = '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["torch>=2.6,<3"]\n'
    (tmp_path / "pyproject.toml").write_text(head + tables)

    def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [uv(), *arguments, "--offline", "--python", sys.executable, "--cache-dir", str(tmp_path / "cache")],
            cwd=tmp_path, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    locking = ask("lock")
    assert locking.returncode == 0, locking.stderr
    export = ("export", "--frozen", "--no-hashes", "--no-header", "--no-annotate", "--no-emit-project")
    for group in ("cpu", "cu126", "cu130"):
        assert ask(*export, "--group", group).stdout.split() == [f"torch==2.13.0+{group}"]
    assert ask(*export).stdout.split() == ["torch==2.13.0"]
    refused = ask(*export, "--group", "cpu", "--group", "cu126")
    assert refused.returncode != 0 and "incompatible" in refused.stderr


def write_empty_wheel(folder: Path, version: str) -> None:
    about = f"torch-{version}.dist-info"
    with zipfile.ZipFile(folder / f"torch-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
