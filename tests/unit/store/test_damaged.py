"""Artefacts that were cut, lost, scribbled on or changed by one bit: moved aside and made again, or refused."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

from nrdfer.core.errors import StoreError
from nrdfer.store import MANIFEST, Store
from tests.unit.store.building import Writer, make


def _cut(path: Path) -> None:
    (path / "a.bin").write_bytes(b"a" * 999)


def _lose(path: Path) -> None:
    (path / "sub" / "b.txt").unlink()


def _scribble(path: Path) -> None:
    (path / MANIFEST).write_text('{"files": {"a.bin": 5}}')


def _half_manifest(path: Path) -> None:
    (path / MANIFEST).write_bytes((path / MANIFEST).read_bytes()[:50])


def _no_manifest(path: Path) -> None:
    (path / MANIFEST).unlink()


@pytest.mark.parametrize("damage", [_cut, _lose, _scribble, _half_manifest, _no_manifest])
def test_a_damaged_artefact_is_moved_aside_and_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Any
) -> None:
    store, build = Store(tmp_path), Writer()
    artifact = make(store, build)
    damage(artifact.path)
    with pytest.raises(StoreError, match="damaged"):
        store.open(artifact.asset, artifact.digest)
    assert store.find(artifact.asset) == []
    with caplog.at_level(logging.WARNING):
        again = make(store, build)
    assert (again.up_to_date, build.runs) == (False, 2)
    aside = list((tmp_path / ".damaged").iterdir())
    assert len(aside) == 1
    assert str(aside[0]) in caplog.text
    assert store.open(artifact.asset, artifact.digest, verify="full").digest == artifact.digest


def test_full_verification_finds_changed_bytes_and_added_files(tmp_path: Path) -> None:
    store = Store(tmp_path)
    artifact = make(store, Writer())
    (artifact.path / "a.bin").write_bytes(b"a" * 999 + b"b")
    told = store.open(artifact.asset, artifact.digest, verify="sizes")  # for those who only tell of it
    assert told.path == artifact.path
    with pytest.raises(StoreError, match=r"a\.bin has other content"):
        store.open(artifact.asset, artifact.digest)
    (artifact.path / "a.bin").write_bytes(b"a" * 1000)
    (artifact.path / "new").write_text("")
    with pytest.raises(StoreError, match="new is not in"):
        store.open(artifact.asset, artifact.digest, verify="full")


def _flip(path: Path, place: int, bit: int = 1) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= bit
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["a.bin", "sub/b.txt"])
def test_an_artefact_of_which_one_bit_was_changed_was_not_up_to_date(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    build = Writer()
    artifact = make(Store(tmp_path), build)
    before = (artifact.path / name).read_bytes()
    make(Store(tmp_path), build)  # looked at in this process, and so remembered
    _flip(artifact.path / name, 0)
    assert not Store(tmp_path).is_published(artifact.asset, artifact.digest)
    again = make(Store(tmp_path), build)
    assert (again.up_to_date, build.runs) == (False, 2)
    assert f"{name} has other content" in again.repaired and ".damaged" in again.repaired
    assert again.repaired in caplog.text
    assert (artifact.path / name).read_bytes() == before
    (aside,) = (tmp_path / ".damaged").iterdir()
    assert (aside / name).read_bytes() != before


def test_a_manifest_of_which_one_bit_was_changed_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    artifact = make(store, Writer(), lr=0.1)
    path = artifact.path / MANIFEST
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        _flip(path, place, 1 << (place % 8))
        with pytest.raises(StoreError, match=MANIFEST):
            store.open(artifact.asset, artifact.digest)
        path.write_bytes(whole)
    assert store.open(artifact.asset, artifact.digest).digest == artifact.digest


def test_a_manifest_of_another_artefact_is_refused(tmp_path: Path) -> None:
    one, two = make(Store(tmp_path), Writer(), lr=1), make(Store(tmp_path), Writer(), lr=2)
    shutil.copyfile(one.path / MANIFEST, two.path / MANIFEST)
    with pytest.raises(StoreError, match=MANIFEST):
        Store(tmp_path).open(two.asset, two.digest)


def test_an_artefact_of_an_earlier_version_is_taken(tmp_path: Path) -> None:
    """Its manifest has no seal; what it was made of and its files' hashes are held all the same."""
    artifact = make(Store(tmp_path), Writer())
    path = artifact.path / MANIFEST
    manifest = json.loads(path.read_text())
    del manifest["seal"]
    path.write_text(json.dumps(manifest, indent=1))
    assert make(Store(tmp_path), Writer()).up_to_date
    manifest["inputs"]["x"] = "1" * 64
    path.write_text(json.dumps(manifest, indent=1))
    assert not make(Store(tmp_path), Writer()).up_to_date
