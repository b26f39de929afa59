"""Verification finds every change: any flipped byte, any cut, any missing or swapped member."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from nrdfer.core.errors import StoreError
from nrdfer.shards.index import INDEX
from nrdfer.shards.verify import verify
from nrdfer.store import Store, file_sha256


def test_whole_shards_have_no_problem(shards: Path) -> None:
    seen: list[tuple[int, int]] = []
    assert verify(shards, progress=lambda *done: seen.append(done)) == []
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_every_cut_is_found(shards: Path) -> None:
    path = shards / "x-000001.tar"
    data = path.read_bytes()
    for length in [1, *range(0, len(data), 512), len(data) - 1]:
        path.write_bytes(data[:length])
        problems = verify(shards)
        assert len(problems) == 1
        assert problems[0].startswith(f"x-000001.tar has {length} bytes instead of {len(data)}")
    path.write_bytes(data[:600])
    assert "4 of its 4 clips are cut off" in verify(shards)[0]
    path.write_bytes(data + b"more")
    assert "cut off" not in verify(shards)[0]


def test_every_flipped_bit_is_found(shards: Path) -> None:
    path = shards / "x-000002.tar"
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in [*range(0, len(data), 512), *rng.integers(0, len(data), 20).tolist(), len(data) - 1]:
        changed = bytearray(data)
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        assert verify(shards) == ["x-000002.tar has other content than when it was written (sha256 differs)"]


def test_missing_and_strange_shards_are_found(shards: Path) -> None:
    (shards / "x-000002.tar").rename(shards / "y-000000.tar")
    assert verify(shards) == ["x-000002.tar is missing, and with it 2 clips", "y-000000.tar is not in the index"]


def rewrite(shards: Path, name: str, drop: str | None = None, replace: dict[str, bytes] | None = None) -> None:
    """Write a shard anew with other members and put its sha256 and size into the index, as a careless tool would."""
    path = shards / name
    with tarfile.open(path) as tar:
        members = [(member, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for member, data in members:
            if member.name != drop:
                content = (replace or {}).get(member.name, data)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    index = json.loads((shards / INDEX).read_text())
    entry = next(shard for shard in index["shards"] if shard["name"] == name)
    entry.update(sha256=file_sha256(path), bytes=path.stat().st_size)
    (shards / INDEX).write_text(json.dumps(index))


def test_a_missing_member_is_found_even_when_the_sums_agree(shards: Path) -> None:
    rewrite(shards, "x-000000.tar", drop="train_Fear_00004.0003.jpg")
    problems = verify(shards)
    assert len(problems) == 1
    assert "x-000000.tar: " in problems[0]
    assert "members are not where the index says, e.g. train_Fear_00004.0003.jpg" in problems[0]


def test_another_emotion_is_found_even_when_the_sums_agree(shards: Path) -> None:
    with tarfile.open(shards / "x-000000.tar") as tar:
        text = tar.extractfile("train_Fear_00001.json").read()  # type: ignore[union-attr]
    assert b'"sadness"' in text
    rewrite(
        shards,
        "x-000000.tar",
        replace={"train_Fear_00001.json": text.replace(b'"sadness"', b'"disgust"')},
    )
    assert verify(shards) == ["x-000000.tar: 1 records contradict the index, e.g. train_Fear_00001.json"]


def test_a_shard_that_is_no_tar_is_found(shards: Path) -> None:
    path = shards / "x-000000.tar"
    path.write_bytes(b"x" * path.stat().st_size)
    index = json.loads((shards / INDEX).read_text())
    index["shards"][0].update(sha256=file_sha256(path))
    (shards / INDEX).write_text(json.dumps(index))
    assert "x-000000.tar cannot be read as a shard" in verify(shards)[0]


def test_without_an_index_there_is_nothing_to_verify(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a finished set of shards"):
        verify(tmp_path)


def test_index_and_shard_that_were_changed_together_are_held_against_the_manifest(tmp_path: Path, shards: Path) -> None:
    """They agree with each other; what was published was another thing."""

    def build(out: Path) -> dict[str, int]:
        for path in shards.iterdir():
            if path.is_file():
                (out / path.name).write_bytes(path.read_bytes())
        return {}

    made = Store(tmp_path / "store").build("a/shards", code_version="1", config={}, inputs={}, build=build).path
    assert verify(made) == []
    changed = rewrite_bytes(made, "x-000001.tar")
    assert changed
    problems = verify(made)
    assert any(f"{INDEX} has other content than its sha256 in MANIFEST.json" in problem for problem in problems)
    assert any("x-000001.tar has different entries" in problem for problem in problems)


def rewrite_bytes(folder: Path, name: str) -> bool:
    """Change one bit of a picture, and what the index says of its shard."""
    index, data = json.loads((folder / INDEX).read_text()), bytearray((folder / name).read_bytes())
    number = next(i for i, shard in enumerate(index["shards"]) if shard["name"] == name)
    clip = next(clip for clip in index["clips"].values() if clip["shard"] == number)
    offset, size = clip["frames"][0]
    data[offset + size // 2] ^= 1
    (folder / name).write_bytes(data)
    index["shards"][number]["sha256"] = file_sha256(folder / name)
    (folder / INDEX).write_text(json.dumps(index, separators=(",", ":")))
    return True
