"""Lists of migrations: each is read once a process, and two that differ stay apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from nrdfer.core import migrations

REVISION = 'revision = "{0}"\ndown_revision = {1!r}\nread.append("{0}")\n'


@pytest.fixture(autouse=True)
def unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alembic as before, with no list that was read."""
    monkeypatch.setattr(ScriptDirectory, "from_config", classmethod(vars(ScriptDirectory)["from_config"].__func__))
    monkeypatch.setattr(migrations, "_kept", {})


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The revisions whose files were executed, in order."""
    executed: list[str] = []
    monkeypatch.setattr("builtins.read", executed, raising=False)
    return executed


def a_list(folder: Path, *revisions: str) -> Path:
    (folder / "versions").mkdir(parents=True)
    for before, revision in zip((None, *revisions), revisions, strict=False):
        (folder / "versions" / f"{revision}_step.py").write_text(REVISION.format(revision, before))
    return folder


def heads(folder: Path) -> list[str]:
    config = Config()
    config.set_main_option("script_location", str(folder))
    return list(ScriptDirectory.from_config(config).get_heads())


def test_a_list_is_read_once_and_another_one_too(tmp_path: Path, read: list[str]) -> None:
    first, second = a_list(tmp_path / "first", "aa1", "aa2"), a_list(tmp_path / "second", "bb1")
    migrations.keep_lists()
    migrations.keep_lists()  # as several modules of one process do
    assert heads(first) == heads(first) == ["aa2"]
    assert heads(second) == ["bb1"]
    assert sorted(read) == ["aa1", "aa2", "bb1"]


def test_a_list_that_was_read_ahead_is_not_read_again(tmp_path: Path, read: list[str]) -> None:
    folder = a_list(tmp_path / "100% list", "cc1")
    migrations.read_list(str(folder))
    assert read == ["cc1"]
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    assert ScriptDirectory.from_config(config).get_heads() == ["cc1"]
    assert read == ["cc1"]


def test_a_list_that_is_not_there_stays_an_error(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="nowhere"):
        migrations.read_list(str(tmp_path / "nowhere"))
    config = Config()
    with pytest.raises(Exception, match="script_location"):
        ScriptDirectory.from_config(config)
