"""Division of a user's own clips: the table's columns as they are, and folds that are drawn alike every time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from nrdfer.core.errors import CorpusError
from nrdfer.corpora.own_checks import check_labels, counts, missing, warnings
from nrdfer.corpora.own_division import divide
from nrdfer.corpora.own_labels import LabelledPath


def row(number: int, label: str, *, split: str = "", fold: int = 0, person: str = "") -> LabelledPath:
    return LabelledPath(f"labels.csv, line {number}", Path(f"/videos/{number}.mp4"), True, label, split, fold, person)


def test_folds_that_are_drawn_share_the_labels_and_stay_the_same() -> None:
    rows = [row(i, "joy" if i % 3 else "fear") for i in range(30)]
    folds, tested = divide(rows, 5)
    assert folds == 5 and (folds, tested) == divide(rows, 5)
    assert Counter(tested) == dict.fromkeys(range(1, 6), 6)
    assert set(Counter((k, r.label) for k, r in zip(tested, rows, strict=True)).values()) == {2, 4}


def test_nobody_is_in_two_folds() -> None:
    rows = [row(i, ("joy", "fear")[i % 2], person=f"p{i // 4}") for i in range(40)]
    _, tested = divide(rows, 5)
    assert {len({k for k, r in zip(tested, rows, strict=True) if r.person == f"p{n}"}) for n in range(10)} == {1}
    with pytest.raises(CorpusError, match="10 people cannot be divided into 11 folds"):
        divide(rows, 11)


def test_columns_decide() -> None:
    parts = [row(1, "joy", split="train"), row(2, "joy", split="test"), row(3, "joy", split="train")]
    assert divide(parts, 5) == (1, [0, 1, 0])
    assert divide([row(1, "joy", split="train"), row(2, "joy", split="val")], 5) == (1, [0, 1])
    assert divide([row(1, "joy", fold=2), row(2, "joy", fold=1)], 5) == (2, [2, 1])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row(1, "a", split="train"), row(2, "a", fold=1)], "line 2: the columns fold and split both divide"),
        ([row(1, "a", split="train"), row(2, "a")], "line 2: it has no split, but labels.csv, line 1 has one"),
        ([row(1, "a", fold=1), row(2, "a", fold=3)], "number 2 is missing"),
        ([row(1, "a", fold=1)], "there is only one"),
        ([row(1, "a", split="test")], "no line of train"),
        ([row(i, "a", split=s) for i, s in enumerate(("train", "val", "test"))], "give --test val or --test test"),
        ([row(i, "a") for i in range(4)], "a label has 4 clips, too few for 5 folds"),
    ],
)
def test_columns_that_divide_nothing(rows: list[LabelledPath], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        divide(rows, 5)


def test_labels_that_are_no_label_set() -> None:
    assert check_labels([row(1, "joy"), row(2, "fear"), row(3, "joy"), row(4, "fear")]) == ("fear", "joy")
    with pytest.raises(CorpusError, match=r"labels\.csv, line 2: it is the only clip of fear"):
        check_labels([row(1, "joy"), row(2, "fear"), row(3, "joy")])
    with pytest.raises(
        CorpusError, match=r"'Joy' and 'joy' of a label set differ in capitals at most.*--label OLD=NEW"
    ):
        check_labels([row(1, "joy"), row(2, "Joy"), row(3, "joy"), row(4, "Joy")])
    with pytest.raises(CorpusError, match="2 to 200 emotions, not 1"):
        check_labels([row(1, "joy"), row(2, "joy")])


def test_what_a_user_should_know(tmp_path: Path) -> None:
    rows = [
        LabelledPath(f"line {i}", tmp_path / f"{i}.mp4", True, "joy" if i < 12 else "fear", person=f"p{i % 5}")
        for i in range(16)
    ]
    for i, each in enumerate(rows):
        each.path.write_bytes(b"same" if i in (3, 12) else str(i).encode())
    tested = [1 if i in (0, 1, 3) else 0 for i in range(16)]
    told = "\n".join(warnings(rows, ("fear", "joy"), 1, tested))
    assert "few clips: fear 4" in told
    assert "no label is called neutral" in told
    assert "fold 1: no test clip of fear" in told
    assert "3 people are in training and in test, e.g. p0" in told
    assert "1 videos are copies of others, e.g. line 3 and line 12" in told
    assert "1 videos have copies in training and in test" in told
    assert "1 videos with copies have two labels" in told
    assert counts(rows, ("fear", "joy"), 1, tested).splitlines()[1].split() == ["train", "13", "4", "9"]


def test_missing_clips_are_left_out_unless_most_are(tmp_path: Path) -> None:
    rows = [LabelledPath(f"line {i}", tmp_path / f"{i}.mp4", True, "joy") for i in range(4)]
    for each in rows[:2]:
        each.path.touch()
    assert missing(rows) == rows[2:]
    with pytest.raises(CorpusError, match=r"2 of 3 clips are not there, e\.g\. line 2: there is no file .*--strip"):
        missing(rows[1:])
