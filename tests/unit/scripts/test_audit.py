"""``make audit``: what is known is found, and where nobody can be asked it says so."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from scripts.audit import CLEAN, FOUND, UNKNOWN, affects, serving

PROJECT = Path(__file__).resolve().parents[3]


def record(name: str, *events: dict[str, str], versions: tuple[str, ...] = ()) -> dict[str, Any]:
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}] if events else []
    package = {"name": name, "ecosystem": "PyPI"}
    return {
        "id": "TEST-1",
        "summary": "made up",
        "affected": [{"package": package, "ranges": ranges, "versions": list(versions)}],
    }


def audit(*arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(PROJECT / "scripts" / "audit.py"), *arguments]
    return subprocess.run(line, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("version", "told"), [("1.0", True), ("1.4.9", True), ("1.5", False), ("2.0", True), ("2.1", True), ("2.2", False)]
)
def test_versions_are_compared_as_the_records_mean_them(version: str, told: bool) -> None:
    made = record(
        "some-package", {"introduced": "0"}, {"fixed": "1.5"}, {"introduced": "2.0"}, {"last_affected": "2.1"}
    )
    assert affects(made, "some-package", version) is told
    assert affects(record("Some_Package", versions=("1.0",)), "some-package", version) is (version == "1.0")


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
