"""Receipts: what a work folder holds is taken only as it was written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nrdfer.store import file_sha256
from nrdfer.store.receipts import receipt_of, revoke, vouch, vouched


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "sheets").mkdir()
    (tmp_path / "a.npy").write_bytes(os.urandom(10_000))
    (tmp_path / "sheets" / "a.jpg").write_bytes(b"picture")
    vouch(tmp_path, "a", ["a.npy", "sheets/a.jpg"])
    return tmp_path


def test_files_that_are_as_they_were_written_are_vouched_for(work: Path) -> None:
    assert vouched(work, "a") == {"a.npy", "sheets/a.jpg"}
    assert vouched(work, "b") is None
    revoke(work, "a")
    revoke(work, "a")
    assert vouched(work, "a") is None


def _lost(path: Path) -> None:
    path.unlink()


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _zeros_at_the_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000] + bytes(5000))


def _one_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4321] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [_lost, _empty, _half, _zeros_at_the_end, _one_bit])
def test_what_a_power_cut_leaves_of_a_file_is_not_taken_and_named(
    work: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    damage(work / "a.npy")
    assert vouched(work, "a") is None
    assert "a.npy" in caplog.text


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"files": {}}', b"\xff\xfe", b"[" * 100_000, b"9" * 5000])
def test_a_damaged_receipt_vouches_for_nothing(work: Path, damage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    receipt_of(work, "a").write_bytes(damage)
    assert vouched(work, "a") is None
    assert f"{receipt_of(work, 'a')} cannot be used" in caplog.text


def test_a_receipt_of_which_one_digit_was_changed_vouches_for_nothing(work: Path) -> None:
    path = receipt_of(work, "a")
    path.write_text(path.read_text().replace("10000", "10001"))
    assert vouched(work, "a") is None


def test_sizes_alone_are_asked_for_where_somebody_else_looks_closer(work: Path) -> None:
    _one_bit(work / "a.npy")
    assert vouched(work, "a", "sizes") is not None
    _half(work / "a.npy")
    assert vouched(work, "a", "sizes") is None


def test_files_and_names_are_on_the_disk_before_their_receipt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sheets").mkdir()
    for name in ("a.npy", "sheets/a.jpg"):
        (tmp_path / name).write_bytes(b"content")
    synced: list[str] = []
    real_fsync, real_replace = os.fsync, Path.replace

    def fsync(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        real_fsync(handle)

    def replace(self: Path, target: Path) -> Path:
        synced.append("named")
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    vouch(tmp_path, "a", ["a.npy", "sheets/a.jpg"], {"a.npy": file_sha256(tmp_path / "a.npy")})
    before = synced[: synced.index("named")]
    assert {"a.npy", "a.jpg", "sheets", tmp_path.name} < set(before)
    assert synced[-1] == tmp_path.name
