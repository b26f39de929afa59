"""MAFW from videos and from faces, official files and lists of other repositories, and readable refusals."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from nrdfer.core.errors import CorpusError
from nrdfer.corpora.base import Corpus
from nrdfer.corpora.mafw import MAFW, MAFW_EMOTIONS, MAFW_FACES

CLIPS = 55  # clip i (from 1) has emotion (i - 1) % 11 and is tested in fold (i - 1) // 11 + 1
SETUP = "Train & Test Set/single/no_caption"


def rows(fold: int, part: str) -> list[tuple[str, int]]:
    return [(f"{i:05d}", (i - 1) % 11) for i in range(1, CLIPS + 1) if ((i - 1) // 11 + 1 == fold) == (part == "test")]


def official(root: Path, fold: int, part: str, setup: str = SETUP) -> Path:
    return root / setup / f"set_{fold}" / f"{part}.txt"


def write_official(root: Path, setup: str = SETUP) -> None:
    for fold in range(1, 6):
        for part in ("train", "test"):
            path = official(root, fold, part, setup)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(f"{clip}.mp4 {MAFW_EMOTIONS[label]}" for clip, label in rows(fold, part)))


def write_lists(root: Path) -> None:
    root.mkdir(exist_ok=True)
    for fold in range(1, 6):
        for part in ("train", "test"):
            lines = [f"/data/MAFW/data/faces/{clip} 47 {label}" for clip, label in rows(fold, part)]
            (root / f"MAFW_set_{fold}_{part}.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "MAFW"
    write_official(root)
    (root / "data" / "clips").mkdir(parents=True)
    for i in range(1, CLIPS + 2):  # the last has several emotions, so no label
        (root / "data" / "clips" / f"{i:05d}.mp4").write_bytes(b"video")
        (root / "data" / "faces" / f"{i:05d}").mkdir(parents=True)
        (root / "data" / "faces" / f"{i:05d}" / "1.png").write_bytes(b"picture")
    return root


@pytest.mark.parametrize("corpus", [MAFW, MAFW_FACES])
def test_both_kinds_have_the_same_clips_and_folds(root: Path, corpus: Corpus) -> None:
    contents = corpus.read(root)
    assert [clip.clip_id for clip in contents.clips] == [f"{i:05d}" for i in range(1, CLIPS + 1)]
    assert Counter(clip.emotion for clip in contents.clips) == dict.fromkeys(MAFW_EMOTIONS, 5)
    assert contents.folds[2].test == tuple(clip for clip, _ in rows(2, "test"))
    assert {len(fold.train) for fold in contents.folds.values()} == {44}


@pytest.mark.parametrize("case", ["lists", "split", "folder above"])
def test_other_layouts_mean_the_same(root: Path, case: str) -> None:
    expected = MAFW.read(root)
    if case != "folder above":
        shutil.rmtree(root / "Train & Test Set")
        write_lists(root / "annotation") if case == "lists" else write_official(root, "split/single/no_caption")
    found = MAFW.read(root.parent if case == "folder above" else root)
    assert (found.folds, found.clips) == (expected.folds, expected.clips)


def test_files_for_clips_with_captions_or_several_emotions_are_others(root: Path) -> None:
    write_official(root, "Train & Test Set/compound/no_caption")
    write_official(root, "Train & Test Set/single/with_caption")
    assert len(MAFW.read(root).clips) == CLIPS


def test_missing_videos_are_told_and_an_incomplete_copy_is_refused(root: Path) -> None:
    (root / "data" / "clips" / "00007.mp4").unlink()
    (root / "data" / "clips" / "00009.mp4").unlink()
    (root / "data" / "clips" / "00009.mp4").mkdir()
    contents = MAFW.read(root)
    assert len(contents.clips) == CLIPS - 2
    assert [reason.split(".mp4 ")[1] for _, reason in contents.excluded] == [
        "does not exist",
        "is a folder, a pipe, or a broken link",
    ]
    for i in range(10, 20):
        (root / "data" / "clips" / f"{i:05d}.mp4").unlink()
    with pytest.raises(CorpusError, match="only 43 of the 55 labelled clips of MAFW can be used"):
        MAFW.read(root)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("00056.mp4 joy", r"train\.txt, line 45: 'joy' is not one of its emotions"),
        ("00056.mp4", "line 45: expected '<clip> <emotion>'"),
        ("cat.mp4 anger", "line 45: 'cat.mp4' is not the number of a clip of MAFW"),
        ("00056.txt anger", "is not the number of a clip of MAFW"),
        ("00001.mp4 happiness", "fold 1 .* 1 clips are in both train and test, e.g. 00001"),
        ("00012.mp4 fear", "labels clip 00012 happiness and fear"),
        ("00056.mp4 fear", "fold 1 .* its training list must be the other 4 test lists together, but 1 clips differ"),
    ],
)
def test_lines_that_cannot_be_used_are_refused(root: Path, line: str, message: str) -> None:
    path = official(root, 1, "train")
    path.write_text(path.read_text() + "\n" + line)
    with pytest.raises(CorpusError, match=message):
        MAFW.read(root)


def test_files_that_contradict_each_other_are_refused(root: Path) -> None:
    path = official(root, 3, "train")
    path.write_text(path.read_text().replace("00002.mp4 sadness", "00002.mp4 calm").replace("calm", "neutral"))
    with pytest.raises(CorpusError, match=r"clip 00002 is sadness in .* and neutral in"):
        MAFW.read(root)


def test_missing_files_and_folders_are_named(root: Path) -> None:
    shutil.rmtree(root / "data" / "clips")
    with pytest.raises(CorpusError, match="holds data/faces but not data/clips; use the corpus mafw_faces for it"):
        MAFW.read(root)
    shutil.rmtree(root / "data" / "faces")
    with pytest.raises(CorpusError, match="has neither data/clips nor data/faces"):
        MAFW_FACES.read(root)
    official(root, 4, "test").unlink()
    with pytest.raises(CorpusError, match="lacks label files for fold 4 test"):
        MAFW.read(root)
    with pytest.raises(CorpusError, match="is not MAFW: it holds none of data/clips"):
        MAFW.read(root / "Train & Test Set")


def test_two_videos_of_one_clip_are_refused(root: Path) -> None:
    (root / "data" / "clips" / "7.avi").write_bytes(b"video")
    (root / "data" / "clips" / "._00007.mp4").write_bytes(b"bookkeeping")
    with pytest.raises(CorpusError, match=r"00007\.mp4 and .*7\.avi are one clip"):
        MAFW.read(root)


def test_labels_alone_are_counted_once_for_both_kinds(root: Path) -> None:
    write_lists(root / "annotation")
    found = MAFW.label_counts(root)
    assert [(labels.clips, labels.splits["5"]["shared"]) for labels in found] == [(CLIPS, 0)] * 2
    assert tuple(found[0].emotions) == MAFW_EMOTIONS
    assert found[0].splits == found[1].splits
    assert MAFW_FACES.label_counts(root) == []
