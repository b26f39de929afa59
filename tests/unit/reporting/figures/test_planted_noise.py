from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nrdfer.corpora.synthetic.render import CorpusSettings, render_corpus
from nrdfer.reporting.figures import planted_noise
from nrdfer.reporting.figures.planted_noise import (
    attention_on_noise,
    choose_clips,
    noise_of_features,
    read_planted_noise,
    seen_clips,
)

N1, N2, KEY = "n1_person", "n2_neutral", "none"


def predictions(*clips: tuple[str, str, list[int], list[float]]) -> pd.DataFrame:
    return pd.DataFrame(clips, columns=["clip_id", "emotion", "frames", "attention"])


def even(clip_id: str, emotion: str, frames: int = 5) -> tuple[str, str, list[int], list[float]]:
    return clip_id, emotion, list(range(frames)), [1 / (frames - 1)] * (frames - 1)


def test_noise_is_read_from_a_rendered_corpus_and_from_its_parts(tmp_path: Path) -> None:
    tiny = dataclasses.replace(CorpusSettings.tiny(), frames=(3, 4), afew_frames=(2, 3), n1_clips=1.0, n1_rate=0.4)
    root = render_corpus(tmp_path / "corpus", tiny, workers=1)
    noise = read_planted_noise(root)
    assert noise == read_planted_noise(root / "DFEW") == read_planted_noise(root / "AFEW")
    folders = {path.name: len(list(path.iterdir())) for path in (root / "DFEW/Clip/clip_224x224").iterdir()}
    assert {clip: len(noise[clip]) for clip in folders} == folders
    assert {kind[:2] for kinds in noise.values() for kind in kinds} >= {"no", "n1"}


def test_a_real_corpus_has_no_known_noise_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    corpus = tmp_path / "DFEW"
    corpus.mkdir()
    assert read_planted_noise(corpus) == {}
    (tmp_path / "ground_truth.jsonl").write_text(json.dumps({"clip_id": "00001"}) + "\n")
    with pytest.raises(ValueError, match="damaged"):
        read_planted_noise(corpus)


def test_a_feature_counts_as_its_first_frame() -> None:
    assert noise_of_features([0, 2, 1, 1], [KEY, N1, N2]) == [KEY, N2, N1]
    with pytest.raises(ValueError, match="ground truth ends at 2"):
        noise_of_features([0, 3], [KEY, N1, N2])


def test_clips_without_frames_or_attention_are_not_seen() -> None:
    table = predictions(even("a", "fear"), ("b", "fear", [], [1.0]), ("c", "fear", [0, 1], []))
    assert list(seen_clips(table)) == ["a"]
    with pytest.raises(ValueError, match="2 attention weights for 2 frames"):
        seen_clips(predictions(("d", "fear", [0, 1], [0.5, 0.5])))


def test_lists_may_be_arrays_as_parquet_gives_them(tmp_path: Path) -> None:
    predictions(even("a", "fear"), ("b", "fear", [], [])).to_parquet(tmp_path / "table.parquet")
    table = pd.read_parquet(tmp_path / "table.parquet")
    assert isinstance(table["frames"].iloc[0], np.ndarray)
    assert choose_clips(table, {}) == ["a"]


def test_clips_with_noise_of_different_emotions_are_chosen() -> None:
    noise = {
        "a": [KEY] * 5,
        "b": [N1, KEY, KEY, KEY, KEY],
        "c": [N1, N1, KEY, KEY, KEY],  # more noise, same emotion as b
        "d": [KEY, KEY, KEY, KEY, N1],  # its only N1 frame is the last, of which there is no feature
        "e": [N1, N2, N2, N2, N2],  # the first that shows N2 as well
        "f": [N1, N1, N1, KEY, KEY],
    }
    emotions = {"a": "anger", "b": "fear", "c": "fear", "d": "anger", "e": "sadness", "f": "disgust"}
    table = predictions(*(even(clip, emotion) for clip, emotion in emotions.items()))
    assert choose_clips(table, noise, 3) == ["e", "f", "c"]
    assert choose_clips(table.sample(frac=1, random_state=1), noise, 5) == ["e", "f", "c", "a", "b"]
    assert choose_clips(table, noise, 99)[-1] == "d"
    assert choose_clips(table, {}, 3) == ["a", "b", "e"]
    assert choose_clips(table[:0], noise) == []


def test_noise_n1_goes_before_n2() -> None:
    table = predictions(even("a", "anger"), even("b", "fear"))
    assert choose_clips(table, {"a": [N2] * 5, "b": [N1, *[KEY] * 4]}, 1) == ["b"]


def table_of(weights: dict[str, list[float]]) -> pd.DataFrame:
    return predictions(*((clip, "fear", list(range(len(w) + 1)), w) for clip, w in weights.items()))


def test_attention_on_noise_is_mass_against_share_of_the_clips_that_have_it() -> None:
    noise: dict[str, Any] = {"a": [N1, KEY, KEY, KEY, KEY], "b": [N1, KEY, N1, KEY, KEY], "c": [KEY] * 5}
    weights = {"a": [0.1, 0.3, 0.3, 0.3], "b": [0.1, 0.4, 0.1, 0.4], "c": [1.0, 0, 0, 0], "unknown": [1.0, 0, 0, 0]}
    found = attention_on_noise(table_of(weights), noise)
    assert found is not None
    assert (found.clips, found.mass, found.share) == (2, pytest.approx(0.15), pytest.approx(0.375))
    assert found.ratio == pytest.approx(0.4)
    assert found.low <= found.ratio <= found.high
    assert "15.0 % of attention on 37.5 % of frames (ratio 0.40" in found.words
    assert found.reading.startswith("less than its share" if found.high < 1 else "not told")
    assert dataclasses.replace(found, low=1.1, high=2.0).reading.startswith("more than its share, the opposite")
    assert dataclasses.replace(found, low=0.1, high=0.9).reading.startswith("less than its share")


def test_a_feature_is_the_first_of_its_two_frames() -> None:
    found = attention_on_noise(table_of({"a": [0.1, 0.2, 0.3, 0.4]}), {"a": [KEY, N1, KEY, KEY, N1]})
    assert found is not None
    assert (found.mass, found.share) == (pytest.approx(0.2), 0.25)


def test_without_noise_there_is_nothing_to_measure() -> None:
    table = table_of({"a": [0.5, 0.5]})
    assert attention_on_noise(table, {}) is None
    assert attention_on_noise(table, {"a": [KEY, N2, N1]}) is None  # N1 in the last frame only


def test_the_interval_of_many_clips_takes_no_more_memory_and_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = np.random.default_rng(1).uniform(0.1, 1, size=(30, 2))
    whole = planted_noise._interval(pairs)
    largest = 0

    class Counting(np.random.Generator):
        def integers(self, high: int, size: tuple[int, int]) -> np.ndarray:  # type: ignore[override]
            nonlocal largest
            largest = max(largest, size[0] * size[1])
            return super().integers(high, size=size)

    monkeypatch.setattr(planted_noise, "_PICKS", 70)
    monkeypatch.setattr(np.random, "default_rng", lambda seed: Counting(np.random.PCG64(seed)))
    assert planted_noise._interval(pairs) == whole
    assert largest == 60
