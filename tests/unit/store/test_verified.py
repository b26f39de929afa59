"""What a run has looked at is not read twice, and what has changed since is."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from nrdfer.core import leases
from nrdfer.core.hashing import file_sha256
from nrdfer.core.processes import MARK, mark
from nrdfer.store import verified
from nrdfer.store.verified import FOLDER, checked_sha256, is_content


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    (tmp_path / "store").mkdir()
    path = tmp_path / "store" / "weights.bin"
    path.write_bytes(b"weights")
    old = time.time() - 60
    os.utime(path, (old, old))
    monkeypatch.setattr(verified, "_SETTLED_NS", -1)  # its change was just now, and nobody can set that back
    return path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    done: list[Path] = []

    def read(path: Path) -> str:
        done.append(path)
        return file_sha256(path)

    monkeypatch.setattr(verified, "file_sha256", read)
    return done


def forget() -> None:
    """As another process, which remembers nothing."""
    verified._books.clear()


def test_a_file_is_read_once_and_again_when_it_has_changed(file: Path, reads: list[Path]) -> None:
    first = checked_sha256(file)
    assert is_content(file, first) and checked_sha256(file) == first
    assert len(reads) == 1
    file.write_bytes(b"weightz")
    os.utime(file, (1, 1))  # as one who wants to hide it
    assert not is_content(file, first)


def test_what_was_just_written_is_not_remembered(
    file: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verified, "_SETTLED_NS", 10**12)
    checked_sha256(file)
    checked_sha256(file)
    assert len(reads) == 2


def test_processes_of_one_run_share_and_other_runs_look_themselves(
    file: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MARK, mark("run-1"))
    checked_sha256(file)
    forget()
    checked_sha256(file)
    assert len(reads) == 1
    forget()
    monkeypatch.setenv(MARK, mark("run-2"))
    checked_sha256(file)
    assert len(reads) == 2


def test_what_dead_runs_have_looked_at_is_removed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = file.parent / FOLDER
    folder.mkdir()
    for name in ("a-run-that-was-killed", "living", f"{os.getpid()}-1.00"):  # the last one is of an earlier release
        (folder / name).touch()
    leases.take("living")
    monkeypatch.setenv(MARK, mark("run-1"))
    checked_sha256(file)
    assert {path.name for path in folder.iterdir()} == {"run-1", "living"}


def test_a_damaged_memory_accuses_no_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MARK, mark("run-1"))
    sha256 = checked_sha256(file)
    (shared,) = (file.parent / FOLDER).iterdir()
    shared.write_bytes(
        shared.read_bytes().replace(sha256.encode(), b"0" * 64) + b"\xff\n1 2 3 4\n" + b"9" * 5000 + b"\n"
    )
    forget()
    assert is_content(file, sha256)
