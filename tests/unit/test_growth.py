"""Work grows with what there is, not with its square: calls and requests are counted at one size and at four times it.

Every call counts, those of Python and of C; ids of clips are of a type whose comparisons are calls, so that looking for
one in a list counts as much as the list is long.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

from assets.metadata import reasons_table
from nrdfer.core.emotions import EMOTIONS
from nrdfer.corpora.base import Contents, Fold, PictureClip
from nrdfer.evaluation import result_table
from nrdfer.lineage.data import DataWalk
from nrdfer.lineage.hashes import Hashes
from nrdfer.lineage.history import Materialisation
from nrdfer.lineage.links import Chain, Link, broken_in
from nrdfer.lineage.walk import Walk
from nrdfer.predict.rows import Row, columns_of
from nrdfer.predict.tables import as_csv
from nrdfer.preprocessing import quality, validation
from nrdfer.preprocessing.picture_listing import ListedClip, Part, list_pictures
from nrdfer.registry import aliases, find_version, tags
from nrdfer.reporting.render import csv_of, html_of, markdown_of
from nrdfer.shards.index import ClipEntry, ShardEntry, ShardIndex
from nrdfer.store import Store, digest_of
from nrdfer.video.discovery import distinct, list_sources
from tests.unit.reporting.made_up import figures

SMALL, TIMES = 50, 4
MOST = 1.5 * TIMES  # sorting grows a little faster than what is sorted; quadratic work grows 16 times


class Id(str):
    """A text whose comparisons are calls of Python."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other)  # type: ignore[arg-type]

    def __lt__(self, other: str) -> bool:
        return str.__lt__(self, other)

    __hash__ = str.__hash__


def calls(work: Callable[[], object]) -> int:
    """How many functions a piece of work calls."""
    counted = [0]

    def count(_: FrameType, event: str, __: Any) -> None:
        counted[0] += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return counted[0]


def grows_with_its_size(make: Callable[[int], Callable[[], object]]) -> None:
    make(2)()  # what is loaded and remembered at the first call
    small, large = calls(make(SMALL)), calls(make(TIMES * SMALL))
    assert small > SMALL
    assert large < MOST * small, f"{small} calls for {SMALL}, {large} for {TIMES * SMALL}"


def ids(count: int) -> list[str]:
    return [Id(f"{i:06d}") for i in range(count)]


def clips(count: int) -> list[quality.ClipQuality]:
    return [quality.ClipQuality(name, "fear", Id("train"), 10, 5, 2, 0.5, 100.0) for name in ids(count)]


def test_naming_videos_of_one_stem() -> None:
    grows_with_its_size(lambda n: lambda: distinct([(Path(f"{i}/v.mp4"), Id("v")) for i in range(n)]))


def test_listing_a_folder_of_videos(tmp_path: Path) -> None:
    def folder(n: int) -> Path:
        for i in range(n):
            (tmp_path / str(n) / str(i // 10)).mkdir(parents=True, exist_ok=True)
            (tmp_path / str(n) / str(i // 10) / f"{i}.mp4").touch()
        return tmp_path / str(n)

    def make(n: int) -> Callable[[], object]:
        videos = folder(n)
        return lambda: list_sources([videos])

    grows_with_its_size(make)


def corpus(folder: Path, n: int) -> Contents[PictureClip]:
    """Clips of one picture each, all of which are in one fold."""
    folder.mkdir()
    found = []
    for name in ids(n):
        (folder / name).mkdir()
        (folder / name / "1.jpg").write_bytes(name.encode())
        found.append(PictureClip(name, "fear", folder / name, ("1.jpg",)))
    return Contents(folder, folder, found, {1: Fold(tuple(ids(n)), tuple(ids(n)))}, [])


def test_listing_dfew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def here(work: Callable[[Part], None], parts: list[Part], **_: object) -> list[tuple[Part, None]]:
        return [(part, work(part)) for part in parts]  # in this process, where calls are counted

    monkeypatch.setattr("nrdfer.preprocessing.picture_listing.process_pool.completed", here)

    def make(n: int) -> Callable[[], object]:
        found = corpus(tmp_path / f"corpus{n}", n)
        work, out = tmp_path / f"work{n}", tmp_path / f"out{n}"
        work.mkdir(), out.mkdir()
        return lambda: list_pictures(found, work, out)

    grows_with_its_size(make)


def test_quality_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "draw", lambda *_: None)  # numpy's and matplotlib's work
    grows_with_its_size(
        lambda n: (
            lambda: quality.write_quality("t", EMOTIONS, clips(n), [(name, "no face") for name in ids(n)], tmp_path)
        )
    )


def test_what_dagster_shows_of_clips_is_bounded() -> None:
    small, large = (calls(lambda n=n: reasons_table([(name, "no face") for name in ids(n)])) for n in (100, 1000))
    assert large - small < 2 * 900 + 50  # the ids themselves


def test_judging_what_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(n: int) -> Callable[[], object]:
        names, entry = ids(n), ClipEntry(0, (0, 1), ((0, 1),), "fear")
        reader = SimpleNamespace(index=SimpleNamespace(clips=dict.fromkeys(names, entry)), clip_ids=names)
        monkeypatch.setattr(validation, "ShardReader", lambda _: _Opened(reader))
        monkeypatch.setattr(validation, "read_reasons", lambda _: [(name, "no face") for name in ids(2 * n)[n:]])
        fold = {"train": names, "test": names}
        listing = SimpleNamespace(
            emotions=lambda: dict.fromkeys(ids(2 * n), "fear"),
            excluded=[(name, "none") for name in ids(3 * n)[2 * n :]],
            folds={"1": fold},
        )

        def work() -> None:
            validation.judge_listed_clips(listing, tmp_path, {"1": fold}, EMOTIONS)  # type: ignore[arg-type]
            validation.judge_folds(tmp_path, {"1": fold})

        return work

    grows_with_its_size(make)


class _Opened:
    def __init__(self, reader: object) -> None:
        self._reader = reader

    def __enter__(self) -> object:
        return self._reader

    def __exit__(self, *_: object) -> None:
        pass


def test_clips_of_every_shard() -> None:
    def make(n: int) -> Callable[[], object]:
        shards = tuple(ShardEntry(f"{i}.tar", "0" * 64, 1, 1) for i in range(n))
        entries = {name: ClipEntry(i, (0, 1), ((0, 1),)) for i, name in enumerate(ids(n))}
        index = ShardIndex(shards, entries)
        return lambda: [index.clips_of(i) for i in range(n)]

    grows_with_its_size(make)


def test_tables_of_results() -> None:
    def make(n: int) -> Callable[[], object]:
        rows = tuple(result_table.Row(name, {"method": name}, figures(result_table.WAR, 50.0)) for name in ids(n))
        table = result_table.ResultTable(
            "t", "T", "", "", ("method",), (result_table.WAR,), (result_table.MEAN, result_table.POOLED), rows
        )
        return lambda: [write(table, comparable=True) for write in (csv_of, markdown_of, html_of)]

    grows_with_its_size(make)


def test_the_table_of_predictions() -> None:
    def make(n: int) -> Callable[[], object]:
        rows = [Row(name, name, "ok", "", None, None, 1, 1, 1.0, 1.0, False, "", {}) for name in ids(n)]
        return lambda: as_csv([row.flat() for row in rows], columns_of(EMOTIONS))

    grows_with_its_size(make)


def checkpoints(folder: Path, versions: int, n: int) -> tuple[Store, list[str]]:
    """A store with DFEW's listing, shards, folds, and checkpoints that all learnt from them."""
    store = Store(folder)
    picture = (("1.jpg", "0" * 64),)
    listed = [ListedClip(f"{i:06d}", "fear", digest_of(["0" * 64]), "/gone", picture) for i in range(n)]
    names = [clip.clip_id for clip in listed]
    content = digest_of([[[c.clip_id, c.emotion, c.sha256] for c in listed], {}])

    def listing(out: Path) -> dict[str, Any]:
        (out / "clips.jsonl").write_text("".join(clip.to_line() + "\n" for clip in listed))
        (out / "listing.json").write_text('{"folds": {}, "set_aside": []}')
        return {"content_digest": content}

    def made(asset: str, build: Callable[[Path], dict[str, Any]], **inputs: str) -> str:
        return store.build(asset, code_version="1", config={}, inputs=inputs, build=build).digest

    def folds(out: Path) -> dict[str, Any]:
        (out / "folds.json").write_text(json.dumps({"1": {"train": names, "test": names}}))
        return {}

    made("dfew/clips", listing)
    shards = made("dfew/shards", lambda out: {}, clips=content)
    made("dfew/folds", folds, shards=shards)
    split = {"clips": digest_of([sorted(names), sorted(names)]), "initial": "from scratch", "shards": shards}
    return store, [made("dfew/fd1/checkpoint", lambda out: {}, seed=str(i), **split) for i in range(versions)]


def test_lineage_of_many_clips(tmp_path: Path) -> None:
    def make(n: int) -> Callable[[], object]:
        store, (digest,) = checkpoints(tmp_path / str(n), 1, n)
        return lambda: list(DataWalk(store, Hashes(quick=True)).checkpoint("dfew/fd1/checkpoint", digest))

    grows_with_its_size(make)


def test_lineage_of_many_versions_reads_what_they_share_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: Counter[str] = Counter()
    for place, name in (("Store", "find"), ("PictureListing", "__init__"), ("", "read_folds")):
        owner = getattr(sys.modules["nrdfer.lineage.data"], place) if place else sys.modules["nrdfer.lineage.data"]
        before = getattr(owner, name)

        def counting(*args: Any, _before: Any = before, _name: str = f"{place}.{name}", **more: Any) -> Any:
            counted[_name] += 1
            return _before(*args, **more)

        monkeypatch.setattr(owner, name, counting)
    for versions in (2, 8):
        store, digests = checkpoints(tmp_path / str(versions), versions, 10)
        counted.clear()
        walk = DataWalk(store, Hashes(quick=True))
        links = [link for digest in digests for link in walk.checkpoint("dfew/fd1/checkpoint", digest)]
        assert [link.name for link in links if link.kind == "clip list" and not link.problem] == [
            "clip list of fd1"
        ] * versions
        assert all(walk.trained_on("dfew/fd1/checkpoint", digest) for digest in digests)
        assert counted == {"Store.find": 2, "PictureListing.__init__": 1, ".read_folds": 1}


class Registry:
    """MLflow's client as far as lineage and aliases ask it: counts requests; its listings have pages of ten."""

    def __init__(self, versions: int) -> None:
        self.asked: Counter[str] = Counter()
        told = {tags.CHECKPOINT: "0" * 64, tags.FOLD: "fd1", tags.DATA: "d", tags.TEST_CLIPS: "7", tags.WAR: "0.5"}
        self.versions = [
            SimpleNamespace(name="m", version=str(i + 1), tags=told, run_id="r", source="/gone")
            for i in range(versions)
        ]

    def search_model_versions(self, filter_string: str = "", page_token: str | None = None) -> list[Any]:
        self.asked["search_model_versions"] += 1
        begin = int(page_token or 0)
        page = _Page(self.versions[begin : begin + 10] if not filter_string else self.versions[-1:])
        page.token = str(begin + 10) if not filter_string and begin + 10 < len(self.versions) else None
        return page

    def get_registered_model(self, name: str) -> Any:
        self.asked["get_registered_model"] += 1
        return SimpleNamespace(aliases={f"a{v.version}": v.version for v in self.versions})

    def get_model_version(self, name: str, version: str) -> Any:
        self.asked["get_model_version"] += 1
        return self.versions[int(version) - 1]

    def set_registered_model_alias(self, *_: str) -> None:
        self.asked["set_registered_model_alias"] += 1


class _Page(list[Any]):
    token: str | None = None


class History:
    def run(self, run_id: str) -> None:
        return None

    def materialisations(self, asset_key: str, digest: str) -> list[Materialisation]:
        return []


@pytest.mark.parametrize("versions", [10, 40])
def test_requests_for_all_versions(versions: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(versions)
    tracking = SimpleNamespace(client=registry)
    walk = Walk(tracking, Store(tmp_path), History(), Hashes(quick=True))  # type: ignore[arg-type]
    monkeypatch.setattr(walk, "_links", lambda *_: iter(()))
    chains = [walk.chain(name) for name in walk.all_versions()]
    assert [chain.aliases for chain in chains] == [(f"a{i + 1}",) for i in range(versions)]
    assert registry.asked == {
        "search_model_versions": versions // 10, "get_registered_model": 1, "get_model_version": versions,
    }  # fmt: skip


@pytest.mark.parametrize("versions", [10, 40])
def test_requests_for_one_version_and_its_aliases(
    versions: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    registry = Registry(versions)
    tracking: Any = SimpleNamespace(client=registry)
    found = find_version(tracking, "m", "0" * 64)
    assert found is not None and found.version == str(versions)
    aliases.point_alias(tracking, "m", "fd1", "3")
    assert aliases.challenge(tracking, "m", "3").moved
    assert registry.asked == {
        "search_model_versions": 1, "get_registered_model": 2, "get_model_version": 1, "set_registered_model_alias": 2,
    }  # fmt: skip


def test_what_is_broken_in_many_chains() -> None:
    def make(n: int) -> Callable[[], object]:
        links = tuple(Link("source clip", Id(f"{i}"), Id(f"/{i}"), problem="missing") for i in range(n))
        chains = [Chain("models:/m/1", (), links), Chain("models:/m/2", (), links)]
        return lambda: (broken_in(chains), [chain.to_dict() for chain in chains])

    grows_with_its_size(make)


def test_the_count_sees_quadratic_work() -> None:
    with pytest.raises(AssertionError, match=f"calls for {SMALL}"):
        grows_with_its_size(lambda n: lambda: [name in ids(n) for name in ids(n)])
    names = ids(TIMES * SMALL)
    assert calls(lambda: [name in names for name in ids(TIMES * SMALL)]) > (TIMES * SMALL) ** 2 / 4
