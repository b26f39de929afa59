"""``nrdfer store``: what is where, and the exchange with a bucket."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.store import Artifact, Store
from nrdfer.store.pointers import Pointers
from nrdfer.store.project import project_store
from tests.unit.store.building import Writer, make

runner = CliRunner()


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bucket"
    folder.mkdir()
    monkeypatch.setenv("NRDFER_STORE_WAIT", "0")
    return folder


def on_machine(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bucket: Path) -> Store:
    home = tmp_path / name
    (home / "store").mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("NRDFER_HOME", str(home))
    monkeypatch.setenv("NRDFER_STORE_URL", f"file://{bucket}")
    return project_store()


def made_before_there_was_a_bucket(tmp_path: Path) -> list[Artifact]:
    store = Store(tmp_path / "one/store")
    made = [make(store, Writer(), lr=lr) for lr in (1, 2)]
    Pointers(store, tmp_path / "one/reports").set("tiny", made[0])
    return made


def run(*arguments: str) -> tuple[int, str]:
    done = runner.invoke(app, ["store", *arguments])
    return done.exit_code, done.output


def test_push_pull_and_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bucket: Path) -> None:
    made = made_before_there_was_a_bucket(tmp_path)
    on_machine("one", tmp_path, monkeypatch, bucket)
    assert json.loads(run("status", "--json")[1])["waiting"] == 2
    assert run("push") == (0, "uploaded: 2 artefacts\n")
    assert run("push") == (0, "uploaded: 0 artefacts\n")
    code, told = run("status")
    assert (code, told.count("both"), told.count("0 are not in")) == (0, 2, 1)

    second = on_machine("two", tmp_path, monkeypatch, bucket)
    found = Pointers(second, tmp_path / "two/reports").get("tiny")
    assert found is not None and found.digest == made[0].digest
    assert run("pull", "dfew/fd1/checkpoint") == (0, "fetched: 1 artefacts\n")
    assert run("verify", "--bucket")[0] == 0
    assert all((second.root / artifact.asset / artifact.digest).is_dir() for artifact in made)


def test_damage_is_named_here_and_in_the_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bucket: Path) -> None:
    one, two = made_before_there_was_a_bucket(tmp_path)
    on_machine("one", tmp_path, monkeypatch, bucket)
    (one.path / "a.bin").write_bytes(b"b" * 1000)
    code, told = run("push")
    assert code == 1 and "is damaged and was not uploaded: a.bin has other content" in told
    assert "uploaded: 1 artefacts" in told
    (bucket / two.asset / two.digest / "a.bin").write_bytes(b"b" * 1000)
    (bucket / two.asset / two.digest / "sub/b.txt").unlink()
    code, told = run("verify", "--bucket")
    assert code == 1 and "a.bin has other content" in told and "sub/b.txt is missing" in told
    assert "0 of 1 artefacts" in told
    (one.path / "a.bin").write_bytes(b"a" * 1000)
    assert run("push", "--again") == (0, "uploaded: 2 artefacts\n")
    assert run("verify", "--bucket")[0] == 0


def test_without_a_bucket_the_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bucket: Path) -> None:
    on_machine("one", tmp_path, monkeypatch, bucket)
    monkeypatch.delenv("NRDFER_STORE_URL")
    for command in ("push", "status", "pull"):
        code, told = run(command)
        assert code == 1 and "set NRDFER_STORE_URL to its address" in told
    monkeypatch.setenv("NRDFER_STORE_URL", "http://127.0.0.1:9/store")
    assert "can only be read" in run("push")[1]
