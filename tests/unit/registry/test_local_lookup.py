"""A model that is not there is reported without MLflow; what is not certain is left to it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from nrdfer.core.errors import WeightsError
from nrdfer.registry.local_lookup import refuse_absent


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "mlflow.db"


def write(path: Path, *names: str) -> None:
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE registered_models (name TEXT)")
        made.executemany("INSERT INTO registered_models VALUES (?)", [(name,) for name in names])
    made.close()


def test_without_a_database_nothing_is_registered(database: Path) -> None:
    with pytest.raises(WeightsError, match="nothing is registered yet"):
        refuse_absent("models:/own@champion")
    assert not database.exists()


def test_a_database_of_others_that_is_missing_is_not_taken_for_an_empty_one(
    database: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/disk/mlflow.db")
    with pytest.raises(WeightsError, match=r"that MLFLOW_TRACKING_URI names, .*disk/mlflow\.db, is not there; mount"):
        refuse_absent("models:/own@champion")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    with pytest.raises(WeightsError, match="nothing is registered yet"):
        refuse_absent("models:/own@champion")


def test_names_that_are_there_are_told(database: Path) -> None:
    write(database, "one", "two")
    with pytest.raises(WeightsError, match=r"no model models:/own/3 in this project's registry: .* 'one', 'two'"):
        refuse_absent("models:/own/3")
    refuse_absent("models:/two@champion")


@pytest.mark.parametrize("content", [b"", b"no database" * 100])
def test_what_cannot_be_read_is_left_to_mlflow(database: Path, content: bytes) -> None:
    database.write_bytes(content)
    refuse_absent("models:/own@champion")
    assert database.read_bytes() == content


def test_a_server_is_not_asked(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    refuse_absent("models:/own@champion")


def test_an_address_that_is_none_is_refused(database: Path) -> None:
    with pytest.raises(WeightsError, match="no address of a registered version"):
        refuse_absent("models:/own")
