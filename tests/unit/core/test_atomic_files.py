from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from nrdfer.core.atomic_files import move_new, sync, temporary_beside, write_whole


@pytest.fixture
def private_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def refuse(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> None:
    def refused(*_args: object, **_more: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, name, refused)


def test_writes_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_has_the_mode_that_the_umask_gives(tmp_path: Path, private_umask: None) -> None:
    path = tmp_path / "faces" / "sheet.png"
    write_whole(path, b"a face")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    os.umask(0o022)
    write_whole(path, b"another")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_file_system_that_keeps_no_modes_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("chmod", "fchmod"):
        refuse(monkeypatch, name, errno.EPERM)
    write_whole(tmp_path / "a.json", b"one")
    assert (tmp_path / "a.json").read_bytes() == b"one"


@pytest.mark.parametrize("name", ["a" * 250 + ".json", "ä" * 125, os.fsdecode(b"Stra\xdfe.json"), "." * 3 + "x" * 252])
def test_a_name_as_long_or_odd_as_the_file_system_takes_is_written(tmp_path: Path, name: str) -> None:
    write_whole(tmp_path / name, b"one")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert temporary_beside(tmp_path / name).parent == tmp_path


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_that_flushes_no_folders_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    real = os.fsync

    def fsync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    write_whole(tmp_path / "a.json", b"one")
    sync(tmp_path)
    assert (tmp_path / "a.json").read_bytes() == b"one"


def test_a_folder_that_cannot_be_flushed_for_want_of_a_working_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "fsync", errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        sync(tmp_path)


def test_a_full_disk_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_whole(path, b"old")
    refuse(monkeypatch, "fsync", errno.ENOSPC)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("links", [True, False])
def test_a_new_name_is_given_once_with_and_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        refuse(monkeypatch, "link", errno.EPERM)
    first, second, place = (tmp_path / name for name in "abd")
    for path in (first, second):
        path.write_text(path.name)
    move_new(first, place)
    assert place.read_text() == "a" and not first.exists()
    with pytest.raises(FileExistsError):
        move_new(second, place)
    assert place.read_text() == "a" and second.read_text() == "b"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "d"]


def test_a_full_disk_is_said_and_moves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("a")
    refuse(monkeypatch, "link", errno.ENOSPC)
    with pytest.raises(OSError, match="No space left"):
        move_new(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a").exists() and not (tmp_path / "b").exists()
