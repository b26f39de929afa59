"""Odd video files, made once for all tests that need them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.odd_videos import Odd, long_video, make_all

MANY = 10_000


@pytest.fixture(scope="session")
def odd_videos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Odd]]:
    """A folder of odd files, and what shall become of each; read only."""
    folder = tmp_path_factory.mktemp("odd") / "corpus"
    odds = make_all(folder)
    made = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
    assert made == {odd.name for odd in odds}
    return folder, odds


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of ten thousand small frames."""
    return long_video(tmp_path_factory.mktemp("long") / "long.mp4", MANY)
