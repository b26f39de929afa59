"""From every registered version of a whole run back to its sources; one changed byte is one broken link."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devtools.dagster_history import runs
from tests.end_to_end.commands import Run, called, typed

VERSIONS = {
    "nr-dfernet-afew/1", "nr-dfernet-afew-video/1", "nr-dfernet-dfew-video/1",
    *(f"nr-dfernet-dfew/{k}" for k in range(1, 6)),
}  # fmt: skip


@contextlib.contextmanager
def changed(path: Path) -> Iterator[None]:
    """One bit of a file is another one, for a while; the file is as long and as old as before."""
    content, times = path.read_bytes(), path.stat()

    def write(data: bytes | bytearray) -> None:
        path.write_bytes(data)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # a listing is made again for a file of another age

    other = bytearray(content)
    other[len(other) // 2] ^= 1
    write(other)
    try:
        yield
    finally:
        write(content)


@pytest.fixture(scope="module")
def chains(reproduced: Run) -> list[dict[str, Any]]:
    done = typed(reproduced, "lineage", "--all", "--json")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    told: dict[str, Any] = json.loads(done.stdout)
    assert (told["broken"], told["verified"]) == (0, True)
    versions: list[dict[str, Any]] = told["versions"]
    return versions


def test_every_version_leads_to_everything_it_was_made_of(chains: list[dict[str, Any]], reproduced: Run) -> None:
    folder = reproduced[0]
    assert {chain["version"].removeprefix("models:/") for chain in chains} == VERSIONS
    (run_id,) = (row[0] for row in runs(folder)[:1])
    for chain in chains:
        of: dict[str, list[dict[str, Any]]] = {}
        for link in chain["links"]:
            of.setdefault(link["kind"], []).append(link)
        shards = list((folder / ".nrdfer/store/dfew/shards").glob("*/*.tar"))
        afew = "afew" in chain["version"]
        assert len(of["shard"]) == len(shards) + afew * 1
        assert len(of["source clip"]) == 35
        assert len(of.get("source video", [])) == (14 if afew else 0)
        assert {link["name"] for link in of.get("pretrained weights", [])} == (
            {"RetinaFace", "EnlightenGAN"} if afew else set()
        )
        assert [link["digest"] for link in of["Dagster run"]] == [run_id, run_id]
        assert len(of["Dagster step"]) == 2
        assert of["MLflow run"][0]["digest"] in of["resolved config"][0]["where"]
        assert {link["name"].rpartition("-")[2] for link in of["data set input"]} == {"train", "test"}
        assert of["clip list"] and of["figures"] and of["code version"] and of["logged model"]


def test_one_changed_byte_is_one_broken_link(chains: list[dict[str, Any]], reproduced: Run) -> None:
    folder = reproduced[0]
    (shard,) = (folder / ".nrdfer/store/dfew/shards").glob("*/dfew-000000.tar")
    video = sorted((folder / ".nrdfer/corpus").glob("*/AFEW/*/*/*.avi"))[3]
    picture = sorted((folder / ".nrdfer/corpus").glob("*/DFEW/Clip/clip_224x224/*/*.jpg"))[5]
    for path, words in (
        (shard, f"shard: dfew/shards: {shard.name}: has other content"),
        (video, "source video: "),
        (picture, f"source clip: {picture.parent.name}: {picture.name} has other content"),
    ):
        with changed(path):
            done = called(reproduced, "lineage", "--all")
        assert done.returncode == 1
        broken = done.stdout.split("Broken, each once:")[1].strip().splitlines()
        assert len(broken) == 2, broken
        assert words in broken[0] and str(path.parent) in broken[0], broken
        assert broken[1] == "broken links: 1"


def test_the_way_back_from_a_video_to_the_versions_made_of_it(chains: list[dict[str, Any]], reproduced: Run) -> None:
    video = sorted((reproduced[0] / ".nrdfer/corpus").glob("*/AFEW/*/*/*.avi"))[0]
    done = called(reproduced, "lineage", str(video), "--quick")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[:-1]] == [
        "models:/nr-dfernet-afew/1", "models:/nr-dfernet-afew-video/1",
    ]  # fmt: skip
    assert done.stdout.splitlines()[-1] == "versions: 2"


def test_unknown_things_are_named(reproduced: Run) -> None:
    for argument, words in (
        ("models:/nr-dfernet-dfew@nobody", "no model models:/nr-dfernet-dfew@nobody in this project's registry"),
        ("nowhere.avi", "nowhere.avi belongs to no registered version"),
    ):
        done = called(reproduced, "lineage", argument, "--quick")
        assert done.returncode == 1
        assert words in done.stderr
