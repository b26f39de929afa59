"""Damaged label files and lists: emotions of the seven for whole folds, or an error in words."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from nrdfer.core.emotions import AFEW_FOLDERS, EMOTIONS
from nrdfer.corpora.labels import read_labels
from nrdfer.corpora.lists import read_afew_lists
from nrdfer.preprocessing.folds import read_folds
from tests.fuzz.harness import fuzz
from tests.fuzz.mutate import damaged_bytes, damaged_json

CLIPS = 14


def rows(fold: int, part: str) -> list[tuple[int, int]]:
    return [(i, i % 7 + 1) for i in range(1, CLIPS + 1) if (i % 5 + 1 == fold) == (part == "test")]


@pytest.mark.parametrize("kind", ["csv", "list"])
def test_damaged_labels_of_dfew_give_whole_folds_or_words(tmp_path: Path, kind: str) -> None:
    paths = {}
    for fold in range(1, 6):
        for part in ("train", "test"):
            if kind == "csv":
                path = tmp_path / f"{part}_set_{fold}.csv"
                text = "video_name,label\n" + "".join(f"{i:05d},{label}\n" for i, label in rows(fold, part))
            else:
                path = tmp_path / f"DFEW_set_{fold}_{part}.txt"
                text = "".join(f"/d/{i:05d} {20 + i} {label - 1}\n" for i, label in rows(fold, part))
            path.write_text(text)
            paths[path] = text
    right = read_labels(tmp_path)
    texts = [text.encode(encoding) for text in paths.values() for encoding in ("utf-8", "utf-16")]

    def make(rng: random.Random) -> tuple[Path, bytes]:
        path = rng.choice(list(paths))
        return path, damaged_bytes([paths[path].encode(), paths[path].encode("utf-16"), rng.choice(texts)], rng)

    def run(given: tuple[Path, bytes]) -> None:
        path, data = given
        path.write_bytes(data)
        try:
            folds = read_labels(tmp_path)
        finally:
            path.write_text(paths[path])
        for fold in folds.values():
            assert not fold.train.keys() & fold.test.keys()
            assert {*fold.train.values(), *fold.test.values()} <= set(EMOTIONS)
        tested = {clip: emotion for fold in folds.values() for clip, emotion in fold.test.items()}
        assert tested.keys() == {clip for fold in right.values() for clip in fold.test}

    tally = fuzz(f"labels of DFEW, {kind}", make, run, slower=2)
    assert tally.words and tally.results


def test_damaged_lists_of_afew_give_what_their_folders_say_or_words(tmp_path: Path) -> None:
    text = "".join(
        f"/d/{name}/0_{EMOTIONS.index(AFEW_FOLDERS[name])}_00{i} 57 {i}\n" for i, name in enumerate(AFEW_FOLDERS)
    )
    (tmp_path / "AFEW_validation.txt").write_text(text)
    path = tmp_path / "AFEW_train.txt"

    def run(data: bytes) -> None:
        path.write_bytes(data)
        for clip_id, emotion in read_afew_lists(tmp_path)["train"].items():
            assert AFEW_FOLDERS[clip_id.split("_")[1]] == emotion

    tally = fuzz("lists of AFEW", lambda rng: damaged_bytes([text.encode(), text.encode("utf-16")], rng), run)
    assert tally.words and tally.results


def test_damaged_folds_give_lists_of_clips_or_words(tmp_path: Path) -> None:
    good = {str(k): {"train": ["00001", "00002"], "test": ["00003"]} for k in range(1, 4)}
    path = tmp_path / "folds.json"

    def run(data: bytes) -> None:
        path.write_bytes(data)
        for fold in read_folds(path).values():
            assert all(isinstance(clip, str) for part in ("train", "test") for clip in fold[part])

    tally = fuzz("folds", lambda rng: damaged_json(good, rng), run)
    assert tally.words and tally.results
    shutil.rmtree(tmp_path)
