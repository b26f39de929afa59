"""Markers: whole folders are marked by place, and the targets select by them. And signals that were ignored."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import MARKED_FOLDERS, PROJECT, pytest_collection_modifyitems

MAKEFILE = (PROJECT / "Makefile").read_text()


@dataclass
class _Item:
    path: Path
    marks: list[str] = field(default_factory=list)

    def add_marker(self, marker: str) -> None:
        self.marks.append(marker)

    def get_closest_marker(self, marker: str) -> str | None:
        return marker if marker in self.marks else None


def _recipe(target: str) -> str:
    return MAKEFILE.split(f"\n{target}:")[1].split("\n\n")[0]


def test_a_test_is_marked_by_its_folder() -> None:
    paths = ["browser/test_web_pages.py", "end_to_end/test_report.py", "unit/test_markers.py", "fuzz/test_videos.py"]
    items: list[Any] = [_Item(PROJECT / "tests" / path) for path in paths]
    pytest_collection_modifyitems([*items, elsewhere := _Item(Path("/browser/test_one.py"))])
    assert [item.marks for item in items] == [["browser"], ["end_to_end"], [], []]
    assert elsewhere.marks == []


def test_whole_files_that_are_slow_come_first() -> None:
    given = [("unit/test_b.py", []), ("unit/test_a.py", []), ("unit/test_a.py", ["slow"]), ("fuzz/test_c.py", [])]
    items: list[Any] = [_Item(PROJECT / "tests" / path, list(marks)) for path, marks in given]
    pytest_collection_modifyitems(items)
    assert [item.path.name for item in items] == ["test_a.py", "test_a.py", "test_c.py", "test_b.py"]


def test_every_marker_is_registered() -> None:
    told = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["markers"]
    assert {line.split(":")[0] for line in told} == {"slow", "network", *MARKED_FOLDERS.values()}
    assert [name for name in MARKED_FOLDERS if not list((PROJECT / "tests" / name).glob("test_*.py"))] == []


def test_make_test_leaves_nothing_out_and_the_fast_target_what_is_slow() -> None:
    assert " -m pytest -n 3 " in _recipe("test")
    assert 'pytest tests/unit -m "not slow"' in _recipe("test-fast")
    assert re.match(r" lint test-fast\b", _recipe("check"))


def test_signals_that_who_starts_the_tests_ignores_are_not_ignored_by_them() -> None:
    code = (
        "import signal; [signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)]; "
        "import tests.conftest; print(*(signal.getsignal(number) is signal.SIG_IGN for number in (2, 15)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
