"""Figures of each kind of scene, for a corpus whose clips say their scene (FERV39k has 22).

What a clip's scene is stands in its record in the shards; figures of a whole test set belong to ``protocols``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pandas as pd

from nrdfer.core.records import ClipRecord


class Records(Protocol):
    """Shards that know the record of each clip."""

    def record(self, clip_id: str) -> ClipRecord:
        """The record of a clip."""
        ...


def scenes_of(shards: Records, clip_ids: Sequence[str]) -> dict[str, str]:
    """Scene of every clip; empty if the corpus has none, or the shards are read as a stream, without records."""
    if not clip_ids or not shards.record(clip_ids[0]).scene:
        return {}
    return {clip_id: shards.record(clip_id).scene for clip_id in clip_ids}


def figures_by_scene(predictions: pd.DataFrame, scenes: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Scene -> number of clips, WAR and UAR (0 to 1; the mean over the emotions that the scene has clips of).

    Args:
        predictions: with the columns ``clip_id``, ``emotion`` and ``predicted``.
        scenes: of all its clips.
    """
    table = pd.DataFrame(
        {
            "scene": predictions["clip_id"].map(scenes),
            "emotion": predictions["emotion"],
            "hit": predictions["emotion"] == predictions["predicted"],
        }
    )
    return {
        str(scene): {
            "clips": len(clips),
            "war": float(clips["hit"].mean()),
            "uar": float(clips.groupby("emotion")["hit"].mean().mean()),
        }
        for scene, clips in table.groupby("scene")
    }
