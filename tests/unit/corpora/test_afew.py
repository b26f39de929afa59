"""AFEW's importer: names, classes and splits from folders, and readable refusals."""

from __future__ import annotations

import logging
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrdfer.core.emotions import AFEW_FOLDERS, EMOTIONS
from nrdfer.core.errors import CorpusError
from nrdfer.core.records import ClipRecord
from nrdfer.corpora.afew import find_videos
from nrdfer.corpora.base import LONGEST_ID

SPLITS = ("Train_AFEW", "Val_AFEW")


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"video")
    return path


@pytest.fixture
def afew(tmp_path: Path) -> Path:
    root = tmp_path / "AFEW"
    for split in SPLITS:
        for i, name in enumerate(AFEW_FOLDERS):
            put(root / split / name / f"00000{i}360.avi")
            put(root / split / name / "013736360.avi")  # the same name in every class
    return root


def test_finds_every_video_with_its_emotion_and_split(afew: Path) -> None:
    videos = find_videos(afew)
    assert Counter(video.split for video in videos) == {"train": 14, "val": 14}
    assert Counter(video.emotion for video in videos) == dict.fromkeys(EMOTIONS, 4)
    assert [video.clip_id for video in videos] == sorted(video.clip_id for video in videos)
    fear = next(video for video in videos if video.clip_id == "val_Fear_013736360")
    assert (fear.emotion, fear.split) == ("fear", "val")
    assert fear.path == afew / "Val_AFEW" / "Fear" / "013736360.avi"


def test_the_folder_above_is_accepted(afew: Path) -> None:
    assert find_videos(afew.parent) == find_videos(afew)


def test_other_containers_and_other_case_are_accepted_and_bookkeeping_is_not(afew: Path) -> None:
    (afew / "Val_AFEW" / "Sad").rename(afew / "Val_AFEW" / "SAD")
    for name in ["a.mp4", "b.MKV", "c.mov", "._d.avi", "Thumbs.db", "notes.txt"]:
        put(afew / "Val_AFEW" / "SAD" / name)
    found = {video.clip_id for video in find_videos(afew) if video.split == "val" and video.emotion == "sadness"}
    assert found == {f"val_Sad_{stem}" for stem in ("000001360", "013736360", "a", "b", "c")}


def test_aligned_faces_of_the_organisers_are_ignored_and_said_so(afew: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = find_videos(afew)
    put(afew / "Train_AFEW" / "AlignedFaces_LBPTOP_Points" / "Faces" / "Fear" / "013736360" / "0.avi")
    put(afew / "Val_AFEW" / "AlignedFaces_LBPTOP_Points_Val" / "000.avi")
    with caplog.at_level(logging.INFO):
        assert find_videos(afew) == before
    assert caplog.text.count("aligned faces are not used") == 2
    assert all(record.levelno == logging.INFO for record in caplog.records)


def test_missing_classes_and_strange_folders_are_named(afew: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(afew / "Train_AFEW" / "Disgust")
    put(afew / "Train_AFEW" / "Contempt" / "1.avi")
    assert len(find_videos(afew)) == 26
    assert "has no video of Disgust" in caplog.text
    assert "Contempt is not one of AFEW's classes" in caplog.text


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_clip_ids_are_always_valid(tmp_path_factory: pytest.TempPathFactory, stem: str) -> None:
    root = tmp_path_factory.mktemp("afew")
    path = root / "Train_AFEW" / "Happy" / f"x{stem}.avi"
    put(path)
    put(root / "Val_AFEW" / "Happy" / "1.avi")
    train = next(video for video in find_videos(root) if video.split == "train")
    assert train.path == path
    ClipRecord("afew", train.clip_id, train.emotion, train.split, 1, "")


def test_videos_that_would_bear_one_id_are_told_apart_and_named(afew: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = find_videos(afew)
    for name in ("013736360.mp4", "a.b.avi", "a b.avi", "A-b.avi"):
        put(afew / "Train_AFEW" / "Fear" / name)
    videos = find_videos(afew)
    assert [video for video in videos if video in before] == before  # the others' ids stay
    new = {video.path.name: video for video in videos if video not in before}
    assert {name: video.clip_id for name, video in new.items()} == {
        "013736360.mp4": "train_Fear_013736360-2",
        "A-b.avi": "train_Fear_A-b",
        "a b.avi": "train_Fear_a-b-2",
        "a.b.avi": "train_Fear_a-b-3",
    }
    assert {name for name, video in new.items() if video.note} == {"013736360.mp4", "a b.avi", "a.b.avi"}
    assert caplog.text.count("if it is a copy, remove it") == 3
    assert "013736360.avi already is train_Fear_013736360" in caplog.text


def test_a_class_folder_in_two_spellings_loses_no_video(afew: Path) -> None:
    put(afew / "Val_AFEW" / "SAD" / "013736360.avi")
    if len(list((afew / "Val_AFEW").iterdir())) == len(AFEW_FOLDERS):
        pytest.skip("this file system does not tell capitals from small letters")
    ids = [video.clip_id for video in find_videos(afew) if video.split == "val" and video.emotion == "sadness"]
    assert ids == ["val_Sad_000001360", "val_Sad_013736360", "val_Sad_013736360-2"]


def test_what_bears_a_videos_name_but_is_no_file_is_left_out_and_named(
    afew: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = find_videos(afew)
    put(afew / "Train_AFEW" / "Fear" / "frames.avi" / "1.png")
    (afew / "Train_AFEW" / "Fear" / "link.avi").symlink_to(afew / "nowhere.avi")
    assert find_videos(afew) == before
    assert "frames.avi is a folder" in caplog.text
    assert "link.avi is a folder, a pipe, or a broken link" in caplog.text


@pytest.mark.parametrize("missing", SPLITS)
def test_a_missing_split_is_refused(afew: Path, missing: str) -> None:
    shutil.rmtree(afew / missing)
    with pytest.raises(CorpusError, match=rf"not {missing}.*incomplete"):
        find_videos(afew)


@pytest.mark.parametrize("split", SPLITS)
def test_empty_class_folders_are_refused(afew: Path, split: str) -> None:
    for path in (afew / split).rglob("*.avi"):
        path.unlink()
    with pytest.raises(CorpusError, match=rf"{split} holds no video: expected {split}/<Emotion>/\*\.avi"):
        find_videos(afew)


def test_wrong_folders_are_refused_with_what_was_found(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="does not exist"):
        find_videos(tmp_path / "nowhere")
    with pytest.raises(CorpusError, match="found: nothing"):
        find_videos(tmp_path)
    (tmp_path / "Train").mkdir()
    with pytest.raises(CorpusError, match="found: Train"):
        find_videos(tmp_path)


def test_a_corpus_of_the_real_size_and_names(shared_dir: Path, tmp_path: Path) -> None:
    """The real lists of AFEW's clips, laid out as the organisers distribute them."""
    folders = {"Happiness": "Happy", "Sadness": "Sad", "Anger": "Angry"}
    expected: Counter[tuple[str, str]] = Counter()
    for split, name in (("train", "AFEW_train.txt"), ("val", "AFEW_validation.txt")):
        for line in (shared_dir / "annotations" / "afew_txt" / name).read_text().splitlines():
            path, _, label = line.split(" ")
            folder = Path(path).parent.name
            stem = Path(path).name.split("_", 2)[2]
            put(tmp_path / SPLITS[split == "val"] / folders.get(folder, folder) / f"{stem}.avi")
            expected[split, EMOTIONS[int(label)]] += 1
    videos = find_videos(tmp_path)
    assert Counter((video.split, video.emotion) for video in videos) == expected
    assert Counter(video.split for video in videos) == {"train": 773, "val": 381}
    assert len({video.clip_id for video in videos}) == 773 + 381


@pytest.mark.parametrize("length", [70, 100, 121, 245])
def test_a_name_too_long_for_a_shard_is_shortened_before_any_work(
    afew: Path, length: int, caplog: pytest.LogCaptureFixture
) -> None:
    before = find_videos(afew)
    names = [f"{'L' * (length - 1)}{i}.avi" for i in range(3)]
    for name in names:
        put(afew / "Train_AFEW" / "Surprise" / name)
    new = [video for video in find_videos(afew) if video not in before]
    assert sorted(video.path.name for video in new) == names
    assert len({video.clip_id for video in new}) == 3
    for video in new:
        assert len(f"{video.clip_id}.9999999.jpg") <= 100
        ClipRecord("afew", video.clip_id, video.emotion, video.split, 1, "")
        assert ("too long for a shard" in video.note) == (length > 73)
    assert ("too long for a shard" in caplog.text) == (length > 73)


def test_long_names_that_collide_stay_apart(afew: Path) -> None:
    for suffix in ("avi", "mp4", "mkv"):
        put(afew / "Train_AFEW" / "Happy" / f"{'x' * 150}.{suffix}")
    ids = [video.clip_id for video in find_videos(afew) if "xxx" in video.clip_id]
    assert len({clip_id.casefold() for clip_id in ids}) == 3
    assert all(len(clip_id) <= LONGEST_ID for clip_id in ids)


ODD_NAMES = [
    b"Stra\xdfe.avi",
    b"\xc4\xe3\xba\xc3.avi",
    b"two\nlines.avi",
    b"\x1b[31mred.avi",
    "\u202egnp.avi".encode(),
    "e\u0301.avi".encode(),
    "\xe9.avi".encode(),
    b"CON.avi",
    b"a.b.c.avi",
    b"...avi",
    b" .avi",
    b"-rf.avi",
    b"%00.avi",
    b"CASE.avi",
    b"case.avi",
]


def test_videos_of_any_name_have_one_id_each_and_are_told_in_plain_text(
    afew: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = afew / "Val_AFEW" / "Fear"
    for name in ODD_NAMES:
        put(folder / os.fsdecode(name))
    videos = [video for video in find_videos(afew) if os.fsencode(video.path.name) in ODD_NAMES]
    # what begins with a dot is bookkeeping
    assert {os.fsencode(video.path.name) for video in videos} == {name for name in ODD_NAMES if name[:1] != b"."}
    assert len({video.clip_id.casefold() for video in videos}) == len(videos)
    for video in videos:
        ClipRecord("afew", video.clip_id, video.emotion, video.split, 1, "")
    told = "".join(record.getMessage() for record in caplog.records)
    told.encode()
    assert not set("\n\x1b\u202e") & set(told)


def test_files_that_are_no_videos_by_their_names_are_told_and_not_passed_over(
    afew: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a.gif", "b.webp", "c.docx", "Thumbs.db", "desktop.ini", "._x.avi"):
        put(afew / "Train_AFEW" / "Happy" / name)
    (afew / "Train_AFEW" / "Sad" / "more").mkdir()
    find_videos(afew)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert "are not videos by their names: left out" in told[0]
    assert "c.docx" in told[0] and "more" in told[0]
    assert "Thumbs.db" not in told[0] and "._x" not in told[0]


def test_a_split_of_other_files_only_names_them(afew: Path) -> None:
    for path in (afew / "Val_AFEW").rglob("*.avi"):
        path.rename(path.with_suffix(".docx"))
    with pytest.raises(CorpusError, match=r"Val_AFEW holds no video.*There are 14 files \(000003360\.docx, .*by their"):
        find_videos(afew)


def test_a_class_folder_and_a_split_that_are_links_are_entered(afew: Path, tmp_path: Path) -> None:
    before = {(video.clip_id, video.emotion) for video in find_videos(afew)}
    shutil.move(afew / "Val_AFEW" / "Sad", tmp_path / "sad")
    (afew / "Val_AFEW" / "Sad").symlink_to(tmp_path / "sad")
    shutil.move(afew / "Train_AFEW", tmp_path / "train")
    (afew / "Train_AFEW").symlink_to(tmp_path / "train")
    assert {(video.clip_id, video.emotion) for video in find_videos(afew)} == before
