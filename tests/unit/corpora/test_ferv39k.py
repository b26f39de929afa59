"""FERV39k as it is distributed and as other repositories list it, and readable refusals."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from nrdfer.core.emotions import AFEW_FOLDERS, EMOTIONS
from nrdfer.core.errors import CorpusError
from nrdfer.corpora.ferv39k import FERV39K, read_ferv39k

SCENES = ("Action", "War")
OFFICIAL = "4_setups/All_scenes"


def places(part: str) -> list[str]:
    """Two scenes, every emotion, and the same id again in each: 28 clips of training and 14 of test."""
    ids = ("0001", "0002") if part == "train" else ("0003",)
    return [f"{scene}/{name}/{clip}" for scene in SCENES for name in AFEW_FOLDERS for clip in ids]


def write_official(root: Path) -> None:
    (root / OFFICIAL).mkdir(parents=True)
    for part in ("train", "test"):
        lines = [f"{place} {place.split('/')[1]}" for place in places(part)]
        (root / OFFICIAL / f"{part}_All.csv").write_text("\n".join(lines) + "\n")


def write_lists(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for part in ("train", "test"):
        labels = [EMOTIONS.index(AFEW_FOLDERS[place.split("/")[1]]) for place in places(part)]
        lines = [
            f"/my data/2_ClipsforFaceCrop/{place} 25 {label}" for place, label in zip(places(part), labels, strict=True)
        ]
        (root / f"FERV39K_{part}.txt").write_text("\n".join(lines))  # the last line has no end


def write_pictures(root: Path) -> None:
    for place in places("train") + places("test"):
        folder = root / "2_ClipsforFaceCrop" / place
        folder.mkdir(parents=True)
        for name in ("10.jpg", "2.jpg", "._2.jpg"):
            (folder / name).write_bytes(b"picture")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_official(tmp_path / "FERV39k")
    write_pictures(tmp_path / "FERV39k")
    return tmp_path / "FERV39k"


def test_every_clip_has_its_scene_and_an_id_of_its_own(root: Path) -> None:
    contents = read_ferv39k(root)
    assert len(contents.clips) == len({clip.clip_id for clip in contents.clips}) == 42
    assert Counter(clip.emotion for clip in contents.clips) == dict.fromkeys(EMOTIONS, 6)
    clip = next(clip for clip in contents.clips if clip.clip_id == "War_Fear_0003")
    assert (clip.scene, clip.emotion, clip.names) == ("War", "fear", ("2.jpg", "10.jpg"))
    assert clip.frames[0].is_file()
    fold = contents.folds[1]
    assert (len(fold.train), len(fold.test), contents.excluded) == (28, 14, [])
    assert set(fold.train).isdisjoint(fold.test)


@pytest.mark.parametrize("case", ["lists", "folder above", "unpacked twice"])
def test_other_layouts_mean_the_same(root: Path, case: str) -> None:
    expected = read_ferv39k(root)
    given = root
    if case == "lists":
        shutil.rmtree(root / "4_setups")
        write_lists(root / "annotation")
    elif case == "folder above":
        given = root.parent
    else:
        (root / "2_ClipsforFaceCrop").rename(root / "inner")
        (root / "2_ClipsforFaceCrop").mkdir()
        (root / "inner").rename(root / "2_ClipsforFaceCrop" / "2_ClipsforFaceCrop")
    found = read_ferv39k(given)
    assert found.folds == expected.folds
    assert [(clip.clip_id, clip.emotion, clip.scene) for clip in found.clips] == [
        (clip.clip_id, clip.emotion, clip.scene) for clip in expected.clips
    ]


def test_a_few_listed_clips_may_be_missing_and_are_told(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(root / "2_ClipsforFaceCrop" / "War" / "Sad" / "0001")
    for picture in (root / "2_ClipsforFaceCrop" / "Action" / "Sad" / "0002").iterdir():
        picture.unlink()
    contents = read_ferv39k(root)
    assert len(contents.clips) == 40
    assert [(clip_id, reason.split()[-1]) for clip_id, reason in contents.excluded] == [
        ("Action_Sad_0002", "picture"),
        ("War_Sad_0001", "exist"),
    ]
    assert "2 of 42 labelled clips of FERV39k cannot be used" in caplog.text
    shutil.rmtree(root / "2_ClipsforFaceCrop" / "War")
    with pytest.raises(CorpusError, match="only 20 of the 42 labelled clips of FERV39k can be used"):
        read_ferv39k(root)


def test_an_emotion_without_a_clip_is_told(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    for path in (root / OFFICIAL).iterdir():
        path.write_text("".join(line for line in path.read_text().splitlines(True) if "Disgust" not in line))
    assert len(read_ferv39k(root).clips) == 36
    assert "has no clip of disgust" in caplog.text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Action/Happy/0001 Angry", r"train_All\.csv, line 29: Action/Happy/0001 is in the class folder Happy"),
        ("Action/Calm/0001 Calm", "line 29: 'Calm' is not one of its emotions"),
        ("Action/Calm/0001 Sad", "line 29: 'Calm' is not one of FERV39k's classes"),
        ("Action/Happy/0001", "line 29: expected '<clip> <emotion>'"),
        ("Action/Happy/.. Happy", "is not the place of a clip"),
        ("Action/Happy/0003 Happy", "1 clips are in both train and test, e.g. Action_Happy_0003"),
        ("Action/Happy/00.1 Happy\nAction/Happy/00-1 Happy", "would both be clip Action_Happy_00-1"),
    ],
)
def test_lines_that_cannot_be_used_are_refused(root: Path, line: str, message: str) -> None:
    path = root / OFFICIAL / "train_All.csv"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(CorpusError, match=message):
        read_ferv39k(root)


def test_a_line_that_is_there_twice_counts_once(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = root / OFFICIAL / "train_All.csv"
    path.write_text(path.read_text() + "War/Sad/0001 Sad\n")
    assert len(read_ferv39k(root).clips) == 42
    assert "lists 1 clips twice" in caplog.text


def test_lists_numbered_in_another_order_are_refused(root: Path) -> None:
    shutil.rmtree(root / "4_setups")
    write_lists(root)
    path = root / "FERV39K_train.txt"
    path.write_text(path.read_text().replace(" 25 3", " 25 0"))
    with pytest.raises(CorpusError, match="4 of 28 labels contradict their class folders"):
        read_ferv39k(root)
    path.write_text("/d/Action/Happy/0001 25 7\n")
    with pytest.raises(CorpusError, match="label 7; such lists count from 0 to 6"):
        read_ferv39k(root)


@pytest.mark.parametrize("content", [b"", bytes(range(256)), b"\n\n"])
def test_files_that_are_no_labels_are_refused(root: Path, content: bytes) -> None:
    (root / OFFICIAL / "test_All.csv").write_bytes(content)
    with pytest.raises(CorpusError, match=r"test_All\.csv (is not a text file|holds no clip)"):
        read_ferv39k(root)


def test_a_missing_file_and_a_wrong_folder_are_named(root: Path) -> None:
    (root / OFFICIAL / "test_All.csv").unlink()
    with pytest.raises(CorpusError, match=r"lacks label files for test\. Looked for 4_setups/All_scenes/train_All"):
        read_ferv39k(root)
    with pytest.raises(CorpusError, match=r"is not FERV39k: it holds none of .*found: All_scenes"):
        read_ferv39k(root / "4_setups")
    with pytest.raises(CorpusError, match="does not exist; give the folder that holds"):
        read_ferv39k(root / "nothing")
    shutil.rmtree(root / "2_ClipsforFaceCrop")
    write_lists(root)
    shutil.rmtree(root / "4_setups" / "All_scenes")
    with pytest.raises(CorpusError, match="has no face pictures: expected 2_ClipsforFaceCrop/<Scene>"):
        read_ferv39k(root)


def test_labels_alone_count_clips_in_both_parts(root: Path) -> None:
    write_lists(root / "annotation")
    official, lists = FERV39K.label_counts(root)
    assert (official.format, lists.format, official.clips, lists.clips) == ("csv", "txt", 42, 42)
    assert official.splits == lists.splits
    assert official.splits["1"]["shared"] == 0
    path = root / OFFICIAL / "train_All.csv"
    path.write_text(path.read_text() + "Action/Happy/0003 Happy\n")
    assert FERV39K.label_counts(root)[0].splits["1"]["shared"] == 1
