"""Each verdict passes sound data and names a defect that was planted."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from devtools.shard_files import write_shards
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.records import ClipRecord, FrameRecord
from nrdfer.preprocessing.clip_files import EXCLUDED_CSV, write_clip, write_reasons
from nrdfer.preprocessing.picture_listing import CLIPS, LISTING, ListedClip, PictureListing
from nrdfer.preprocessing.validation import Verdict, judge_faces, judge_folds, judge_listed_clips, judge_parts
from nrdfer.shards.index import INDEX

FRAMES = 4
Row = dict[str, Any]


def make_row(split: str, emotion: str, number: int) -> Row:
    clip_id = f"{split}_{emotion}_{number}"
    return {"clip_id": clip_id, "path": f"/{clip_id}.avi", "emotion": emotion, "split": split, "sha256": clip_id}


def rows_of(clips: int) -> list[Row]:
    return [make_row(split, e, n) for split in ("train", "val") for e in ("fear", "happiness") for n in range(clips)]


def make_record(row: Row, faces: int = FRAMES) -> ClipRecord:
    told = tuple(FrameRecord(i, has_face=i < faces) for i in range(FRAMES))
    return ClipRecord("afew", row["clip_id"], row["emotion"], row["split"], FRAMES, "0" * 64, frames=told)


def pictures() -> np.ndarray:
    return np.zeros((FRAMES, 16, 16, 3), np.uint8)


def shards_of(folder: Path, records: list[ClipRecord], aside: list[str]) -> Path:
    folder.mkdir()
    write_shards(((record, pictures()) for record in records), folder, prefix="x", clips_per_shard=3)
    write_reasons(folder / EXCLUDED_CSV, [(clip_id, "no_face: none") for clip_id in aside])
    return folder


def only_problem(verdict: Verdict, words: str) -> None:
    assert not verdict.passed
    (problem,) = verdict.problems
    assert re.search(words, problem), problem


# --- AFEW's shards


@pytest.fixture
def rows() -> list[Row]:
    return rows_of(2)


def test_sound_shards_of_afew_pass(rows: list[Row], tmp_path: Path) -> None:
    shards = shards_of(tmp_path / "s", [make_record(row) for row in rows[1:]], [rows[0]["clip_id"]])
    verdict = judge_parts(rows, shards, EMOTIONS)
    assert verdict.problems == ()
    assert verdict.passed
    figures = verdict.figures
    assert (figures["clips_listed"], figures["clips_in_shards"], figures["clips_set_aside"]) == (8, 7, 1)
    assert (figures["frames"], figures["videos_in_train_and_val"]) == (28, 0)
    assert figures["clips_per_class"]["train"] == {e: {"fear": 1, "happiness": 2}.get(e, 0) for e in EMOTIONS}


def test_a_clip_id_in_train_and_val(rows: list[Row], tmp_path: Path) -> None:
    shards = shards_of(tmp_path / "s", [make_record(row) for row in rows], [])
    twice = [*rows, {**rows[0], "split": "val"}]
    verdict = judge_parts(twice, shards, EMOTIONS)
    assert any(re.match(r"1 clip is listed more than once.*train_fear_0", told) for told in verdict.problems)


def test_a_clip_that_was_lost(rows: list[Row], tmp_path: Path) -> None:
    shards = shards_of(tmp_path / "s", [make_record(row) for row in rows[1:]], [])
    only_problem(judge_parts(rows, shards, EMOTIONS), r"1 clip is listed, and neither in the shards nor.*train_fear_0")


def test_a_clip_from_nowhere(rows: list[Row], tmp_path: Path) -> None:
    shards = shards_of(tmp_path / "s", [make_record(row) for row in rows], [])
    only_problem(judge_parts(rows[:-1], shards, EMOTIONS), r"1 clip is in the shards and not listed.*val_happiness_1")


def test_a_clip_that_was_kept_and_set_aside(rows: list[Row], tmp_path: Path) -> None:
    shards = shards_of(tmp_path / "s", [make_record(row) for row in rows], [rows[3]["clip_id"]])
    only_problem(judge_parts(rows, shards, EMOTIONS), r"in the shards, though excluded.*train_happiness_1")
    doubled = shards_of(tmp_path / "d", [make_record(row) for row in rows[1:]], [rows[0]["clip_id"]] * 2)
    only_problem(judge_parts(rows, doubled, EMOTIONS), "excluded more than once")


def test_a_class_that_vanished_from_a_split(rows: list[Row], tmp_path: Path) -> None:
    gone = [row["clip_id"] for row in rows if (row["split"], row["emotion"]) == ("val", "fear")]
    shards = shards_of(tmp_path / "s", [make_record(row) for row in rows if row["clip_id"] not in gone], gone)
    only_problem(judge_parts(rows, shards, EMOTIONS), "val has no clip of fear left, though 2 are listed")


@pytest.mark.parametrize("change", [{"split": "val"}, {"emotion": "happiness"}])
def test_a_clip_that_became_another(rows: list[Row], tmp_path: Path, change: dict[str, str]) -> None:
    records = [make_record(row) for row in rows]
    shards = shards_of(tmp_path / "s", [dataclasses.replace(records[0], **change), *records[1:]], [])
    only_problem(judge_parts(rows, shards, EMOTIONS), "another emotion or split in the shards.*train_fear_0")


def test_a_record_that_counts_other_frames_than_the_index(rows: list[Row], tmp_path: Path) -> None:
    shards = shards_of(tmp_path / "s", [make_record(row) for row in rows], [])
    index = json.loads((shards / INDEX).read_text())
    entry = index["clips"]["train_fear_1"]
    entry["frames"].pop()
    entry["n_frames"] -= 1
    (shards / INDEX).write_text(json.dumps(index))
    only_problem(judge_parts(rows, shards, EMOTIONS), "another number of frames.*train_fear_1")


def test_one_video_under_two_names_is_told(rows: list[Row], tmp_path: Path) -> None:
    shards = shards_of(tmp_path / "s", [make_record(row) for row in rows], [])
    rows[-1]["sha256"] = rows[0]["sha256"]
    verdict = judge_parts(rows, shards, EMOTIONS)
    assert verdict.passed
    assert verdict.figures["videos_in_train_and_val"] == 1


# --- faces


def aligned_of(folder: Path, rows: list[Row], faces: list[int], aside: list[Row]) -> Path:
    folder.mkdir()
    for row, found in zip(rows, faces, strict=True):
        write_clip(folder, make_record(row, found), pictures(), 16)
    write_reasons(folder / EXCLUDED_CSV, [(row["clip_id"], "no_face: none: at all") for row in aside])
    return folder


def test_faces_in_half_of_the_frames_and_clips_are_enough(rows: list[Row], tmp_path: Path) -> None:
    verdict = judge_faces(rows, aligned_of(tmp_path / "a", rows[:4], [4, 2, 2, 0], rows[4:]))
    assert verdict.problems == ()
    figures = verdict.figures
    assert (figures["clips"], figures["set_aside"], figures["share_of_frames_with_face"]) == (4, 4, 0.5)
    assert (figures["lowest_share_of_a_clip"], figures["share_of_a_clip_median"]) == (0.0, 0.5)
    assert figures["clips_with_face_in_less_than_half"] == 1


def test_too_many_clips_set_aside(rows: list[Row], tmp_path: Path) -> None:
    verdict = judge_faces(rows, aligned_of(tmp_path / "a", rows[:3], [4, 4, 4], rows[3:]))
    only_problem(verdict, r"^5 of 8 clips were excluded \(5 no_face; e\.g\. train_happiness_1: no_face: none: at all\)")


def test_every_clip_set_aside(rows: list[Row], tmp_path: Path) -> None:
    verdict = judge_faces(rows, aligned_of(tmp_path / "a", [], [], rows))
    only_problem(verdict, "^8 of 8 clips were excluded")


def test_too_few_frames_with_the_target(rows: list[Row], tmp_path: Path) -> None:
    verdict = judge_faces(rows, aligned_of(tmp_path / "a", rows, [2, 2, 2, 2, 2, 2, 2, 1], []))
    only_problem(verdict, "the target was found in 15 of 32 frames, fewer than 50%")


def test_an_aligned_clip_that_was_lost(rows: list[Row], tmp_path: Path) -> None:
    verdict = judge_faces(rows, aligned_of(tmp_path / "a", rows[1:], [4] * 7, []))
    only_problem(verdict, "neither aligned nor excluded.*train_fear_0")


# --- DFEW


def dfew_of(root: Path, labels: list[str]) -> PictureListing:
    """Twice as many clips as labels; the first half is tested by fold 1, the second by fold 2."""
    root.mkdir()
    ids = [f"{n:05d}" for n in range(2 * len(labels))]
    clips = [ListedClip(i, e, "0" * 64, "/p", (("0.png", "0" * 64),)) for i, e in zip(ids, labels * 2, strict=True)]
    half = len(labels)
    folds = {"1": {"train": ids[half:], "test": ids[:half]}, "2": {"train": ids[:half], "test": ids[half:]}}
    (root / CLIPS).write_text("".join(clip.to_line() + "\n" for clip in clips))
    (root / LISTING).write_text(json.dumps({"folds": folds, "set_aside": [["99999", "no pictures"]]}))
    return PictureListing(root)


@pytest.fixture
def listing(tmp_path: Path) -> PictureListing:
    return dfew_of(tmp_path / "listing", ["fear", "fear", "happiness"])


def dfew_shards(root: Path, listing: PictureListing, without: list[str], aside: list[str]) -> Path:
    rows = [{"clip_id": c.clip_id, "emotion": c.emotion, "split": "fold"} for c in listing.clips()]
    return shards_of(root / "s", [make_record(row) for row in rows if row["clip_id"] not in without], aside)


def folds_without(listing: PictureListing, without: list[str]) -> dict[str, dict[str, list[str]]]:
    return {k: {p: [c for c in ids if c not in without] for p, ids in f.items()} for k, f in listing.folds.items()}


def test_sound_dfew_passes(listing: PictureListing, tmp_path: Path) -> None:
    shards = dfew_shards(tmp_path, listing, ["00000"], ["99999", "00000"])
    folds = folds_without(listing, ["00000"])
    verdict = judge_listed_clips(listing, shards, folds, EMOTIONS)
    assert verdict.problems == ()
    figures = verdict.figures
    assert (figures["clips_listed"], figures["clips_in_shards"], figures["clips_set_aside"]) == (7, 5, 2)
    assert {e: n for e, n in figures["clips_per_class"]["fold 1 test"].items() if n} == {"fear": 1, "happiness": 1}
    assert judge_folds(shards, folds) == Verdict(
        (),
        {
            "clips_in_train_and_test": {},
            "clips_in_no_test_fold": 0,
            "clips_in_two_test_folds": 0,
            "clips_tested": 5,
        },
    )


def test_a_clip_of_dfew_that_was_lost(listing: PictureListing, tmp_path: Path) -> None:
    shards = dfew_shards(tmp_path, listing, ["00000"], ["99999"])
    only_problem(
        judge_listed_clips(listing, shards, folds_without(listing, ["00000"]), EMOTIONS),
        "1 clip is listed, and neither in the shards nor excluded, e.g. 00000",
    )


def test_a_labelled_clip_without_pictures_that_was_forgotten(listing: PictureListing, tmp_path: Path) -> None:
    only_problem(
        judge_listed_clips(listing, dfew_shards(tmp_path, listing, [], []), listing.folds, EMOTIONS),
        "nor excluded, e.g. 99999",
    )


def test_a_class_that_vanished_from_a_fold(listing: PictureListing, tmp_path: Path) -> None:
    shards = dfew_shards(tmp_path, listing, ["00002"], ["99999", "00002"])
    verdict = judge_listed_clips(listing, shards, folds_without(listing, ["00002"]), EMOTIONS)
    # fold 1 tests that clip, and fold 2 trains on it
    assert [problem.split(",")[0] for problem in verdict.problems] == [
        "fold 1: no test clip of happiness is left",
        "fold 2: no train clip of happiness is left",
    ]


def test_folds_that_forgot_a_class(listing: PictureListing, tmp_path: Path) -> None:
    shards = dfew_shards(tmp_path, listing, [], ["99999"])
    assert judge_listed_clips(listing, shards, listing.folds, EMOTIONS).passed
    short = folds_without(listing, [])
    short["2"]["test"].remove("00005")
    only_problem(judge_listed_clips(listing, shards, short, EMOTIONS), "fold 2: no test clip of happiness is left")
    assert (
        len(judge_listed_clips(listing, shards, {"1": listing.folds["1"]}, EMOTIONS).problems) == 4
    )  # fold 2 is not there


def test_a_clip_with_another_emotion(listing: PictureListing, tmp_path: Path) -> None:
    shards = dfew_shards(tmp_path, listing, [], ["99999"])
    other = dfew_of(tmp_path / "other", ["fear", "fear", "happiness"])
    lines = (
        (tmp_path / "other" / CLIPS).read_text().replace('"00000","emotion":"fear"', '"00000","emotion":"happiness"')
    )
    (tmp_path / "other" / CLIPS).write_text(lines)
    only_problem(judge_listed_clips(other, shards, other.folds, EMOTIONS), "another emotion in the shards.*00000")


def test_a_clip_in_train_and_test(listing: PictureListing, tmp_path: Path) -> None:
    shards = dfew_shards(tmp_path, listing, [], ["99999"])
    folds = folds_without(listing, [])
    folds["1"]["train"].append("00001")
    verdict = judge_folds(shards, folds)
    only_problem(verdict, "1 clip is in train and test of fold 1, e.g. 00001")
    assert verdict.figures["clips_in_train_and_test"] == {"1": ["00001"]}


def test_a_clip_in_two_test_folds_and_one_in_none(listing: PictureListing, tmp_path: Path) -> None:
    shards = dfew_shards(tmp_path, listing, [], ["99999"])
    folds = folds_without(listing, [])
    folds["2"]["test"].append("00000")
    folds["2"]["train"].remove("00000")
    only_problem(judge_folds(shards, folds), "1 clip is in two test folds, e.g. 00000")
    folds["1"]["test"].remove("00000")
    folds["2"]["test"].remove("00000")
    only_problem(judge_folds(shards, folds), "1 clip is in no test fold, e.g. 00000")


def test_a_fold_with_a_clip_that_is_not_there(listing: PictureListing, tmp_path: Path) -> None:
    shards = dfew_shards(tmp_path, listing, [], ["99999"])
    folds = folds_without(listing, [])
    folds["1"]["test"].append("88888")
    only_problem(judge_folds(shards, folds), "in a fold and not in the shards, e.g. 88888")


def test_one_official_division_needs_every_clip_in_train_or_test(listing: PictureListing, tmp_path: Path) -> None:
    shards = dfew_shards(tmp_path, listing, [], ["99999"])
    folds = {"1": folds_without(listing, [])["1"]}
    assert judge_folds(shards, folds).passed
    folds["1"]["train"].remove(folds["1"]["train"][0])
    only_problem(judge_folds(shards, folds), "1 clip is neither in train nor in test")
