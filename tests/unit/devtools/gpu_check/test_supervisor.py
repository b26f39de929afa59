"""Parts of the check are processes: one that fails, hangs or answers with rubbish is reported, and the next runs."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from devtools.gpu_check import carried, part, supervisor
from devtools.gpu_check.carried import CARRIED, EXPECTED, install, missing
from devtools.gpu_check.supervisor import BUDGETS, LIMIT, Supervisor

PROJECT = Path(__file__).resolve().parents[4]
PART = """
import json, os, subprocess, sys, time
name = sys.argv[1]
print("said on the way")
if name == "hangs":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    open(os.environ["CHILD"], "w").write(str(child.pid))
    time.sleep(600)
if name == "dies":
    os.kill(os.getpid(), 9)
print("not json" if name == "rubbish" else json.dumps({"figures": {"arguments": sys.argv[2:]}, "not_run": []}))
sys.exit(name == "fails")
"""


@pytest.fixture
def supervised(tmp_path: Path) -> Supervisor:
    (tmp_path / "part.py").write_text(PART)
    environment = {**os.environ, "CHILD": str(tmp_path / "child")}
    return Supervisor("cpu", environment, line=(sys.executable, str(tmp_path / "part.py")))


def test_none_stops_the_others(supervised: Supervisor, tmp_path: Path) -> None:
    report = supervised.run({"fails": 60, "rubbish": 60, "dies": 60, "hangs": 8, "works": 60})
    outcomes = {name: row["outcome"] for name, row in report.items()}
    assert outcomes == {
        "fails": "failed", "rubbish": "failed", "dies": "failed", "hangs": "timed out", "works": "passed"
    }  # fmt: skip
    assert report["works"]["figures"] == {"arguments": ["--device", "cpu", "--seconds", "48.0"]}
    assert report["fails"]["figures"] and "status -9" in report["dies"]["why"]
    assert report["hangs"]["why"] == "it took longer than 8 s"
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        if not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.1)
    else:
        raise AssertionError("what the part started is still running")


def test_the_time_of_all_parts_is_limited(supervised: Supervisor) -> None:
    report = Supervisor("cpu", supervised.environment, 0.5, supervised.line).run({"works": 60})
    assert report == {"works": {"outcome": "not run", "why": "the 0 s for all parts were over"}}


def test_all_parts_have_a_time_and_together_less_than_eight_minutes() -> None:
    assert list(BUDGETS) == list(part.PARTS)
    assert sum(BUDGETS.values()) <= LIMIT < 480


@pytest.mark.parametrize(
    ("out", "found"), [("", None), ("[1]", None), ('{"a": 1}', None), ('x\n{"figures": {}}\n\n', {"figures": {}})]
)
def test_only_an_answer_is_taken(out: str, found: object) -> None:
    assert supervisor._answer(out) == found


def test_what_is_missing_is_told_without_importing_it(tmp_path: Path) -> None:
    assert missing({"numpy": "numpy", "nobody": "no_such_module_there"}) == ["nobody"]
    assert missing() == []  # this environment has all of it
    assert not CARRIED.keys() & EXPECTED.keys()
    wheel = tmp_path / "nothing-1-py3-none-any.whl"
    wheel.write_bytes(b"no zip")
    with pytest.raises(RuntimeError, match="cannot be installed"):
        install([wheel], tmp_path / "site")


@pytest.mark.parametrize("brought", [True, False])
def test_what_was_brought_is_known_whatever_else_python_looks_for(
    brought: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/opt/site-packages")
    monkeypatch.setattr(carried, "missing", lambda modules: ["webdataset"] if "webdataset" in modules else [])
    monkeypatch.setattr(carried, "install", lambda wheels, target: target.mkdir(parents=True))
    if brought:
        (tmp_path / "project" / carried.WHEELS).mkdir(parents=True)
        (tmp_path / "project" / carried.WHEELS / "webdataset.whl").touch()
    environment = carried.environment_in(tmp_path / "parts", tmp_path / "project")
    assert environment["PYTHONPATH"].endswith("/opt/site-packages")
    assert ("this Python lacks webdataset" in carried.obstacle(environment)) is not brought
