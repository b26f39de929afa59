"""Fixtures every test may use: the optional folder of real clips, photos, label files and weights."""

from __future__ import annotations

from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Real clips, label files and weights; they cannot be shipped, so tests skip where the folder is missing."""
    path = PROJECT.parent / "shared"
    if not (path / "weights").is_dir():
        pytest.skip(f"real clips and weights are not shipped with the project and {path} does not exist")
    return path
