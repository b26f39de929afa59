"""Labels alone: counts from label files, lists and class folders below a folder, by split, fold and emotion.

Pictures and videos are not opened or counted; whether a copy is complete is checked by ``doctor``. Which labels of a
corpus there are, the corpus itself says (`nrdfer.corpora.base.Corpus.label_counts`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nrdfer.core.errors import CorpusError
from nrdfer.corpora.label_counts import LabelCounts
from nrdfer.corpora.lists import files_like_labels
from nrdfer.corpora.registry import CORPORA

_NARROWEST = 11  # columns of an emotion


def read_label_counts(root: Path) -> list[LabelCounts]:
    """Counts of the labels in each place below `root`, corpus by corpus in the order of the registry.

    Raises:
        CorpusError: no such folder, no labels below it, or some that contradict themselves.
    """
    known = [corpus for corpus in CORPORA.values() if corpus.labels]
    if not root.is_dir():
        titles = ", ".join(dict.fromkeys(corpus.title for corpus in known))
        raise CorpusError(f"{root} is not a folder; give one that holds labels of a corpus ({titles})")
    sets = [found for corpus in known for found in corpus.label_counts(root)]
    if not sets:
        looked = "; ".join(f"{corpus.title}: {corpus.labels}" for corpus in known)
        raise CorpusError(
            f"{root} holds no labels that are known. Looked for {looked}. Files found that may be labels: "
            f"{files_like_labels(root)}"
        )
    return sets


def table_of(found: LabelCounts) -> str:
    """Clips by part and emotion, as text; a fold whose train and test share clips has a line that says so."""
    rows: list[tuple[str, Mapping[str, Any]]] = []
    shared: list[str] = []
    for split, parts in found.splits.items():
        if "clips" in parts:
            rows.append((split, parts))
            continue
        rows += [(f"fold {split} {part}", parts[part]) for part in ("train", "test")]
        if parts["shared"]:
            shared.append(f"fold {split}: {parts['shared']} clips are in both train and test")
    rows.append(("all", {"clips": found.clips, "emotions": found.emotions}))
    widths = {emotion: max(_NARROWEST, len(emotion) + 1) for emotion in found.emotions}
    lines = [f"{'':14}{'clips':>7}" + "".join(f"{emotion:>{width}}" for emotion, width in widths.items())]
    for name, part in rows:
        counts = "".join(f"{part['emotions'][emotion]:>{width}}" for emotion, width in widths.items())
        lines.append(f"{name:14}{part['clips']:>7}{counts}")
    return "\n".join([*lines, *shared])
