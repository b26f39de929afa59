"""MLflow's dataset inputs of a training: its training and test clips, by content and by count.

Only facts that can be checked against the store belong here; the clips themselves never enter MLflow.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrdfer.shards.index import ShardIndex
from nrdfer.store import digest_of

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

    from nrdfer.shards.split import Split

DIGEST = 36  # characters that MLflow keeps of a data set's digest
_CONTEXT = "mlflow.data.context"  # MLflow's tag for what a data set was used for


def clips_digest(clip_ids: Sequence[str]) -> str:
    """Digest of a list of clips, as far as MLflow keeps it; the order does not count."""
    return digest_of(sorted(clip_ids))[:DIGEST]


def datasets_of(split: Split, shards_digest: str) -> list[dict[str, Any]]:
    """The two lists of clips of a split, in plain types.

    Args:
        split: the clips, and their shards.
        shards_digest: digest of the shards' artefact.
    """
    index = ShardIndex.load(split.shards)
    rows = []
    for part, ids in (("train", split.train_ids), ("test", split.test_ids)):
        entries = [index.clips[clip_id] for clip_id in ids]
        rows.append(
            {
                "name": f"{split.corpus}-{split.name}-{part}"
                if split.name != split.corpus
                else f"{split.corpus}-{part}",
                "digest": clips_digest(ids),
                "context": "training" if part == "train" else "testing",
                "source": {"uri": str(split.shards), "shards": shards_digest},
                "profile": {
                    "clips": len(ids),
                    "frames": sum(entry.n_frames for entry in entries),
                    "emotions": dict(sorted(Counter(str(entry.emotion) for entry in entries).items())),
                },
            }
        )
    return rows


def corpus_dataset(corpus: str, shards: Path, shards_digest: str) -> dict[str, Any]:
    """All clips of a corpus, in plain types."""
    index = ShardIndex.load(shards)
    emotions = Counter(str(entry.emotion) for entry in index.clips.values())
    return {
        "name": corpus,
        "digest": shards_digest[:DIGEST],
        "context": "all clips",
        "source": {"uri": str(shards), "shards": shards_digest},
        "profile": {
            "clips": len(index.clips),
            "frames": sum(entry.n_frames for entry in index.clips.values()),
            "emotions": dict(sorted(emotions.items())),
        },
    }


def to_mlflow(rows: Sequence[Mapping[str, Any]]) -> list[DatasetInput]:
    """The same in MLflow's types."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    return [
        DatasetInput(
            Dataset(
                name=row["name"],
                digest=row["digest"],
                source_type="local",
                source=json.dumps(row["source"]),
                profile=json.dumps(row["profile"]),
            ),
            [InputTag(_CONTEXT, row["context"])],
        )
        for row in rows
    ]
