"""``make audit``: what is known is found, and where nobody can be asked it says so."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from devtools.osv_service import serving
from tests.unit.devtools.osv_records import record

PROJECT = Path(__file__).resolve().parents[3]
CLEAN, FOUND, UNKNOWN = 0, 1, 2  # statuses, as the script's help has them


def audit(*arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "scripts.audit", *arguments]
    return subprocess.run(line, capture_output=True, text=True, cwd=PROJECT, timeout=120)


def test_a_known_vulnerability_of_a_locked_package_is_found(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("a.json", json.dumps(record("PyYAML", {"introduced": "0"}, {"fixed": "99"})))
    done = audit("--database", str(tmp_path / "all.zip"))
    assert done.returncode == FOUND, done.stderr
    assert "TEST-1" in done.stdout and "99" in done.stdout


def test_a_database_that_tells_of_other_versions_only_finds_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(record("pyyaml", {"introduced": "0"}, {"fixed": "1.0"})))
    done = audit("--database", str(tmp_path))
    assert (done.returncode, "nothing is known" in done.stdout) == (CLEAN, True), done.stderr


@pytest.mark.parametrize("database", ["", "[]", "{", "missing"])
def test_it_says_that_no_database_could_be_asked(database: str, tmp_path: Path) -> None:
    if database != "missing":
        (tmp_path / "osv.json").write_text(database)
    done = audit("--database", str(tmp_path / "osv.json"))
    assert done.returncode == UNKNOWN
    assert "NOT AUDITED" in done.stderr and "Traceback" not in done.stderr


def test_a_service_without_advisories_gives_no_clean_bill() -> None:
    """Mirrors of a package index answer every question, and know of no vulnerability at all."""
    with serving({}) as url:
        done = audit("--osv-url", url)
    assert done.returncode == UNKNOWN
    assert "knows nothing of jinja2" in done.stderr


def test_a_service_that_does_not_answer_is_no_clean_bill() -> None:
    done = audit("--osv-url", "http://127.0.0.1:9/v1/query", "--timeout", "5")
    assert done.returncode == UNKNOWN
    assert "NOT AUDITED" in done.stderr and "Nothing is known either way" in done.stderr
