"""Verification: a set of shards is exactly what its index says, byte by byte."""

from __future__ import annotations

import tarfile
from pathlib import Path

from nrdfer.shards.index import ShardIndex
from nrdfer.store import file_sha256


def verify(root: Path) -> list[str]:
    """Problems found in a folder of shards, in plain words; empty if there are none.

    Raises:
        StoreError: the folder has no readable index.
    """
    index = ShardIndex.load(root)
    problems = []
    for number, shard in enumerate(index.shards):
        path = root / shard.name
        if not path.is_file():
            problems.append(f"{shard.name} is missing")
        elif path.stat().st_size != shard.bytes:
            problems.append(f"{shard.name} has {path.stat().st_size} bytes instead of {shard.bytes}")
        elif file_sha256(path) != shard.sha256:
            problems.append(f"{shard.name} has another content than when it was written (sha256 differs)")
        else:
            problems += _misplaced(index, number, path)
    expected = {shard.name for shard in index.shards}
    problems += [
        f"{p.name} is not in the index" for p in sorted(root.glob("*.tar")) if p.name not in expected
    ]
    return problems


def _misplaced(index: ShardIndex, number: int, path: Path) -> list[str]:
    with tarfile.open(path) as tar:
        there = {member.name: (member.offset_data, member.size) for member in tar}
    expected = {}
    for clip_id, entry in index.clips.items():
        if entry.shard == number:
            expected[f"{clip_id}.json"] = entry.record
            expected.update({f"{clip_id}.{i:04d}.jpg": span for i, span in enumerate(entry.frames)})
    if there == expected:
        return []
    wrong = sorted(name for name in there.keys() | expected.keys() if there.get(name) != expected.get(name))
    return [f"{path.name}: {len(wrong)} members are not where the index says, e.g. {wrong[0]}"]
