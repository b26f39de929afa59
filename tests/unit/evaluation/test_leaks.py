from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from devtools.shard_files import write_shards
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import StoreError
from nrdfer.core.records import ClipRecord
from nrdfer.evaluation.leaks import (
    LEAKS,
    Leaks,
    find_leaks,
    plain,
    read_leaks,
    rebuilt,
    split_in_words,
    without_leaks,
    write_leaks,
)
from nrdfer.evaluation.near_duplicates import Neighbour
from nrdfer.shards.split import Split


def test_a_copy_in_the_shards_is_found_whatever_the_number_of_threads(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (6, 1, 8, 8, 3), np.uint8)
    clips = np.repeat(np.repeat(np.repeat(blocks, 3, 1), 8, 2), 8, 3)
    clips[5] = np.clip(clips[0].astype(int) * 0.8 + 20, 0, 255)  # the copy
    made = ((ClipRecord("dfew", f"{i:05d}", EMOTIONS[i], "", 3, "0" * 64), clip) for i, clip in enumerate(clips))
    (tmp_path / "shards").mkdir()
    write_shards(made, tmp_path / "shards", prefix="dfew", clips_per_shard=4)
    ids = [f"{i:05d}" for i in range(6)]
    splits = [
        Split("fd1", "dfew", tmp_path / "shards", tuple(ids[:4]), tuple(ids[4:])),
        Split("fd2", "dfew", tmp_path / "shards", tuple(ids[1:]), tuple(ids[:1])),
    ]
    seen: list[tuple[int, int]] = []
    found = find_leaks(splits, workers=2, progress=lambda done, whole: seen.append((done, whole)))
    assert [[(n.clip_id, n.of) for n in each.neighbours] for each in found] == [
        [("00005", "00000")],
        [("00000", "00005")],
    ]
    assert find_leaks(splits, workers=1) == found and seen[-1] == (9, 9)


LEAK = Leaks("fd1", 100, 4, (Neighbour("b", "x", 0.99),))


def test_figures_with_and_without_the_leaks() -> None:
    table = pd.DataFrame(
        {
            "clip_id": list("abcd"),
            "emotion": ["fear", "fear", "anger", "anger"],
            "predicted": ["anger", "fear", "anger", "fear"],
        }
    ).assign(predicted_unfiltered=lambda made: made["predicted"])
    found = without_leaks(table, EMOTIONS, LEAK)
    assert found["all"] == {"clips": 4, "war": 0.5, "uar": 0.5}
    assert found["without"] == {"clips": 3, "war": pytest.approx(1 / 3), "uar": 0.25}
    assert "without" not in without_leaks(table.iloc[1:2], EMOTIONS, LEAK)
    text = split_in_words("fd1", plain([LEAK], {"fd1": {"honest": found}})["fd1"])
    assert text.startswith("fd1: 1 of 4 test clips (25.00 %)") and "WAR honest 50.00 with, 33.33 without them" in text


def test_what_is_written_is_read_again_and_damage_is_said(tmp_path: Path) -> None:
    write_leaks(tmp_path, plain([LEAK], {}))
    assert rebuilt(read_leaks(tmp_path)) == [LEAK]
    for damage in ("", "[]", json.dumps({"fd1": {"test": 4}})):
        (tmp_path / LEAKS).write_text(damage)
        with pytest.raises(StoreError, match="holds no leak report"):
            read_leaks(tmp_path)
