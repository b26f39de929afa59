"""Shards in groups: the bytes of sequential writing, whoever wrote which group when; only whole ones are published."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from devtools.shard_files import encoded
from nrdfer.core.errors import StoreError
from nrdfer.core.records import ClipRecord
from nrdfer.shards.index import ShardIndex
from nrdfer.shards.verify import verify
from nrdfer.shards.writer import (
    EncodedClip,
    ExcludedClip,
    build_shards,
    publish_groups,
    read_group,
    shard_name,
    write_group,
)

Clip = tuple[ClipRecord, npt.NDArray[np.uint8]]
NAMES = [shard_name("x", number) for number in range(3)]


@pytest.fixture(scope="module")
def groups(clips: list[Clip]) -> list[list[EncodedClip]]:
    """Ten clips in groups of four."""
    made = [encoded(clip) for clip in clips]
    return [made[start : start + 4] for start in range(0, 10, 4)]


@pytest.fixture
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("out")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1, 0)])
def test_groups_in_any_order_are_the_shards_of_sequential_writing(
    shards: Path, folders: tuple[Path, Path], groups: list[list[EncodedClip]], order: tuple[int, ...]
) -> None:
    work, out = folders
    for number in order:
        write_group(groups[number], work, NAMES[number])
    index, aside = publish_groups(work, NAMES, out)
    assert contents(out) == contents(shards)
    assert (index, aside) == (ShardIndex.load(shards), [])
    assert all((out / name).samefile(work / name) for name in NAMES)  # not copied


def test_a_group_keeps_its_place_when_clips_are_set_aside(
    folders: tuple[Path, Path], groups: list[list[EncodedClip]]
) -> None:
    work, out = folders
    write_group([groups[0][0], ExcludedClip("a", "no face")], work, NAMES[0])
    write_group([ExcludedClip("b", "unreadable"), ExcludedClip("c", "unreadable")], work, NAMES[1])
    write_group(groups[2], work, NAMES[2])
    index, aside = publish_groups(work, NAMES, out)
    assert [(shard.name, shard.clips) for shard in index.shards] == [(NAMES[0], 1), (NAMES[2], 2)]
    assert [clip.clip_id for clip in aside] == ["a", "b", "c"]
    assert [index.clips_of(number) for number in (0, 1)] == [
        [groups[0][0][0].clip_id],
        [record.clip_id for record, _ in groups[2]],
    ]
    assert sorted(contents(out)) == ["index.json", NAMES[0], NAMES[2]]
    assert verify(out) == []
    group = read_group(work, NAMES[1])
    assert group is not None and (group[0].clips, len(group[1])) == ({}, 2)


def test_what_is_not_whole_is_not_finished(folders: tuple[Path, Path], groups: list[list[EncodedClip]]) -> None:
    work, out = folders
    assert read_group(work, NAMES[0]) is None
    write_group(groups[0], work, NAMES[0])
    sidecar = next(work.glob("*.json"))
    whole = (work / NAMES[0]).read_bytes(), sidecar.read_text()
    for tar, text in [
        (whole[0][:-512], whole[1]),
        (None, whole[1]),
        (whole[0], whole[1][:100]),
        (whole[0], json.dumps({"index": {"schema": 99}, "set_aside": []})),
    ]:
        (work / NAMES[0]).unlink() if tar is None else (work / NAMES[0]).write_bytes(tar)
        sidecar.write_text(text)
        assert read_group(work, NAMES[0]) is None
        with pytest.raises(StoreError, match=r"x-000000\.tar is not finished"):
            publish_groups(work, NAMES[:1], out)
        write_group(groups[0], work, NAMES[0])
        assert read_group(work, NAMES[0]) is not None


def test_a_failing_source_leaves_no_group(folders: tuple[Path, Path], groups: list[list[EncodedClip]]) -> None:
    work, out = folders

    def source() -> object:
        yield groups[0][0]
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="the disk is gone"):
        write_group(source(), work, NAMES[0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="two clips have the id"):
        write_group([groups[0][0], groups[0][0]], work, NAMES[0])
    assert list(work.iterdir()) == []
    write_group(groups[0], work, NAMES[0])
    write_group(groups[0], work, NAMES[1])
    with pytest.raises(ValueError, match="two clips have the id"):
        publish_groups(work, NAMES[:2], out)


def test_files_of_killed_writers_are_removed(folders: tuple[Path, Path], groups: list[list[EncodedClip]]) -> None:
    work, out = folders
    write_group(groups[0], work, NAMES[0])
    whole = contents(work)
    (work / f".{NAMES[0]}.4711.tmp").write_bytes(b"half a shard")
    build_shards([], work, out, workers=0, what="nothing")
    assert contents(work) == whole


@pytest.mark.parametrize("left", ["empty", "half", "zeros", "one bit"])
@pytest.mark.parametrize("file", [NAMES[0], f"{NAMES[0]}.group.json"])
def test_a_group_that_a_power_cut_or_the_disk_has_changed_is_written_again(
    folders: tuple[Path, Path], groups: list[list[EncodedClip]], file: str, left: str
) -> None:
    work, _ = folders
    write_group(groups[0], work, NAMES[0])
    whole = (work / file).read_bytes()
    half = whole[: len(whole) // 2]
    flipped = half[:-1] + bytes([half[-1] ^ 1]) + whole[len(half) :]
    damage = {"empty": b"", "half": half, "zeros": half + bytes(len(whole) - len(half)), "one bit": flipped}
    (work / file).write_bytes(damage[left])
    assert read_group(work, NAMES[0]) is None
    write_group(groups[0], work, NAMES[0])
    assert (work / file).read_bytes() == whole
    assert read_group(work, NAMES[0]) is not None
