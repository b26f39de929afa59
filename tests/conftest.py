"""Fixtures every test may use: the optional folder of real clips, photos, label files and weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[1]


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """On several processes a file stays on one, and so do all files that share the one whole run of the job."""
    from xdist.scheduler import LoadScopeScheduling

    end_to_end = PROJECT / "tests" / "end_to_end"
    sharing = {
        f"tests/end_to_end/{path.name}" for path in end_to_end.glob("test_*.py") if "reproduced" in path.read_text()
    }

    class OnePlace(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            place = nodeid.split("::")[0]
            return "the whole job" if place in sharing else place

    return OnePlace(config, log)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Real clips, label files and weights; they cannot be shipped, so tests skip where the folder is missing."""
    path = PROJECT.parent / "shared"
    if not (path / "weights").is_dir():
        pytest.skip(f"real clips and weights are not shipped with the project and {path} does not exist")
    return path
