"""A split of given shards: what is damaged is refused, file by file, before anything is learnt from it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from nrdfer.config.profile import Profile
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import StoreError
from nrdfer.preprocessing.folds import find_split
from nrdfer.store import MANIFEST, Store
from tests.unit.commands.conftest import write_corpus

PROFILE = Profile("own", "")
SHARD = "dfew-000000.tar"


@pytest.fixture(params=["of the store", "copied with its manifest", "made by hand"])
def shards(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four clips of DFEW."""
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    ids = write_corpus(tmp_path / "made", "dfew", 4)
    (tmp_path / "folds.json").write_text(json.dumps({"1": {"train": ids[:2], "test": ids[2:]}}))
    if request.param == "made by hand":
        return tmp_path / "made"

    def build(out: Path) -> dict[str, Any]:
        shutil.copytree(tmp_path / "made", out, dirs_exist_ok=True)
        return {}

    path = Store(tmp_path / "store").build("dfew/shards", code_version="1", config={}, inputs={}, build=build).path
    return path if request.param == "of the store" else shutil.copytree(path, tmp_path / "copy")


def folds_of(shards: Path) -> Path:
    return next(parent / "folds.json" for parent in shards.parents if (parent / "folds.json").is_file())


def refused(shards: Path, words: str) -> None:
    with pytest.raises(StoreError, match=words):
        find_split(PROFILE, "fd1", shards, folds_of(shards))


def test_whole_shards_are_taken(shards: Path) -> None:
    assert find_split(PROFILE, "fd1", shards, folds_of(shards)).train_ids == ("00000", "00001")


def test_one_bit_of_a_picture(shards: Path) -> None:
    offset, size = json.loads((shards / "index.json").read_text())["clips"]["00000"]["frames"][0]
    content = bytearray((shards / SHARD).read_bytes())
    content[offset + size // 2] ^= 4
    (shards / SHARD).write_bytes(content)
    refused(shards, rf"{SHARD} has other content than .*the shards again")


def test_one_label_of_the_index(shards: Path) -> None:
    index = shards / "index.json"
    told = json.loads(index.read_text())
    told["clips"]["00000"]["emotion"] = EMOTIONS[1]
    index.write_text(json.dumps(told, separators=(",", ":")))
    seen = "index.json has " if (shards / MANIFEST).is_file() else f"{SHARD}: 1 records contradict the index"
    refused(shards, seen)


def test_a_manifest_that_was_changed(shards: Path) -> None:
    manifest = shards / MANIFEST
    if not manifest.is_file():
        pytest.skip("there is none")
    manifest.write_text(manifest.read_text().replace('"dfew/shards"', '"afew/shards"', 1))
    refused(shards, f"{MANIFEST} has other content than when it was written")


def test_one_clip_of_given_folds(shards: Path, tmp_path: Path) -> None:
    def build(out: Path) -> dict[str, Any]:
        shutil.copy(folds_of(shards), out)
        return {}

    made = Store(tmp_path / "store").build("dfew/folds", code_version="1", config={}, inputs={}, build=build).path
    copy = shutil.copytree(made, tmp_path / "folds")
    assert find_split(PROFILE, "fd1", shards, copy).train_ids == ("00000", "00001")
    file = copy / "folds.json"
    told = json.loads(file.read_text())
    told["1"]["test"] = told["1"]["test"][:1] + told["1"]["train"][:1]
    file.write_text(json.dumps(told))
    for given in (copy, file):
        with pytest.raises(StoreError, match=r"folds.json has other (content|length|size)"):
            find_split(PROFILE, "fd1", shards, given)
