"""Tables and folders of a user's own clips: what spreadsheets write is read, and every fault is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrdfer.core.errors import CorpusError
from nrdfer.corpora.own_labels import LabelledPath, read_folders, read_table, renamed

CLIPS = (("a/one.mp4", "joy", "p1"), ("a/two, or three.mp4", "fear", "p2"), ("b/ünder.mp4", "joy", "p2"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, *_ in CLIPS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"a video")
    return tmp_path


def table(root: Path, text: str | bytes) -> Path:
    path = root / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def plain(rows: list[LabelledPath], root: Path) -> list[tuple[str, str, str]]:
    return [(row.path.relative_to(root).as_posix(), row.label, row.person) for row in rows]


def written(separator: str, end: str, *, spaces: bool = False) -> str:
    pad = " " if spaces else ""
    lines = [separator.join(("Video", f"{pad}LABEL{pad}", "score", "person"))]
    lines += [f"{separator}{pad}".join((f'"{path}"', label, "0.5", f"{person}{pad}")) for path, label, person in CLIPS]
    return end.join([*lines, ""])


@pytest.mark.parametrize(
    "text",
    [
        written(",", "\n"),
        written(",", "\r\n"),
        written(";", "\r\n", spaces=True),
        written("\t", "\n"),
        "\n\n" + written(",", "\n\n"),
        "\ufeff" + written(";", "\r\n"),
        ("\ufeff" + written("\t", "\r\n")).encode("utf-16-le"),
        written(";", "\r\n").encode("cp1252"),
    ],
    ids=["commas", "CRLF", "semicolons, spaces", "tabs", "blank lines", "byte order mark", "UTF-16", "cp1252"],
)
def test_what_spreadsheets_write(root: Path, text: str | bytes) -> None:
    assert plain(read_table(table(root, text)), root) == list(CLIPS)


def test_paths_of_another_machine_are_told_and_can_be_cut(root: Path) -> None:
    path = table(root, "video,label\n/home/lin/set/a/one.mp4,joy\nC:\\set\\b\\ünder.mp4,joy\n")
    with pytest.raises(
        CorpusError, match=r"2 lines.*\n.*line 2: /home/lin/set/a/one\.mp4 does not exist here, but"
    ) as told:
        read_table(path)
    assert "--strip /home/lin/set/" in str(told.value) and "--strip C:/set/" in str(told.value)
    assert [
        row.path for row in read_table(table(root, "video,label\n/home/lin/set/a/one.mp4,joy\n"), strip="/home/lin/set")
    ] == [root / "a/one.mp4"]
    windows = read_table(table(root, "video,label\nC:\\set\\b\\ünder.mp4,joy\n"), strip="C:\\set\\")
    assert [row.path for row in windows] == [root / "b/ünder.mp4"]


def test_a_line_that_is_there_again_counts_once(root: Path) -> None:
    rows = read_table(table(root, "video,label\na/one.mp4,joy\n./a/one.mp4, joy\n"))
    assert [(row.where, row.label) for row in rows] == [("labels.csv, line 2", "joy")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; its first line must name the columns"),
        (
            "a/one.mp4,joy\n",
            r"line 1: the first line must name the columns video \(or frames\) and label.*it is: a/one",
        ),
        ("video,label\n", "names no clip"),
        ("video,label,label\nx,y,z\n", "line 1: two columns are called label"),
        ("video,label\na/one.mp4,joy,more\n", "line 2: 3 cells in 2 columns; quote a cell"),
        ("video,label\na/one.mp4\n", "line 2: it gives no label"),
        ("video,label\n,joy\n", "line 2: it gives no video or frames"),
        ("video,frames,label\na,b,joy\n", "line 2: it must give either video or frames"),
        ("video,label,split\na/one.mp4,joy,exam\n", "line 2: split 'exam' is none of train"),
        ("video,label,fold\na/one.mp4,joy,0\n", "line 2: fold '0' is not a number from 1 to 100"),
        ("video,label,fold\na/one.mp4,joy,x\n", "line 2: fold 'x' is not a number"),
        (
            "video,label\na/one.mp4,joy\na/one.mp4,fear\n",
            "line 3: .*one.mp4 is there again, and labels.csv, line 2 says",
        ),
        ("video,label\n" + "x\n" * 9, "9 lines of .* are wrong; nothing was added:(\n.*){5}\n  and 4 more"),
        (b"video,label\n\x00\x01\x02", "is not a text file"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(root: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read_table(table(root, text))


def test_a_folder_a_label(root: Path) -> None:
    (root / "a" / "notes.txt").write_text("no clip")
    (root / "b" / "frames").mkdir()
    (root / ".hidden").mkdir()
    rows = read_folders(root)
    assert [(row.label, row.path.name, row.videos) for row in rows] == [
        ("a", "one.mp4", True),
        ("a", "two, or three.mp4", True),
        ("b", "frames", False),
        ("b", "ünder.mp4", True),
    ]
    with pytest.raises(CorpusError, match="holds no clip: it must hold a folder a label"):
        read_folders(root / "b" / "frames")
    with pytest.raises(CorpusError, match="is not a folder"):
        read_folders(root / "labels.csv")


def test_labels_are_merged(root: Path) -> None:
    rows = read_folders(root)
    assert {row.label for row in renamed(rows, {"a": "b"})} == {"b"}
    with pytest.raises(CorpusError, match=r"--label c=\.\.\.: no clip has that label; labels are a, b"):
        renamed(rows, {"c": "b"})
