"""Checks of a user's own clips before they become a corpus: labels, missing files, people, and copies of one file.

Errors stop it; all else is printed and goes on. Files are compared by content only where their sizes are the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from nrdfer.core.emotions import check_label_set, neutral_index
from nrdfer.core.errors import CorpusError
from nrdfer.core.hashing import file_sha256
from nrdfer.core.plain_text import one_line
from nrdfer.corpora.own_labels import LabelledPath
from nrdfer.corpora.text_file import excerpt

FEW = 10  # clips of a label: fewer are hardly learnt, and every one of them moves its recall by ten points
MISSING_LIMIT = 0.5  # of the clips: more mean that the paths are wrong


def check_labels(rows: Sequence[LabelledPath]) -> tuple[str, ...]:
    """The label set: labels by name.

    Raises:
        CorpusError: they are no label set, or a label has one clip only.
    """
    counted = Counter(row.label for row in rows)
    emotions = tuple(sorted(counted))
    try:
        check_label_set(emotions)
    except ValueError as error:
        raise CorpusError(f"{error}; correct the table, or give --label OLD=NEW") from error
    if single := [label for label in emotions if counted[label] == 1]:
        row = next(row for row in rows if row.label == single[0])
        raise CorpusError(
            f"{row.where}: it is the only clip of {excerpt(row.label)}, which cannot be trained on and tested; add "
            f"clips, merge it (--label '{excerpt(row.label)}=OTHER'), or take the line out"
        )
    return emotions


def missing(rows: Sequence[LabelledPath]) -> list[LabelledPath]:
    """Clips whose file or folder is not there.

    Raises:
        CorpusError: most are not.
    """
    absent = [row for row in rows if not row.exists]
    if len(absent) > MISSING_LIMIT * len(rows):
        row = absent[0]
        what = "file" if row.videos else "folder"
        raise CorpusError(
            f"{len(absent)} of {len(rows)} clips are not there, e.g. {row.where}: there is no {what} "
            f"{one_line(str(row.path))}. Paths start from the table's folder unless --root says otherwise; --strip "
            "leaves the beginning of another machine's paths out"
        )
    return absent


def warnings(rows: Sequence[LabelledPath], emotions: Sequence[str], folds: int, tested: Sequence[int]) -> list[str]:
    """Sentences on what a user should know of the labels and of their division.

    Args:
        rows: the clips.
        emotions: their label set.
        folds: how many there are.
        tested: the fold that tests each clip.
    """
    found = []
    counted = Counter(row.label for row in rows)
    if few := [f"{excerpt(label)} {counted[label]}" for label in emotions if counted[label] < FEW]:
        found.append(f"few clips: {', '.join(few)}; recalls of these labels will say little")
    if neutral_index(emotions) is None:
        found.append("no label is called neutral, so the snippet-based filter has nothing to veto")
    for fold in range(1, folds + 1):
        for name, tests in (("test", True), ("training", False)):
            have = {row.label for row, k in zip(rows, tested, strict=True) if (k == fold) is tests}
            if without := [excerpt(label) for label in emotions if label not in have]:
                found.append(
                    f"fold {fold}: no {name} clip of {', '.join(without)}; a training of it is refused unless the "
                    "recipe has absent_emotions: true"
                )
    return [*found, *_people(rows, tested), *_copies(rows, tested)]


def _people(rows: Sequence[LabelledPath], tested: Sequence[int]) -> Iterable[str]:
    where: Mapping[str, set[int]] = defaultdict(set)
    for row, k in zip(rows, tested, strict=True):
        if row.person:
            where[row.person].add(k)
    if divided := sorted(person for person, folds in where.items() if len(folds) > 1):
        yield (
            f"{len(divided)} people are in training and in test, e.g. {excerpt(divided[0])}: a network may recognise "
            "them and not their expressions; figures will be better than for people whom it has never seen"
        )


def _copies(rows: Sequence[LabelledPath], tested: Sequence[int]) -> Iterable[str]:
    by_size: Mapping[int, list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        if row.videos and row.exists:
            by_size[row.path.stat().st_size].append(i)
    by_content: Mapping[str, list[int]] = defaultdict(list)
    for same_size in by_size.values():
        for i in same_size if len(same_size) > 1 else ():
            by_content[file_sha256(rows[i].path)].append(i)
    copies = [group for group in by_content.values() if len(group) > 1]
    if copies:
        yield f"{sum(map(len, copies)) - len(copies)} videos are copies of others, e.g. {_pair(rows, copies[0])}"
    if leaks := [g for g in copies if len({tested[i] for i in g}) > 1]:
        yield f"{len(leaks)} videos have copies in training and in test, e.g. {_pair(rows, leaks[0])}: remove these"
    if torn := [g for g in copies if len({rows[i].label for i in g}) > 1]:
        yield f"{len(torn)} videos with copies have two labels, e.g. {_pair(rows, torn[0])}"


def _pair(rows: Sequence[LabelledPath], group: Sequence[int]) -> str:
    return " and ".join(rows[i].where for i in group[:2])


def counts(rows: Sequence[LabelledPath], emotions: Sequence[str], folds: int, tested: Sequence[int]) -> str:
    """Clips of each label in training and test, as text."""
    parts: list[tuple[str, Counter[str]]] = []
    for fold in range(1, folds + 1):
        head = f"fold {fold} " if folds > 1 else ""
        chosen = Counter(row.label for row, k in zip(rows, tested, strict=True) if k == fold)
        others = Counter(row.label for row, k in zip(rows, tested, strict=True) if k != fold)
        parts += [(f"{head}train", others), (f"{head}test", chosen)]
    widths = {emotion: max(8, len(emotion) + 1) for emotion in emotions}
    lines = [f"{'':14}{'clips':>7}" + "".join(f"{emotion:>{width}}" for emotion, width in widths.items())]
    for name, counted in parts:
        numbers = "".join(f"{counted[emotion]:>{width}}" for emotion, width in widths.items())
        lines.append(f"{name:14}{counted.total():>7}{numbers}")
    return "\n".join(lines)
