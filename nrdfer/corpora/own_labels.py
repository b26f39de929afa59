"""Labels of a user's own corpus: a table with a line a clip, or a folder a label; every fault with its line.

Whether the labels make a corpus (how many clips of each, who is in which fold) belongs to ``own_checks``; keeping it
under a name, to ``own_corpus``. No video and no picture is opened here.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nrdfer.core.errors import CorpusError
from nrdfer.core.plain_text import one_line
from nrdfer.corpora.text_file import excerpt, number_in, read_lines
from nrdfer.video.discovery import VIDEO_SUFFIXES

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
VIDEO, FRAMES, LABEL, SPLIT, FOLD, PERSON = COLUMNS = ("video", "frames", "label", "split", "fold", "person")
TRAIN, VAL, TEST = "train", "val", "test"
_PARTS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), VAL),
    **dict.fromkeys(("test", "testing"), TEST),
}
_MOST_NAMED = 5  # faults in a message
MOST_FOLDS = 100


@dataclass(frozen=True, slots=True)
class LabelledPath:
    """One clip as it was labelled."""

    where: str  # for messages: labels.csv, line 7
    path: Path  # absolute
    videos: bool  # a video, or a folder of face pictures
    label: str
    split: str = ""  # train, val, test; empty if the table does not say
    fold: int = 0  # that tests it; 0 if the table does not say
    person: str = ""

    @property
    def exists(self) -> bool:
        """Whether there is such a file, or folder of pictures."""
        try:
            return self.path.is_file() if self.videos else self.path.is_dir()
        except OSError:  # a name that no file can have
            return False


def read_table(path: Path, root: Path | None = None, strip: str = "") -> list[LabelledPath]:
    """Read a table of clips.

    The first line names the columns: ``video`` (a file) or ``frames`` (a folder of face pictures), ``label``, and
    if there are any ``split`` (train, val, test), ``fold`` (the number of the fold that tests the clip) and ``person``;
    others are not read. Columns are separated by commas, semicolons or tabs; byte order marks, CRLF, spaces around
    cells and quotes are understood. Lines that say the same again are read once.

    Args:
        path: of the table.
        root: that relative paths start from; the table's own folder, if None.
        strip: beginning of paths to leave out, where they are those of another machine.

    Raises:
        CorpusError: the table cannot be read, has no such columns, or some of its lines are wrong: the first few with
            their numbers.
    """
    lines = read_lines(path)
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise CorpusError(f"{one_line(str(path))} is empty; its first line must name the columns video and label")
    separator, columns = _columns(path, first + 1, lines[first])
    start = (root or path.parent).absolute()
    faults: list[str] = []
    rows: dict[Path, LabelledPath] = {}
    reader = csv.reader(lines[first + 1 :], delimiter=separator, skipinitialspace=True)
    for cells in _cells(reader, path):
        if not any(cell.strip() for cell in cells):
            continue
        where = f"{one_line(path.name)}, line {first + 1 + reader.line_num}"
        if len(cells) > len(columns):
            faults.append(f"{where}: {len(cells)} cells in {len(columns)} columns; quote a cell that holds a separator")
            continue
        values = {name: cell.strip() for name, cell in zip(columns, cells, strict=False) if name in COLUMNS}
        try:
            row = _row(where, values, start, strip)
        except ValueError as error:
            faults.append(f"{where}: {error}")
            continue
        earlier = rows.setdefault(row.path, row)
        if replace(earlier, where=where) != row:
            faults.append(f"{where}: {excerpt(row.path.name)} is there again, and {earlier.where} says otherwise of it")
    _refuse(path, faults)
    if not rows:
        raise CorpusError(
            f"{one_line(str(path))} names no clip: below the columns' names there must be a line for each"
        )
    return list(rows.values())


def read_folders(folder: Path) -> list[LabelledPath]:
    """Read a folder with a folder a label, each with videos, or with a folder of face pictures a clip.

    Hidden entries are left out, and so are other files.

    Raises:
        CorpusError: it is no folder, or no clip is in it.
    """
    if not folder.is_dir():
        raise CorpusError(f"{one_line(str(folder))} is not a folder; give one that holds a folder a label")
    rows = []
    for label in _visible(folder):
        for entry in _visible(label) if label.is_dir() else ():
            videos = entry.is_file()
            if not videos or entry.suffix.lower() in VIDEO_SUFFIXES:
                rows.append(LabelledPath(f"folder {one_line(label.name)}", entry.absolute(), videos, label.name))
    if not rows:
        raise CorpusError(
            f"{one_line(str(folder))} holds no clip: it must hold a folder a label (anger, joy, ...), and these the "
            "videos, or a folder of face pictures a clip"
        )
    return rows


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _cells(reader: Iterator[list[str]], path: Path) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise CorpusError(f"{one_line(str(path))} cannot be read as a table: {error}; save it as CSV again") from error


def _columns(path: Path, number: int, line: str) -> tuple[str, list[str]]:
    """The separator, and the columns' names in small letters."""
    for separator in SEPARATORS:
        names = [
            name.strip().casefold() for name in next(csv.reader([line], delimiter=separator, skipinitialspace=True))
        ]
        if LABEL in names and (VIDEO in names or FRAMES in names):
            twice = sorted({name for name in names if name in COLUMNS and names.count(name) > 1})
            if twice:
                raise CorpusError(f"{one_line(path.name)}, line {number}: two columns are called {twice[0]}; keep one")
            return separator, names
    raise CorpusError(
        f"{one_line(path.name)}, line {number}: the first line must name the columns video (or frames) and label, "
        f"separated by {', '.join(SEPARATORS.values())}; it is: {excerpt(line)}"
    )


def _row(where: str, values: Mapping[str, str], start: Path, strip: str) -> LabelledPath:
    """One line; a ValueError says what is wrong."""
    video, frames, label = (values.get(name, "") for name in (VIDEO, FRAMES, LABEL))
    if bool(video) == bool(frames):
        raise ValueError(f"it must give either {VIDEO} or {FRAMES}" if video else f"it gives no {VIDEO} or {FRAMES}")
    if not label:
        raise ValueError("it gives no label")
    split, fold = values.get(SPLIT, ""), values.get(FOLD, "")
    if split and split.casefold() not in _PARTS:
        raise ValueError(f"split {excerpt(split)!r} is none of {', '.join(_PARTS)}")
    number = number_in(fold) if fold else 0
    if number is None or (fold and not 1 <= number <= MOST_FOLDS):
        raise ValueError(f"fold {excerpt(fold)!r} is not a number from 1 to {MOST_FOLDS}")
    path = _located(video or frames, start, strip)
    return LabelledPath(
        where, path, bool(video), label, _PARTS[split.casefold()] if split else "", number, values.get(PERSON, "")
    )


def _located(text: str, start: Path, strip: str) -> Path:
    """The absolute path of a cell; a ValueError says what may help where it is of another machine."""
    if "\0" in text:
        raise ValueError("its path holds a zero byte")
    kept = text.removeprefix(strip).lstrip("/\\") if strip and text.startswith(strip) else text
    if kept.startswith("~/"):
        kept = str(Path.home() / kept[2:])
    if "\\" in kept and not _exists(start / kept):
        kept = kept.replace("\\", "/")  # written on Windows
    path = Path(os.path.normpath(start / kept))
    foreign = Path(kept).is_absolute() or kept[1:3] == ":/"
    if foreign and not _exists(path) and (beginning := _elsewhere(kept, start)):
        raise ValueError(
            f"{excerpt(text)} does not exist here, but {excerpt(str(start))} holds the rest of it: is it a path of "
            f"another machine? Give --strip {excerpt(beginning)}"
        )
    return path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that no file can have
        return False


def _elsewhere(text: str, start: Path) -> str:
    """The beginning of an absolute path whose rest is below `start`; empty if there is none."""
    parts = text.split("/")
    for i in range(1, len(parts)):
        if parts[i] and _exists(start / "/".join(parts[i:])):
            return "/".join(parts[:i]) + "/"
    return ""


def _refuse(path: Path, faults: Sequence[str]) -> None:
    if faults:
        more = f"\n  and {len(faults) - _MOST_NAMED} more" if len(faults) > _MOST_NAMED else ""
        raise CorpusError(
            f"{len(faults)} lines of {one_line(str(path))} are wrong; nothing was added:"
            + "".join(f"\n  {fault}" for fault in faults[:_MOST_NAMED])
            + more
        )


def renamed(rows: Sequence[LabelledPath], names: Mapping[str, str]) -> list[LabelledPath]:
    """The clips with some labels replaced: two labels with one new name become one.

    Raises:
        CorpusError: no clip has such a label.
    """
    known = {row.label for row in rows}
    if unknown := [name for name in names if name not in known]:
        there = ", ".join(map(excerpt, sorted(known)))
        raise CorpusError(f"--label {excerpt(unknown[0])}=...: no clip has that label; labels are {there}")
    return [replace(row, label=names.get(row.label, row.label)) for row in rows]


def kept(rows: Sequence[LabelledPath], keep: Callable[[LabelledPath], bool]) -> tuple[list[LabelledPath], int]:
    """The clips to keep, and the number of the others."""
    chosen = [row for row in rows if keep(row)]
    return chosen, len(rows) - len(chosen)
