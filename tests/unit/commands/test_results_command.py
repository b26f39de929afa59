"""``nrdfer results``: of which profile."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from nrdfer.cli import app


def test_results_are_not_those_of_another_profile_than_the_shells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NRDFER_PROFILES", str(tmp_path))
    monkeypatch.setenv("NRDFER_PROFILE", "own")
    (tmp_path / "own.yaml").write_text("name: own\ndescription: own\n")
    done = CliRunner().invoke(app, ["results"])
    assert done.exit_code == 1
    assert "no results of profile 'own' yet" in done.stderr
