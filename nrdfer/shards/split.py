"""One split of a corpus into training and test clips. The splits themselves belong to the corpora."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Split:
    """One split of a corpus, and the shards of its clips."""

    name: str  # of the corpus's splits
    corpus: str  # in nrdfer.corpora.registry
    shards: Path
    train_ids: tuple[str, ...]
    test_ids: tuple[str, ...]
