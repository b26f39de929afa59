from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from nrdfer.config.profile import ShardsConfig
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import CorpusError
from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.dfew import DFEW
from nrdfer.preprocessing import quality
from nrdfer.preprocessing import shards as shard
from nrdfer.preprocessing.clip_files import EXCLUDED_CSV
from nrdfer.preprocessing.folds import read_folds, write_folds
from nrdfer.preprocessing.picture_listing import CLIPS, LISTING, ListedClip, PictureListing
from nrdfer.shards.index import INDEX
from nrdfer.shards.reader import ShardReader
from nrdfer.shards.verify import verify

CONFIG = ShardsConfig(clips_per_shard=3, image_size=32)


def make_listing(root: Path, clips: int) -> PictureListing:
    """Clips of two pictures."""
    lines = []
    for number in range(clips):
        clip_id = f"{number:05d}"
        folder = root / "pictures" / clip_id
        folder.mkdir(parents=True)
        for frame in range(2):
            cv2.imwrite(str(folder / f"{frame}.png"), np.full((64, 64, 3), 40 * number % 256, np.uint8))
        frames = tuple((f"{frame}.png", "0" * 64) for frame in range(2))
        lines.append(ListedClip(clip_id, EMOTIONS[number % 7], "0" * 64, str(folder), frames).to_line() + "\n")
    ids = [f"{number:05d}" for number in range(clips)]
    folds = {"1": {"train": ids[:3], "test": ids[3:]}, "2": {"train": ids[3:], "test": ids[:3]}}
    (root / "listing").mkdir()
    (root / "listing" / CLIPS).write_text("".join(lines))
    (root / "listing" / LISTING).write_text(json.dumps({"folds": folds, "set_aside": [["99999", "no frames"]]}))
    return PictureListing(root / "listing")


def folders(root: Path, name: str) -> tuple[Path, Path]:
    work, out = root / f"{name}-work", root / name
    work.mkdir()
    out.mkdir()
    return work, out


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def listing(tmp_path: Path) -> PictureListing:
    """Six clips of two pictures; the last clip has one that is cut short."""
    made = make_listing(tmp_path, 6)
    broken = tmp_path / "pictures" / "00005" / "1.png"
    broken.write_bytes(broken.read_bytes()[:50])
    return made


def test_pictures_are_resized_once_and_bad_clips_set_aside(listing: PictureListing, tmp_path: Path) -> None:
    work, out = folders(tmp_path, "shards")
    seen: list[tuple[int, int]] = []
    counts = shard.shard_pictures(DFEW, listing, work, out, CONFIG, workers=1, progress=lambda *done: seen.append(done))
    assert (counts["clips"], counts["frames"], counts["set_aside"]) == (5, 10, 2)
    assert counts["emotions"] == {emotion: int(emotion in EMOTIONS[:5]) for emotion in EMOTIONS}
    assert seen == [(0, 6), (3, 6), (6, 6)]
    reader = ShardReader(out)
    assert reader.frames("00003").shape == (2, 32, 32, 3)
    assert abs(int(reader.frames("00003")[0, 0, 0, 0]) - 120) <= 2
    assert [s.clips for s in reader.index.shards] == [3, 2]
    with (out / EXCLUDED_CSV).open() as handle:
        reasons = {row["clip_id"]: row["reason"] for row in csv.DictReader(handle)}
    assert reasons["99999"] == "no frames"
    assert reasons["00005"].startswith("unreadable picture ")
    assert verify(out) == []


@pytest.mark.parametrize("keep", [1 / 3, 0.9, 0])
def test_a_jpeg_cut_short_sets_its_clip_aside_and_is_not_taken_half_grey(tmp_path: Path, keep: float) -> None:
    listing = make_listing(tmp_path, 6)
    picture = tmp_path / "pictures" / "00002" / "0.png"  # named otherwise than it is, as copies are
    noise = np.random.default_rng(0).integers(0, 255, (224, 224, 3), np.uint8)
    jpeg = bytes(cv2.imencode(".jpg", noise)[1])
    picture.write_bytes(jpeg[: int(keep * len(jpeg))])
    work, out = folders(tmp_path, "shards")
    counts = shard.shard_pictures(DFEW, listing, work, out, CONFIG, workers=1)
    assert (counts["clips"], counts["set_aside"]) == (5, 2)
    with (out / EXCLUDED_CSV).open() as handle:
        reasons = {row["clip_id"]: row["reason"] for row in csv.DictReader(handle)}
    assert f"unreadable picture {picture}: it is {'cut short' if keep else 'empty'}" in reasons["00002"]


def test_pictures_whose_names_are_not_utf8_are_read_and_told(tmp_path: Path) -> None:
    listing = make_listing(tmp_path, 6)
    lines = [json.loads(line) for line in (listing.folder / CLIPS).read_text().splitlines()]
    for number in (1, 2):
        name = f"bild\udcdf{number}\n.png"
        folder = Path(lines[number]["folder"])
        (folder / "0.png").rename(folder / name)
        lines[number]["frames"][0] = name
    (folder / name).write_bytes(b"no picture")
    (listing.folder / CLIPS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    work, out = folders(tmp_path, "shards")
    counts = shard.shard_pictures(DFEW, PictureListing(listing.folder), work, out, CONFIG, workers=1)
    assert (counts["clips"], counts["set_aside"]) == (5, 2)
    assert "bild\\xdf2\\x0a.png: it is neither" in (out / EXCLUDED_CSV).read_text(encoding="utf-8")


def test_the_bytes_do_not_depend_on_the_number_of_workers(listing: PictureListing, tmp_path: Path) -> None:
    made: list[Mapping[str, bytes]] = []
    for workers in (1, 3):
        work, out = folders(tmp_path, str(workers))
        shard.shard_pictures(DFEW, listing, work, out, CONFIG, workers=workers)
        made.append(contents(out))
    assert made[0] == made[1]
    assert sorted(made[0]) == ["dfew-000000.tar", "dfew-000001.tar", INDEX, EXCLUDED_CSV]


def test_a_killed_build_goes_on_where_it_was_and_ends_in_the_same_bytes(tmp_path: Path) -> None:
    listing = make_listing(tmp_path, 60)
    work, whole = folders(tmp_path, "whole")
    shard.shard_pictures(DFEW, listing, work, whole, CONFIG, workers=1)
    work, out = folders(tmp_path, "killed")
    code = f"""
        import os, signal
        from pathlib import Path
        from nrdfer.config.profile import ShardsConfig
        from nrdfer.corpora.dfew import DFEW
        from nrdfer.preprocessing import quality, shards as shard
        from nrdfer.preprocessing.picture_listing import PictureListing

        def kill_the_group(done, total):
            if done >= 9:
                os.killpg(0, signal.SIGKILL)

        shard.shard_pictures(
            DFEW, PictureListing(Path({str(listing.folder)!r})), Path({str(work)!r}), Path({str(out)!r}),
            ShardsConfig(clips_per_shard=3, image_size=32), workers=2, progress=kill_the_group)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], start_new_session=True)
    assert killed.returncode == -signal.SIGKILL
    assert list(out.iterdir()) == []
    finished = {path.name.removesuffix(".done") for path in work.glob("[!.]*.done")}
    assert 3 <= len(finished) < 20
    before = {name: (work / name).stat().st_ino for name in finished}
    (work / ".dfew-000019.tar.4711.tmp").write_bytes(b"half a shard")
    seen: list[tuple[int, int]] = []
    shard.shard_pictures(DFEW, listing, work, out, CONFIG, workers=2, progress=lambda *done: seen.append(done))
    assert seen[0] == (3 * len(finished), 60)
    assert {name: (out / name).stat().st_ino for name in finished} == before  # not written again
    assert contents(out) == contents(whole)


def test_a_disk_without_room_is_told_by_the_store_though_a_worker_met_it(tmp_path: Path) -> None:
    listing = make_listing(tmp_path, 60)
    code = f"""
        import resource
        from pathlib import Path
        from nrdfer.config.profile import ShardsConfig
        from nrdfer.core.errors import StoreError
        from nrdfer.corpora.dfew import DFEW
        from nrdfer.preprocessing import quality, shards as shard
        from nrdfer.preprocessing.picture_listing import PictureListing
        from nrdfer.store import Store

        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))  # workers inherit it
        listing, config = PictureListing(Path({str(listing.folder)!r})), ShardsConfig(clips_per_shard=60, image_size=32)
        try:
            Store(Path({str(tmp_path / "store")!r})).build_resumable(
                "dfew/shards", code_version="1", config={{}}, inputs={{}},
                build=lambda work, out: shard.shard_pictures(DFEW, listing, work, out, config, workers=2),
            )
        except StoreError as error:
            print(error)
    """
    told = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert told.stdout.startswith(f"no room to write dfew/shards below {tmp_path / 'store' / 'dfew' / 'shards'}")
    assert [path.name for path in (tmp_path / "store").rglob("*.tar*")] == []


def test_a_picture_that_went_away_stops_the_step(listing: PictureListing, tmp_path: Path) -> None:
    picture = tmp_path / "pictures" / "00001" / "0.png"
    picture.unlink()
    work, out = folders(tmp_path, "shards")
    with pytest.raises(CorpusError, match=r"00001/0\.png was there when it was listed and is gone"):
        shard.shard_pictures(DFEW, listing, work, out, CONFIG, workers=1)
    assert list(out.iterdir()) == []
    cv2.imwrite(str(picture), np.full((64, 64, 3), 40, np.uint8))
    assert shard.shard_pictures(DFEW, listing, work, out, CONFIG, workers=1)["clips"] == 5


def test_a_corpus_without_one_readable_clip_is_an_error(listing: PictureListing, tmp_path: Path) -> None:
    for path in (tmp_path / "pictures").rglob("*.png"):
        os.truncate(path, 50)
    work, out = folders(tmp_path, "shards")
    with pytest.raises(CorpusError, match=r"no clip of DFEW could be used, e\.g\. 00000: unreadable picture"):
        shard.shard_pictures(DFEW, listing, work, out, CONFIG, workers=1)


def test_folds_hold_only_clips_that_are_in_the_shards(listing: PictureListing, tmp_path: Path) -> None:
    work, out = folders(tmp_path, "shards")
    shard.shard_pictures(DFEW, listing, work, out, CONFIG, workers=1)
    write_folds(DFEW, listing.folds, out, tmp_path)
    folds = read_folds(tmp_path)
    assert folds["1"]["test"] == ["00003", "00004"]
    leaking = {"2": {"train": ["00000", "00001"], "test": ["00001"]}}
    with pytest.raises(CorpusError, match=r"fold 2: 1 clips are in both train and test, e\.g\. 00001"):
        write_folds(DFEW, leaking, out, tmp_path)
    with pytest.raises(CorpusError, match="fold 1 has 1 training and 0 test clips"):
        write_folds(DFEW, {"1": {"train": ["00001"], "test": ["00005"]}}, out, tmp_path)


def test_folds_come_with_a_quality_page_of_every_clip(listing: PictureListing, tmp_path: Path) -> None:
    work, out = folders(tmp_path, "shards")
    shard.shard_pictures(DFEW, listing, work, out, CONFIG, workers=1)
    seen: list[tuple[int, int]] = []
    folder = tmp_path / "folds"
    folder.mkdir()
    counts = write_folds(DFEW, listing.folds, out, folder, progress=lambda *done: seen.append(done))
    assert seen == [(i, 5) for i in range(1, 6)]
    assert counts["folds"]["1"] == {"train": 3, "test": 2}
    assert (counts["clips"], counts["set_aside"], counts["frames"]) == (5, 2, 10)
    assert not [name for name in counts if "face" in name or "score" in name]  # nothing was detected
    numbers = json.loads((folder / quality.NUMBERS).read_text())
    rows = {row["clip_id"]: row for row in numbers["clips"]}
    # grey pictures of level 40 * number; JPEG moves that a little
    assert [abs(rows[f"{n:05d}"]["luma"] - 40 * n) < 3 for n in range(5)] == [True] * 5
    assert [rows[f"{n:05d}"]["split"] for n in range(5)] == ["fd2"] * 3 + ["fd1"] * 2  # the fold that tests it
    assert set(numbers["set_aside"]) == {"99999", "00005"}
    page = (folder / quality.PAGE).read_text()
    assert all(f"<td>{clip_id}</td>" in page for clip_id in [*rows, "99999", "00005"])


def test_the_middle_picture_is_the_one_that_is_looked_at(tmp_path: Path) -> None:
    listing = make_listing(tmp_path, 6)
    for number in range(6):
        for frame, level in enumerate((0, 200)):
            cv2.imwrite(str(tmp_path / "pictures" / f"{number:05d}" / f"{frame}.png"), np.full((64, 64, 3), level))
    work, out = folders(tmp_path, "shards")
    shard.shard_pictures(DFEW, listing, work, out, CONFIG, workers=1)
    assert abs(write_folds(DFEW, listing.folds, out, tmp_path)["luma"] - 200) < 3


def test_a_corpus_without_one_usable_clip_is_an_error(tmp_path: Path) -> None:
    (tmp_path / EXCLUDED_CSV).write_text("clip_id,reason\n")
    with pytest.raises(CorpusError, match=r"every one was excluded.*set_aside\.csv"):
        shard.shard_aligned(AFEW, tmp_path, tmp_path / "work", tmp_path / "out", CONFIG)
