"""Text lists of other repositories, and labels alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.corpora.labels import read_labels
from nrdfer.corpora.lists import read_afew_lists, read_dfew_list
from nrdfer.corpora.published import AFEW_EMOTIONS, DFEW_CLIPS, DFEW_EMOTIONS, DFEW_TESTS
from nrdfer.corpora.summary import read_label_sets
from nrdfer.errors import CorpusError


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


def test_labels_of_class_folders(tmp_path: Path) -> None:
    for split in ("Train_AFEW", "Val_AFEW"):
        (tmp_path / split / "Happy").mkdir(parents=True)
        (tmp_path / split / "Happy" / "000111222.avi").touch()
    (found,) = read_label_sets(tmp_path)
    assert (found.corpus, found.format, found.clips, found.emotions["happiness"]) == ("afew", "folders", 2, 2)


def test_a_folder_without_labels_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="holds no labels that are known"):
        read_label_sets(tmp_path)
    with pytest.raises(CorpusError, match="is not a folder"):
        read_label_sets(tmp_path / "nothing")


def test_csvs_win_over_lists(shared_dir: Path, tmp_path: Path) -> None:
    for name in ("dfew_csv", "dfew_txt"):
        (tmp_path / name).symlink_to(shared_dir / "annotations" / name)
    text_only = read_labels(shared_dir / "annotations" / "dfew_txt")
    assert text_only == read_labels(shared_dir / "annotations" / "dfew_csv")
    assert text_only == read_labels(shared_dir / "annotations")


def test_the_real_label_files_through_the_command_line(shared_dir: Path) -> None:
    done = CliRunner().invoke(app, ["corpus", "labels", str(shared_dir / "annotations"), "--json"])
    assert done.exit_code == 0, done.output
    sets = json.loads(done.output)
    assert [(found["corpus"], found["format"]) for found in sets] == [("dfew", "csv"), ("dfew", "txt"), ("afew", "txt")]
    for found in sets[:2]:
        assert found["clips"] == DFEW_CLIPS == 11_697
        assert found["emotions"] == DFEW_EMOTIONS
        assert {int(k): fold["test"]["clips"] for k, fold in found["splits"].items()} == DFEW_TESTS
        assert all(fold["train"]["clips"] + fold["test"]["clips"] == 11_697 for fold in found["splits"].values())
    train, val = sets[2]["splits"]["train"], sets[2]["splits"]["val"]
    assert (train["clips"], val["clips"]) == (773, 381)
    moved = AFEW_EMOTIONS["train"] | {"neutral": 142, "anger": 135}
    assert train["emotions"] == moved
    people = CliRunner().invoke(app, ["corpus", "labels", str(shared_dir / "annotations")])
    assert "fold 5 test" in people.output
