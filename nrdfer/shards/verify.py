"""Verification: a set of shards is exactly what its index says, byte by byte. Repairing belongs to the writer.

In the store the index and the shards are compared with the artefact's manifest, too, because both may have been changed
together.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

from nrdfer.core.coerce import brief
from nrdfer.core.errors import StoreError
from nrdfer.core.plain_text import name_text
from nrdfer.shards.index import INDEX, ShardIndex
from nrdfer.shards.spans import Span
from nrdfer.store import MANIFEST, file_sha256, find_problems, read_manifest
from nrdfer.store.entries import problem_of

_NAMED = 3  # problems that a message names


def verify(root: Path, progress: Callable[[int, int], None] | None = None) -> list[str]:
    """Descriptions of the problems in a folder of shards; empty if there are none.

    Every shard's length and sha256, every member's name and place, and every record are compared with the index; and
    the index with the manifest beside it, where there is one (shards that were copied out of a store have none).

    Args:
        root: folder of shards.
        progress: called with (shards checked, shards).

    Raises:
        StoreError: the folder has no readable index.
    """
    index = ShardIndex.load(root)
    problems = _against_manifest(root, index)
    for number, shard in enumerate(index.shards):
        path = root / shard.name
        if not path.is_file():
            problems.append(f"{shard.name} is missing, and with it {shard.clips} clips")
        elif path.stat().st_size != shard.bytes:
            problems.append(_other_length(index, number, path.stat().st_size))
        elif file_sha256(path) != shard.sha256:
            problems.append(f"{shard.name} has other content than when it was written (sha256 differs)")
        else:
            problems += _contradictions(index, number, path)
        if progress is not None:
            progress(number + 1, len(index.shards))
    expected = {shard.name for shard in index.shards}
    problems += [f"{p.name} is not in the index" for p in sorted(root.glob("*.tar")) if p.name not in expected]
    return problems


def refuse_damaged(root: Path) -> None:
    """Refuse a folder of shards that is not, byte for byte, as written.

    One with a manifest is held against it, as the store does with its own: once a run, however many steps read it.

    Raises:
        StoreError: so it is; names the files.
    """
    problems = find_problems(root, "full") if (root / MANIFEST).exists() else verify(root)
    if problems:
        more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise StoreError(
            f"{name_text(root)} is damaged ({'; '.join(problems[:_NAMED])}{more}); run the step that made it, or write "
            "the shards again"
        )


def _against_manifest(root: Path, index: ShardIndex) -> list[str]:
    """Differences of the index from what was published; none where there is no manifest."""
    if not (root / MANIFEST).exists():
        return []
    try:
        listed = read_manifest(root)["files"]
    except ValueError as error:
        return [str(error)]
    entry = listed.get(INDEX)
    problem = problem_of(root, INDEX, entry, MANIFEST) if entry else f"{INDEX} is not in {MANIFEST}"
    problems = [problem] if problem else []
    for shard in index.shards:  # the shards themselves are held against the index
        if listed.get(shard.name, {}).get("sha256") != shard.sha256:
            problems.append(f"{shard.name} has different entries in {INDEX} and {MANIFEST}")
    known = {shard.name for shard in index.shards}
    problems += [
        f"{name} is in {MANIFEST} and not in {INDEX}" for name in listed if name.endswith(".tar") and name not in known
    ]
    return problems


def _other_length(index: ShardIndex, number: int, length: int) -> str:
    shard = index.shards[number]
    text = f"{shard.name} has {length} bytes instead of {shard.bytes}"
    ends = [sum(max(index.clips[c].frames, default=index.clips[c].record)) for c in index.clips_of(number)]
    lost = sum(end > length for end in ends)
    return f"{text}: {lost} of its {shard.clips} clips are cut off" if lost else text


def _contradictions(index: ShardIndex, number: int, path: Path) -> list[str]:
    """Contradictions between an unchanged shard and the index: the index was edited, or belongs to other shards."""
    there: dict[str, Span] = {}
    records: dict[str, tuple[str | None, int]] = {}
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                there[member.name] = (member.offset_data, member.size)
                content = tar.extractfile(member) if member.name.endswith(".json") else None
                if content is not None:
                    record = json.loads(content.read())
                    records[member.name] = (record["emotion"], record["n_frames"])
    except (tarfile.TarError, ValueError, LookupError, TypeError, ArithmeticError, EOFError, RecursionError) as error:
        return [f"{path.name} cannot be read as a shard: {type(error).__name__} {brief(str(error))}"]
    expected: dict[str, Span] = {}
    facts: dict[str, tuple[str | None, int]] = {}
    for clip_id in index.clips_of(number):
        entry = index.clips[clip_id]
        expected[f"{clip_id}.json"] = entry.record
        expected.update({f"{clip_id}.{i:04d}.jpg": span for i, span in enumerate(entry.frames)})
        facts[f"{clip_id}.json"] = (entry.emotion, entry.n_frames)
    problems = []
    wrong = sorted(name for name in there.keys() | expected.keys() if there.get(name) != expected.get(name))
    if wrong:
        problems.append(f"{path.name}: {len(wrong)} members are not where the index says, e.g. {wrong[0]}")
    other = sorted(name for name in records.keys() & facts.keys() if records[name] != facts[name])
    if other:
        problems.append(f"{path.name}: {len(other)} records contradict the index, e.g. {other[0]}")
    return problems
