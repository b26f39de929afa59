"""DFEW's label files: every known naming, encoding and numbering, and readable refusals."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import CorpusError
from nrdfer.corpora.dfew import DFEW, read_dfew
from nrdfer.corpora.labels import find_label_files, read_labels
from nrdfer.corpora.published import DFEW_EMOTIONS, DFEW_TESTS
from tests.unit.corpora.dfew_folders import (
    CLIPS,
    fold_rows,
    official,
    older,
    renamed,
    write_csv,
    write_labels,
)
from tests.unit.patience import at_most


@pytest.mark.parametrize("place", [official, renamed, older])
@pytest.mark.parametrize("base", [0, 1])
@pytest.mark.parametrize("padded", [True, False])
def test_every_naming_and_numbering_means_the_same(
    tmp_path: Path, place: Callable[[Path, int, str], Path], base: int, padded: bool
) -> None:
    write_labels(tmp_path / "plain")
    write_labels(tmp_path / "other", place, base=base, padded=padded)
    assert read_labels(tmp_path / "other") == read_labels(tmp_path / "plain")


def test_header_may_be_missing_or_have_a_byte_order_mark(tmp_path: Path) -> None:
    write_labels(tmp_path / "plain")
    write_labels(tmp_path / "bare", header=None)
    write_labels(tmp_path / "marked", header="\ufeffVideo_Name, Label")
    assert read_labels(tmp_path / "bare") == read_labels(tmp_path / "plain") == read_labels(tmp_path / "marked")


def test_multi_labelled_lists_and_equal_copies_are_no_conflict(dfew: Path) -> None:
    write_csv(dfew / "EmoLabel_DataSplit" / "train(multi-labeled)" / "set_1.csv", [("00001", 7)])
    shutil.copy(official(dfew, 2, "test"), renamed(dfew, 2, "test"))
    write_csv(dfew / "notes" / "train_set_1.csv", [("00001", 6)])  # not below EmoLabel_DataSplit
    assert find_label_files(dfew)[1, "train"] == official(dfew, 1, "train")
    assert len(read_dfew(dfew).clips) == CLIPS


def test_missing_label_files_are_named(dfew: Path) -> None:
    official(dfew, 2, "test").unlink()
    official(dfew, 5, "train").unlink()
    with pytest.raises(CorpusError, match="fold 2 test, fold 5 train"):
        read_labels(dfew)


def test_two_different_files_for_one_fold_are_refused(dfew: Path) -> None:
    write_csv(renamed(dfew, 3, "train"), [("00001", 1)])
    with pytest.raises(CorpusError, match="two label files for fold 3 train"):
        read_labels(dfew)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("video_name,label\n", "holds no clip"),
        ("<!DOCTYPE html>\n<p>sign in", "expected the header"),
        ("video_name,label\n00008,1\n00009,Happy\n", "line 3: '00009,Happy' is not a clip's number and a label"),
        ("video_name,label\n00008,1\n00009\n", "line 3"),
        ("video_name,label\n00008,8\n", "line 2: label 8"),
        ("video_name,label\n00008,1\n8,2\n", "two different labels"),
    ],
)
def test_malformed_files_are_named_with_their_line(dfew: Path, text: str, message: str) -> None:
    path = official(dfew, 2, "test")
    path.write_text(text)
    with pytest.raises(CorpusError, match=message) as caught:
        read_labels(dfew)
    assert str(path) in str(caught.value)


def test_a_binary_file_is_refused(dfew: Path) -> None:
    official(dfew, 1, "test").write_bytes(bytes(range(256)))
    with pytest.raises(CorpusError, match="not a text file"):
        read_labels(dfew)


def test_a_base_that_cannot_be_told_is_asked_for(tmp_path: Path) -> None:
    for fold in range(1, 6):
        for part in ("train", "test"):
            rows = [(name, 1 + label % 6) for name, label in fold_rows(fold, part)]
            write_csv(official(tmp_path, fold, part), rows)
    with pytest.raises(CorpusError, match="count from 0 or from 1: neither label 0 nor label 7 occurs"):
        read_labels(tmp_path)


def test_a_mixture_of_both_bases_is_refused(dfew: Path) -> None:
    write_csv(official(dfew, 4, "test"), fold_rows(4, "test", base=0))
    with pytest.raises(CorpusError, match=r"0 occurs in .*test.*set_4\.csv and 7 in"):
        read_labels(dfew)


def test_the_base_is_found_over_all_files_together(tmp_path: Path) -> None:
    """Only one clip of the whole set shows the base; every other file alone could be read either way."""
    write_labels(tmp_path)
    for fold in range(1, 6):
        for part in ("train", "test"):
            rows = [(n, 6 if label == 7 and n != "00007" else label) for n, label in fold_rows(fold, part)]
            write_csv(official(tmp_path, fold, part), rows)
    folds = read_labels(tmp_path)
    assert folds[1].test["00007"] == "fear"
    assert folds[2].test["00008"] == "happiness"
    assert folds[2].test["00014"] == "disgust"


def test_a_clip_with_two_emotions_is_refused(dfew: Path) -> None:
    rows = [(name, 2 if name == "00008" else label) for name, label in fold_rows(2, "test")]
    write_csv(official(dfew, 2, "test"), rows)
    with pytest.raises(CorpusError, match="clip 00008 is"):
        read_labels(dfew)


def test_leaks_overlaps_and_gaps_between_folds_are_refused(dfew: Path) -> None:
    write_csv(official(dfew, 1, "train"), [*fold_rows(1, "train"), ("00001", 1)])
    with pytest.raises(CorpusError, match=r"fold 1 .*1 clips are in both train and test, e\.g\. 00001"):
        read_labels(dfew)
    write_csv(official(dfew, 1, "train"), [row for row in fold_rows(1, "train") if row[0] != "00035"])
    with pytest.raises(CorpusError, match=r"fold 1 .*1 clips differ, e\.g\. 00035"):
        read_labels(dfew)
    write_labels(dfew)
    write_csv(official(dfew, 2, "train"), [row for row in fold_rows(2, "train") if row[0] != "00001"])
    write_csv(official(dfew, 2, "test"), [*fold_rows(2, "test"), ("00001", 1)])
    with pytest.raises(CorpusError, match="clip 00001 is in the test lists of folds 1 and 2"):
        read_labels(dfew)


def test_a_clip_listed_twice_counts_once_and_is_reported(dfew: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_csv(official(dfew, 3, "test"), [*fold_rows(3, "test"), fold_rows(3, "test")[0]])
    assert len(read_labels(dfew)[3].test) == 7
    assert "lists 1 clips twice" in caplog.text


def test_the_real_label_files(shared_dir: Path) -> None:
    folds = read_labels(shared_dir / "annotations" / "dfew_csv")
    assert {k: len(fold.test) for k, fold in folds.items()} == DFEW_TESTS
    assert {k: len(fold.train) for k, fold in folds.items()} == {k: 11_697 - n for k, n in DFEW_TESTS.items()}
    tested = {clip_id: emotion for fold in folds.values() for clip_id, emotion in fold.test.items()}
    assert len(tested) == 11_697
    assert Counter(tested.values()) == DFEW_EMOTIONS


def test_the_real_label_files_agree_with_the_lists_of_another_repository(shared_dir: Path) -> None:
    folds = read_labels(shared_dir / "annotations" / "dfew_csv")
    for k, fold in folds.items():
        for part, labels in (("train", fold.train), ("test", fold.test)):
            lines = (shared_dir / "annotations" / "dfew_txt" / f"DFEW_set_{k}_{part}.txt").read_text().splitlines()
            rows = [line.split(" ") for line in lines if line]
            assert {Path(path).name: EMOTIONS[int(label)] for path, _, label in rows} == labels


ENCODINGS = {
    "utf-16": "utf-16",  # Excel's "Unicode text", PowerShell's >
    "utf-16 without a mark": "utf-16-le",
    "utf-16, the other way round": "utf-16-be",
    "utf-8 with a mark": "utf-8-sig",
    "latin-1": "latin-1",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("separator", [",", ";", "\t", ", "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_label_files_in_every_encoding_and_with_every_separator_mean_the_same(
    tmp_path: Path, encoding: str, separator: str, end: str
) -> None:
    write_labels(tmp_path / "plain")
    write_labels(tmp_path / "other")
    for path in (tmp_path / "other").rglob("*.csv"):
        text = path.read_text().replace("label", "label,Übersetzt").replace(",", separator).replace("\n", end)
        path.write_bytes(text.encode(ENCODINGS[encoding]))
    assert read_labels(tmp_path / "other") == read_labels(tmp_path / "plain")


def test_what_a_spreadsheet_notes_of_its_separator_is_no_header(tmp_path: Path) -> None:
    write_labels(tmp_path)
    path = official(tmp_path, 3, "train")
    before = read_labels(tmp_path)
    path.write_text("sep=;\n" + path.read_text().replace(",", ";"))
    assert read_labels(tmp_path) == before


@pytest.mark.parametrize(
    "place",
    [
        lambda root, fold, part: root / "EmoLabel_DataSplit" / f"{part}_set_{fold}.CSV",
        lambda root, fold, part: root / "emolabel_datasplit" / f"{part.upper()}_SET_{fold}.csv",
        lambda root, fold, part: root / "EmoLabel_DataSplit" / f"{part}_set_{fold} (1).csv",
        lambda root, fold, part: root / "EmoLabel_DataSplit" / f"{part.title()}(single-labeled)" / f"set_{fold}(2).csv",
        lambda root, fold, part: root / "EmoLabel_DataSplit" / f"{part}_set_{fold} - Copy.csv",
    ],
)
def test_label_files_named_by_a_browser_or_in_capitals_are_read(
    tmp_path: Path, place: Callable[[Path, int, str], Path]
) -> None:
    write_labels(tmp_path / "plain")
    write_labels(tmp_path / "other", place)
    assert read_labels(tmp_path / "other") == read_labels(tmp_path / "plain")


def test_a_second_copy_of_a_label_file_that_differs_is_refused(dfew: Path) -> None:
    official(dfew, 3, "train").with_name("set_3 (1).csv").write_text("video_name,label\n00001,1\n")
    with pytest.raises(CorpusError, match="two label files for fold 3 train"):
        read_labels(dfew)


def test_label_files_that_are_not_known_by_their_names_are_named(dfew: Path) -> None:
    shutil.move(official(dfew, 2, "test"), dfew / "EmoLabel_DataSplit" / "fold two.csv")
    with pytest.raises(CorpusError, match=r"lacks label files for fold 2 test.*may be labels: .*fold two\.csv"):
        read_labels(dfew)


def test_a_folder_of_labels_that_is_a_link_is_entered_once(dfew: Path, tmp_path: Path) -> None:
    before = read_labels(dfew)
    shutil.move(dfew / "EmoLabel_DataSplit", tmp_path / "elsewhere")
    (dfew / "EmoLabel_DataSplit").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(dfew)  # a loop
    assert read_labels(dfew) == before
    assert len(read_dfew(dfew).clips) == CLIPS


@pytest.mark.parametrize("header", ["视频,标签", "name,emotion,fold", "Datei;Gefühl", "video_name"])
def test_a_header_of_another_kind_is_named_with_what_to_write(dfew: Path, header: str) -> None:
    path = official(dfew, 3, "train")
    path.write_text(header + "\n1,1\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"expected the header video_name,label, found.*Write that header") as caught:
        read_dfew(dfew)
    assert header in str(caught.value)


def test_numbers_of_thousands_of_digits_in_label_files_are_refused_in_words(dfew: Path) -> None:
    path = official(dfew, 3, "train")
    for row in (f"{'9' * 5000},1", f"00001,{'9' * 5000}"):
        write_csv(path, [])
        path.write_text(f"video_name,label\n{row}\n")
        with pytest.raises(CorpusError, match=r"line 2: '9*.*' is not a clip's number and a label") as caught:
            read_dfew(dfew)
        assert len(str(caught.value)) < 500


def test_a_label_file_of_absurd_size_is_not_read(dfew: Path) -> None:
    with official(dfew, 3, "train").open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(CorpusError, match=r"has 1,099,511,627,776 bytes; no label file"):
        read_labels(dfew)


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_label_file_that_is_no_file_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    write_labels(tmp_path)
    odd = official(tmp_path, 3, "train")
    odd.unlink()
    if kind == "device":
        odd.symlink_to("/dev/null")
    else:
        os.mkfifo(odd)
    refused = r"train\(single-labeled\)/set_3\.csv cannot be read: it is a pipe or a device"
    with at_most(10), pytest.raises(CorpusError, match=refused):
        read_labels(tmp_path)


def test_a_second_copy_that_is_a_link_to_nowhere_stops_the_doctor_for_its_corpus_only(tmp_path: Path) -> None:
    write_labels(tmp_path)
    second = official(tmp_path, 3, "train").with_name("set_3 (1).csv")
    second.symlink_to("/nowhere")
    (finding,) = DFEW.examine(tmp_path).findings
    assert finding.level == "error" and f"{second} cannot be read: No such file" in finding.text
