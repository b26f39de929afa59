"""Crops of long videos are in a file without a name; a full disk is told, and nothing is left behind."""

from __future__ import annotations

import copy
import errno
import pickle
import tempfile
from pathlib import Path

import pytest

from nrdfer.core.errors import MachineError
from nrdfer.predict.kept_crops import CropsOfPerson, KeptCrops


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("in_memory", [1 << 20, 10])
def test_crops_are_found_again_whether_in_memory_or_in_a_file(folder: Path, in_memory: int) -> None:
    kept = KeptCrops(in_memory)
    one, two = CropsOfPerson(kept), CropsOfPerson(kept)
    for frame in (3, 1, 70):
        one.add(frame, b"one" * frame)
        two.add(frame, b"two" * frame)
    assert {**one} == {frame: b"one" * frame for frame in (3, 1, 70)} and list(one) == [3, 1, 70]
    assert two[70] == b"two" * 70 and len(two) == 3
    with pytest.raises(KeyError):
        one[2]
    assert list(folder.iterdir()) == []  # no name, so nothing is left behind, whatever ends the process
    for same in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):  # noqa: S301 - our own
        assert same == {**one}


def test_a_full_disk_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptCrops()

    def full(_: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(kept._file, "write", full)
    with pytest.raises(MachineError, match=r"No space left on device.*set TMPDIR"):
        kept.add(b"x")
