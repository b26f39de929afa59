"""Fixtures every test may use: the optional folder of real clips, photos, label files and weights."""

from __future__ import annotations

from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
TESTS = PROJECT / "tests"


def pytest_itemcollected(item: pytest.Item) -> None:
    """On several processes a file stays on one, and so do all tests that share the one whole run of the job."""
    place = item.path.relative_to(TESTS)
    group = place.parts[0] if place.parts[0] == "end_to_end" else str(place)
    item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Real clips, label files and weights; they cannot be shipped, so tests skip where the folder is missing."""
    path = PROJECT.parent / "shared"
    if not (path / "weights").is_dir():
        pytest.skip(f"real clips and weights are not shipped with the project and {path} does not exist")
    return path
