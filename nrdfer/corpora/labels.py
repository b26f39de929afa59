"""DFEW's label files: every naming and numbering found in the wild, read into emotions by name.

The distributed csvs number the emotions 1 to 7 (in the order of `nrdfer.core.emotions.EMOTIONS`), some copies 0 to 6
(MSA-LMC/S2D), and so do text lists (``lists``), which serve where there are no csvs. The base is found over ALL files
together: a 0 proves one, a 7 the other; a single file may show neither. Pictures belong to `dfew`: nothing here opens
or counts them.
"""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import CorpusError
from nrdfer.core.plain_text import one_line
from nrdfer.corpora.label_counts import FoldLabels, check_folds
from nrdfer.corpora.lists import COPY, DFEW_NAME, files_like_labels, label_folders, read_dfew_list
from nrdfer.corpora.text_file import excerpt, number_in, read_lines, read_whole

FOLDS = range(1, 6)
SPLIT_FOLDER = "EmoLabel_DataSplit"
#: set_1.csv, train_set_1.csv, test_set_1.csv, single_trainset_1.csv, single_testset_1.csv
_NAME = re.compile(
    rf"(?:(?P<part>train|test)_set|single_(?P<single>train|test)set|set)_(?P<fold>[1-5]){COPY}\.csv", re.IGNORECASE
)
_SEPARATORS = ",;\t"  # the second where commas are for decimals, the third in Excel's "Unicode text"
_log = logging.getLogger(__name__)
Key = tuple[int, str]  # fold, "train" or "test"
Rows = list[tuple[str, int]]


def read_labels(root: Path) -> dict[int, FoldLabels]:
    """The emotions of all five folds, from the label files anywhere below `root`.

    Raises:
        CorpusError: files missing or malformed, a numbering that cannot be decided, a clip with two emotions, a clip
            in train and test of one fold or in two test folds, or a training list that is not the other four tests.
    """
    files = find_label_files(root)
    rows = {key: _read_rows(path) for key, path in files.items()}
    base = _base(rows, files, root)
    emotions: dict[str, str] = {}
    parts: dict[Key, dict[str, str]] = {}
    for key, content in rows.items():
        for clip_id, label in content:
            emotion = EMOTIONS[label - base]
            if emotions.setdefault(clip_id, emotion) != emotion:
                raise CorpusError(
                    f"clip {clip_id} is {emotion} in {files[key]} but {emotions[clip_id]} before; the label files come "
                    "from different copies or were edited: take all ten from one copy of DFEW"
                )
        parts[key] = {clip_id: emotions[clip_id] for clip_id, _ in content}
    folds = {k: FoldLabels(parts[k, "train"], parts[k, "test"]) for k in FOLDS}
    check_folds(folds, root, "DFEW")
    return folds


def find_label_files(root: Path) -> dict[Key, Path]:
    """(fold, ``train`` or ``test``) -> file. Csvs in an ``EmoLabel_DataSplit`` win over others, these over lists.

    Raises:
        CorpusError: a file is missing, or two that differ, or of which one cannot be read, claim the same place.
    """
    claims = list(candidates(root))
    csvs = [(key, path) for key, path in claims if is_csv(path)]
    official = [(key, path) for key, path in csvs if SPLIT_FOLDER.lower() in map(str.lower, path.parts)]
    found: dict[Key, Path] = {}
    for key, path in official or csvs or claims:
        if key in found and read_whole(found[key]) != read_whole(path):
            raise CorpusError(f"two label files for fold {key[0]} {key[1]}: {found[key]} and {path}; keep one of them")
        found.setdefault(key, path)
    missing = [f"fold {k} {part}" for k in FOLDS for part in ("train", "test") if (k, part) not in found]
    if missing:
        what = "all label files" if not found else f"label files for {', '.join(missing)}"
        raise CorpusError(
            f"DFEW below {root} lacks {what}. Looked for {SPLIT_FOLDER}/train(single-labeled)/set_1.csv .. set_5.csv "
            f"and {SPLIT_FOLDER}/test(single-labeled)/set_1.csv .. set_5.csv (also train_set_1.csv, test_set_1.csv, "
            "single_trainset_1.csv, single_testset_1.csv, DFEW_set_1_train.txt). Copy DFEW's label files there whole. "
            f"Files found that may be labels: {files_like_labels(root)}"
        )
    return found


def candidates(root: Path) -> Iterator[tuple[Key, Path]]:
    """Every file below `root` that is named like a label file of DFEW, with its place; clip folders are not entered."""
    for here, names in label_folders(root):
        for name in names:
            match = _NAME.fullmatch(name)
            part = match and (match["part"] or match["single"] or _part_of(here.name))
            if match and part and "multi" not in here.name.lower():
                yield (int(match["fold"]), part.lower()), here / name
            listed = DFEW_NAME.fullmatch(name)
            if listed:
                yield (int(listed["fold"]), listed["part"].lower()), here / name


def is_csv(path: Path) -> bool:
    """Whether a label file has DFEW's own format, not that of another repository's list."""
    return path.suffix.lower() == ".csv"


def _part_of(folder: str) -> str | None:
    return next((part for part in ("train", "test") if folder.lower().startswith(part)), None)


def _read_rows(path: Path) -> Rows:
    if not is_csv(path):
        return _without_repeats(path, [(clip_id, label) for clip_id, _, label in read_dfew_list(path)])
    return _without_repeats(path, _read_csv(path))


def _read_csv(path: Path) -> Rows:
    where = one_line(str(path))
    text = read_lines(path)
    separator = _separator(text)
    try:
        lines = list(csv.reader(text, delimiter=separator))
    except csv.Error as error:
        raise CorpusError(f"{where} is not a text file of comma-separated values ({error}); copy it again") from error
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if any(cell.strip() for cell in line)]
    if numbered and re.fullmatch(r"sep=.?", "".join(numbered[0][1]).strip()):
        numbered = numbered[1:]  # how a spreadsheet notes what separates the values
    if not numbered:
        raise CorpusError(f"{where} is empty; is the copy complete?")
    header = [cell.strip().lower() for cell in numbered[0][1]]
    if {"video_name", "label"} <= set(header):
        name_at, label_at = header.index("video_name"), header.index("label")
        numbered = numbered[1:]
    elif len(header) == 2 and number_in(header[0]) is not None and number_in(header[1]) is not None:
        name_at, label_at = 0, 1  # a copy without the header line
    else:
        raise CorpusError(
            f"{where}: expected the header video_name,label, found '{excerpt(separator.join(numbered[0][1]))}'. Is "
            "it a label file of DFEW? Write that header over the clips' numbers and the labels"
        )
    return [_read_row(where, number, line, name_at, label_at) for number, line in numbered]


def _separator(lines: list[str]) -> str:
    """Separator of a file's values: the first one in its first line that contains letters or digits."""
    first = next((line for line in lines if line.strip() and not line.startswith("sep=")), "")
    return next((separator for separator in _SEPARATORS if separator in first), ",")


def _without_repeats(path: Path, rows: Rows) -> Rows:
    if not rows:
        raise CorpusError(f"{one_line(str(path))} holds no clip; is the copy complete?")
    if len(dict(rows)) != len(set(rows)):
        raise CorpusError(f"{path} gives one clip two different labels; copy it again")
    if len(set(rows)) != len(rows):
        _log.warning("%s lists %d clips twice; each counts once", path, len(rows) - len(set(rows)))
    return rows


def _read_row(where: str, number: int, line: list[str], name_at: int, label_at: int) -> tuple[str, int]:
    cells = [cell.strip() for cell in line]
    clip, label = (number_in(cells[at]) if at < len(cells) else None for at in (name_at, label_at))
    if clip is None or label is None:
        raise CorpusError(f"{where}, line {number}: '{excerpt(','.join(line))}' is not a clip's number and a label")
    if label > len(EMOTIONS):
        raise CorpusError(f"{where}, line {number}: label {label}; expected 1 to 7 (or 0 to 6 in all files)")
    return f"{clip:05d}", label


def _base(rows: Mapping[Key, Rows], files: Mapping[Key, Path], root: Path) -> int:
    def first_with(wanted: int) -> Path | None:
        return next((files[key] for key, content in rows.items() if any(label == wanted for _, label in content)), None)

    zero, seven = first_with(0), first_with(len(EMOTIONS))
    if (zero is None) == (seven is None):
        reason = "neither label 0 nor label 7 occurs" if zero is None else f"0 occurs in {zero} and 7 in {seven}"
        raise CorpusError(
            f"it is unclear whether the labels below {root} count from 0 or from 1: {reason}. Do the files come from "
            "different copies? Use all ten as distributed (1 Happy 2 Sad 3 Neutral 4 Angry 5 Surprise 6 Disgust 7 Fear)"
        )
    return 0 if seven is None else 1
