"""Text lists of other repositories, and labels alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.core.errors import CorpusError
from nrdfer.corpora.labels import read_labels
from nrdfer.corpora.lists import read_afew_lists, read_dfew_list
from nrdfer.corpora.published import AFEW_EMOTIONS, DFEW_CLIPS, DFEW_EMOTIONS, DFEW_TESTS, FERV39K, MAFW
from nrdfer.corpora.summary import read_label_counts


def _afew(folder: Path, train: str, validation: str, name: str = "AFEW_validation.txt") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "AFEW_train.txt").write_text(train)
    (folder / name).write_text(validation)
    return folder


def test_paths_may_hold_spaces_backslashes_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "DFEW_set_1_train.txt"
    path.write_text("\ufeff/data/my DFEW/02522 66 5\n\nD:\\faces\\16372 11 0\r\n7 30 2\n", encoding="utf-8")
    assert read_dfew_list(path) == [("02522", 66, 5), ("16372", 11, 0), ("00007", 30, 2)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("/a/00001 66 5\n/a/00002 66\n", "line 2: expected '<path> <frames> <label>'"),
        ("/a/00001 many 5\n", "line 1: expected"),
        ("/a/00001 66 7\n", "line 1: label 7; such lists count from 0 to 6"),
        ("/a/happy 66 5\n", "'happy' is not the number of a clip"),
    ],
)
def test_malformed_lists_are_named_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "DFEW_set_1_train.txt"
    path.write_text(text)
    with pytest.raises(CorpusError, match=message):
        read_dfew_list(path)


def test_a_list_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "DFEW_set_1_train.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CorpusError, match="not a text file"):
        read_dfew_list(tmp_path / "DFEW_set_1_train.txt")


@pytest.mark.parametrize("name", ["AFEW_validation.txt", "AFEW_val.txt"])
def test_afews_lists_give_the_clip_ids_of_the_videos(tmp_path: Path, name: str) -> None:
    train = "/x/train/Disgust/0_5_011756043 79 5\n/x/train/Anger/0_2_000123456 20 3\n"
    folder = _afew(tmp_path, train, "/x/validation/Happy/000111222 40 0\n", name)
    assert read_afew_lists(folder) == {
        "train": {"train_Disgust_011756043": "disgust", "train_Angry_000123456": "anger"},
        "val": {"val_Happy_000111222": "happiness"},
    }


@pytest.mark.parametrize(
    ("train", "validation", "message"),
    [
        ("/x/Calm/1 79 5\n", "/x/Sad/2 3 1\n", "'Calm' is not one of AFEW's classes"),
        ("/x/Sad/1 79 1\n/y/Sad/1 79 1\n", "/x/Sad/2 3 1\n", "lists clip train_Sad_1 twice"),
        ("/x/Sad/1 79 1\n", "", "lacks AFEW's list of val"),
    ],
)
def test_afews_lists_that_cannot_be_used(tmp_path: Path, train: str, validation: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read_afew_lists(_afew(tmp_path, train, validation))


NUMBERED = {  # by others than this project's lists
    "alphabetically": ["Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"],
    "as Emotion-FAN does": ["Happy", "Angry", "Disgust", "Fear", "Sad", "Neutral", "Surprise"],
}


@pytest.mark.parametrize("order", NUMBERED)
def test_labels_that_contradict_their_class_folders_are_refused(tmp_path: Path, order: str) -> None:
    numbers = {name: label for label, name in enumerate(NUMBERED[order])}
    lines = [f"/d/AFEW/{name}/00000000{k} 57 {label}\n" for name, label in numbers.items() for k in range(3)]
    _afew(tmp_path, "".join(lines), "".join(lines))
    with pytest.raises(
        CorpusError, match=r"AFEW_train\.txt: \d+ of 21 labels contradict their class folders"
    ) as caught:
        read_label_counts(tmp_path)
    assert "numbered in another order (it has" in str(caught.value)
    assert f"{NUMBERED[order][0]} 0, {NUMBERED[order][1]} 1" in str(caught.value)


def test_one_label_that_contradicts_its_class_folder_is_refused(tmp_path: Path) -> None:
    good = "/x/Sad/1 79 1\n/x/Happy/2 79 0\n"
    with pytest.raises(CorpusError, match=r"1 of 3 labels contradict.*e\.g\. 3 in Fear has 5, which is disgust here"):
        read_afew_lists(_afew(tmp_path, good, good + "/x/Fear/3 10 5\n"))


def test_a_second_copy_of_a_list_is_read_if_it_is_the_same(tmp_path: Path) -> None:
    folder = _afew(tmp_path, "/x/Sad/1 79 1\n", "/x/Sad/2 79 1\n")
    (folder / "afew_TRAIN (1).TXT").write_text("/y/Sad/1 79 1\n")
    assert read_afew_lists(folder)["train"] == {"train_Sad_1": "sadness"}
    (folder / "afew_TRAIN (1).TXT").write_text("/y/Sad/3 79 1\n")
    with pytest.raises(CorpusError, match=r"two different lists of AFEW's train"):
        read_afew_lists(folder)


@pytest.mark.parametrize("digits", ["9" * 5000, "\u0661\u0662", "\xb2", "1_0", "+1", "-1", "1.0"])
def test_odd_numbers_in_lists_are_refused_in_words(tmp_path: Path, digits: str) -> None:
    path = tmp_path / "DFEW_set_1_train.txt"
    for line in (f"/a/{digits} 66 5", f"/a/00001 {digits} 5", f"/a/00001 66 {digits}"):
        path.write_text(line, encoding="utf-8")
        with pytest.raises(CorpusError, match=r"expected '<path>|is not the number of a clip") as caught:
            read_dfew_list(path)
        assert len(str(caught.value)) < 500


def test_labels_of_class_folders(tmp_path: Path) -> None:
    for split in ("Train_AFEW", "Val_AFEW"):
        (tmp_path / split / "Happy").mkdir(parents=True)
        (tmp_path / split / "Happy" / "000111222.avi").touch()
    (found,) = read_label_counts(tmp_path)
    assert (found.corpus, found.format, found.clips, found.emotions["happiness"]) == ("afew", "folders", 2, 2)


def test_a_folder_without_labels_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="holds no labels that are known"):
        read_label_counts(tmp_path)
    with pytest.raises(CorpusError, match="is not a folder"):
        read_label_counts(tmp_path / "nothing")
    (tmp_path / "my labels.xlsx").touch()
    with pytest.raises(CorpusError, match=r"Files found that may be labels: my labels\.xlsx"):
        read_label_counts(tmp_path)


@pytest.mark.slow
def test_csvs_win_over_lists(shared_dir: Path, tmp_path: Path) -> None:
    for name in ("dfew_csv", "dfew_txt"):
        (tmp_path / name).symlink_to(shared_dir / "annotations" / name)
    text_only = read_labels(shared_dir / "annotations" / "dfew_txt")
    assert text_only == read_labels(shared_dir / "annotations" / "dfew_csv")
    assert text_only == read_labels(shared_dir / "annotations")


@pytest.mark.slow
def test_the_real_label_files_through_the_command_line(shared_dir: Path) -> None:
    done = CliRunner().invoke(app, ["corpus", "labels", str(shared_dir / "annotations"), "--json"])
    assert done.exit_code == 0, done.output
    sets = json.loads(done.output)
    assert [(found["corpus"], found["format"]) for found in sets] == [
        ("dfew", "csv"),
        ("dfew", "txt"),
        ("afew", "txt"),
        ("ferv39k", "txt"),
        ("mafw", "txt"),
    ]
    for found in (*sets[:2], *sets[3:]):
        assert {fold["shared"] for fold in found["splits"].values()} == {0}
    for found in sets[:2]:
        assert found["clips"] == DFEW_CLIPS == 11_697
        assert found["emotions"] == DFEW_EMOTIONS
        assert {int(k): fold["test"]["clips"] for k, fold in found["splits"].items()} == DFEW_TESTS
        assert all(fold["train"]["clips"] + fold["test"]["clips"] == 11_697 for fold in found["splits"].values())
    train, val = sets[2]["splits"]["train"], sets[2]["splits"]["val"]
    assert (train["clips"], val["clips"]) == (773, 381)
    moved = AFEW_EMOTIONS["train"] | {"neutral": 142, "anger": 135}
    assert train["emotions"] == moved
    ferv39k, mafw = sets[3]["splits"]["1"], sets[4]["splits"]
    assert (ferv39k["train"]["clips"], ferv39k["test"]["clips"]) == (31_088, 7_847)
    assert list(ferv39k["train"]["emotions"].values()) == [5854, 5523, 7790, 5906, 2502, 1833, 1680]
    assert list(ferv39k["test"]["emotions"].values()) == [1473, 1393, 1958, 1487, 638, 467, 431]
    assert {int(k): fold["test"]["clips"] for k, fold in mafw.items()} == MAFW.tests
    assert sets[4]["emotions"] == MAFW.emotions
    assert sets[3]["emotions"] == FERV39K.emotions
    people = CliRunner().invoke(app, ["corpus", "labels", str(shared_dir / "annotations")])
    assert "fold 5 test" in people.output
