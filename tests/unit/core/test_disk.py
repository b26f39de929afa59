"""Room on disks while others write to them."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from nrdfer.core import disk


def test_of_folders_on_one_disk_the_first_is_named_whatever_others_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrinking = itertools.count(10**9, -(10**6))  # less with each measurement
    monkeypatch.setattr(disk, "free_bytes", lambda folder: next(shrinking))
    places = [tmp_path / "named" / "file", tmp_path, tmp_path / "other"]
    assert disk.least_room(places)[0] == places[0]
