"""One division of a corpus into training and test clips. Which divisions there are is a corpus's matter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Split:
    """One division of a corpus, and the shards its clips lie in."""

    name: str  # of the corpus's splits
    corpus: str  # in nrdfer.corpora.registry
    shards: Path
    train_ids: tuple[str, ...]
    test_ids: tuple[str, ...]
