"""Figures by scene: what they are of, and that corpora without scenes have none."""

from __future__ import annotations

import pandas as pd
import pytest

from nrdfer.core.records import ClipRecord
from nrdfer.evaluation.scenes import figures_by_scene, scenes_of


class Shards:
    def __init__(self, scenes: dict[str, str]) -> None:
        self.scenes = scenes

    def record(self, clip_id: str) -> ClipRecord:
        return ClipRecord("c", clip_id, "fear", "fold", 0, "", scene=self.scenes[clip_id])


def test_every_scene_has_its_own_figures() -> None:
    rows = [
        ("a", "fear", "fear", "War"),
        ("b", "fear", "anger", "War"),
        ("c", "calm", "calm", "War"),
        ("d", "calm", "fear", "School"),
    ]
    predictions = pd.DataFrame([row[:3] for row in rows], columns=["clip_id", "emotion", "predicted"])
    found = figures_by_scene(predictions, {row[0]: row[3] for row in rows})
    assert found["School"] == {"clips": 1, "war": 0.0, "uar": 0.0}
    assert found["War"] == {"clips": 3, "war": pytest.approx(2 / 3), "uar": 0.75}


def test_a_corpus_without_scenes_has_none() -> None:
    assert scenes_of(Shards({"a": "War", "b": "School"}), ["a", "b"]) == {"a": "War", "b": "School"}
    assert scenes_of(Shards({"a": ""}), ["a"]) == {}
    assert scenes_of(Shards({}), []) == {}
