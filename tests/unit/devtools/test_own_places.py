"""A script's options write over no file, and clear no folder, that somebody else made."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from devtools.own_places import json_file, take_folder


def test_a_folder_of_somebody_else_is_refused_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine" / "shadow").mkdir(parents=True)
    with pytest.raises(SystemExit, match="mine holds files that no script"):
        take_folder(tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").rglob("*")] == ["shadow"]
    for _ in range(2):  # what the first left there is its own
        take_folder(tmp_path / "new")
        (tmp_path / "new" / "shadow").mkdir(exist_ok=True)


def test_a_file_is_no_folder_to_work_in(tmp_path: Path) -> None:
    (tmp_path / "thesis").write_text("two years")
    with pytest.raises(SystemExit, match="thesis is no folder"):
        take_folder(tmp_path / "thesis")


@pytest.mark.parametrize("link", [True, False])
def test_a_file_of_somebody_else_is_refused(link: bool, tmp_path: Path) -> None:
    mine, given = tmp_path / "thesis.json", tmp_path / "given.json"
    mine.write_text("two years")
    if link:
        given.symlink_to(mine)
    else:
        given.write_text("two years")
    with pytest.raises(argparse.ArgumentTypeError, match="it is left unchanged"):
        json_file(str(given))
    assert given.read_text() == mine.read_text() == "two years"
