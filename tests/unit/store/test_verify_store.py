"""``nrdfer store verify``: every artefact is looked at, what is damaged is named, nothing is ever deleted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.store import MANIFEST, Artifact, Store
from nrdfer.store.verify import verify_store

runner = CliRunner()


def _build(out: Path) -> Mapping[str, Any]:
    (out / "sub").mkdir()
    (out / "weights.bin").write_bytes(b"w" * 3000)
    (out / "sub" / "report.html").write_text("report")
    return {}


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Artifact]:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    store = Store(tmp_path / "store")
    return [
        store.build(asset, code_version="1", config={}, inputs={}, build=_build)
        for asset in ("afew/shards", "dfew/fd1/checkpoint", "report")
    ]


def _flip(path: Path) -> None:
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


def test_every_artefact_is_looked_at(made: list[Artifact]) -> None:
    seen: list[tuple[int, int]] = []
    found = list(verify_store(made[0].path.parents[2], lambda *done: seen.append(done)))
    assert [(verdict.asset, verdict.problems) for verdict in found] == [(a.asset, ()) for a in made]
    assert seen[-1] == (3 * 3006, 3 * 3006)
    assert list(verify_store(Path("/nowhere"))) == []


@pytest.mark.parametrize("name", ["weights.bin", "sub/report.html", MANIFEST])
def test_one_changed_bit_is_named_and_nothing_is_moved(made: list[Artifact], name: str) -> None:
    _flip(made[1].path / name)
    result = runner.invoke(app, ["store", "verify"])
    assert result.exit_code == 1
    assert f"{made[1].path} is damaged" in result.stdout and name in result.stdout
    assert "2 of 3 artefacts" in result.stdout and "nrdfer reproduce" in result.stdout
    assert made[1].path.is_dir()


def test_repair_sets_damaged_artefacts_aside_and_the_step_makes_them_again(made: list[Artifact]) -> None:
    _flip(made[0].path / "weights.bin")
    (made[2].path / "sub" / "report.html").unlink()
    result = runner.invoke(app, ["store", "verify", "--repair", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["damaged"] == 2
    for row in told["artefacts"]:
        assert bool(row["problems"]) == (row["set_aside"] is not None)
    assert not made[0].path.exists() and made[1].path.exists()
    aside = {path.name[:8] for path in (made[0].path.parents[2] / ".damaged").iterdir()}
    assert aside == {"afew-sha", "report-" + made[2].digest[0]}
    again = Store(made[0].path.parents[2]).build("afew/shards", code_version="1", config={}, inputs={}, build=_build)
    assert (again.path, again.up_to_date) == (made[0].path, False)
    assert runner.invoke(app, ["store", "verify"]).exit_code == 0


def test_an_empty_store_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    assert "0 of 0 artefacts" in runner.invoke(app, ["store", "verify"]).stdout


@pytest.mark.parametrize("place", ["nowhere", "file", "home-with-a-file"])
def test_a_project_folder_that_is_none_is_no_whole_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "home-with-a-file").mkdir()
    (tmp_path / "home-with-a-file" / "store").write_text("")
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / place))
    result = runner.invoke(app, ["store", "verify"])
    assert result.exit_code == 1
    assert f"error: {tmp_path / place}" in result.stderr and "NRDFER_HOME" in result.stderr
    assert "are whole" not in result.stdout


def test_a_project_folder_without_an_artefact_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    result = runner.invoke(app, ["store", "verify"])
    assert result.exit_code == 0
    assert "0 of 0 artefacts" in result.stdout
