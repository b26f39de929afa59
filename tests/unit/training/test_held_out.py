"""Clips that a training holds out: which they are, and that what is chosen on them never follows from test clips."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from nrdfer.config.recipe import Recipe
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import TrainingError
from nrdfer.core.records import ClipRecord
from nrdfer.data.dataset import StreamedSource
from nrdfer.data.settings import AugmentSettings
from nrdfer.evaluation.validation import read_validation
from nrdfer.models.saved_model import read_history
from nrdfer.models.trained_files import BEST, HISTORY, LAST, VALIDATED, VALIDATION
from nrdfer.training.held_out import hold_out
from tests.unit.training.tiny import RECIPE, KilledError, after_epoch, run, spots


class Records:
    """Records alone: emotions, and who is filmed."""

    def __init__(self, clips: Sequence[tuple[str, str]]) -> None:
        self.clips = {f"{i:05d}": clip for i, clip in enumerate(clips)}

    def record(self, clip_id: str) -> ClipRecord:
        emotion, person = self.clips[clip_id]
        return ClipRecord("made-up", clip_id, emotion, "", 16, "0" * 64, person=person)

    def frames(self, clip_id: str, indices: Sequence[int] | None = None) -> None:  # type: ignore[override]
        raise AssertionError("no frame is needed to divide clips")


def divided(clips: Sequence[tuple[str, str]], share: float, seed: int = 0) -> tuple[list[str], list[str]]:
    source = Records(clips)
    return hold_out(source, list(source.clips), share, seed)  # type: ignore[arg-type]


def test_every_emotion_has_its_share() -> None:
    clips = [("happiness", "")] * 50 + [("fear", "")] * 20 + [("disgust", "")] * 3
    kept, held = divided(clips, 0.1)
    assert sorted(kept + held) == [f"{i:05d}" for i in range(len(clips))]
    assert Counter(clips[int(c)][0] for c in held) == {"happiness": 5, "fear": 2, "disgust": 1}
    assert divided(clips, 0.1) == (kept, held)
    assert divided(clips, 0.1, seed=1) != (kept, held)


def test_nobody_is_learned_from_and_held_out() -> None:
    clips = [(emotion, f"p{person}") for person in range(20) for emotion in EMOTIONS[: 4 + person % 3]]
    kept, held = divided(clips, 0.2)
    people = [{clips[int(c)][1] for c in part} for part in (kept, held)]
    assert not people[0] & people[1] and people[1]
    assert 0.15 * len(clips) <= len(held) <= 0.25 * len(clips)
    assert {clips[int(c)][0] for c in held} == {clips[int(c)][0] for c in kept} == set(EMOTIONS[:6])


def test_clips_of_unknown_people_are_divided_one_by_one() -> None:
    clips = [("fear", "p1")] * 6 + [("fear", "")] * 6
    _, held = divided(clips, 0.5)
    assert len(held) == 6 and len({clips[int(c)][1] == "p1" for c in held}) == 1


@pytest.mark.parametrize(
    ("clips", "share", "message"),
    [
        ([("fear", "")], 0.1, "the only training clip of fear cannot be both learned from and held out"),
        (
            [("fear", "p1")] * 5 + [("anger", "p2"), ("anger", "p3")],
            0.1,
            "all 5 training clips of fear are of one person, who cannot be both learned from and held out",
        ),
        (
            [*[("fear", "p1")] * 4, *[("anger", "p1")] * 9, *[("fear", "p2")] * 4, *[("anger", "p2")] * 9],
            0.01,
            "all 18 training clips of anger are of 2 people, none of whom can be held out within the share",
        ),
    ],
)
def test_what_cannot_be_divided_is_said(clips: list[tuple[str, str]], share: float, message: str) -> None:
    with pytest.raises(TrainingError, match=message) as error:
        divided(clips, share)
    assert "\n" not in str(error.value) and "validation" in str(error.value)


def test_a_stream_does_not_say_who_is_filmed() -> None:
    class Stream(StreamedSource):
        record = frames = order = opened = None  # type: ignore[assignment]

    Stream.__abstractmethods__ = frozenset()
    with pytest.raises(TrainingError, match="reader: indexed"):
        hold_out(Stream(), ["a"], 0.1, 0)  # type: ignore[abstract]


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5])
def test_a_share_is_between_none_and_all(share: float) -> None:
    with pytest.raises(ValueError, match="above 0 and below 1"):
        Recipe(validation=share)


def test_without_the_option_a_recipe_is_stored_as_before() -> None:
    assert "validation" not in Recipe().to_dict()
    assert Recipe(validation=0.1).to_dict()["validation"] == 0.1


HELD = dataclasses.replace(
    RECIPE, epochs=8, lr=0.1, validation=0.25, augment=AugmentSettings(flip=0, brightness=0, rotation=0)
)
IDS = tuple(f"{i:05d}" for i in range(35))
PARTS = {"train_ids": IDS[:28], "test_ids": IDS[28:]}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    run(spots(35), folder, HELD, **PARTS)
    return folder


@pytest.mark.slow
def test_the_held_out_clips_are_not_learned_from_and_choose_the_epoch(trained: Path) -> None:
    out = trained / "out"
    rows, found = read_history(out), read_validation(out)
    assert found is not None and len(found.clips) == 7  # one of four clips of each emotion
    chosen = max(rows, key=lambda row: (row["validation_war"], -row["epoch"]))
    assert found.validated.epoch == chosen["epoch"] and found.last.epoch == rows[-1]["epoch"] == 8
    assert found.validated.war >= chosen["validation_war"]  # thresholds are only changed for the better
    assert found.validated.temperature > 0 and len({row["validation_war"] for row in rows}) > 1  # there was a choice
    same = (out / VALIDATED).read_bytes() == (out / LAST).read_bytes()
    assert same == (found.validated.epoch == 8)


@pytest.mark.slow
def test_poisoned_test_labels_choose_the_same(trained: Path, tmp_path: Path) -> None:
    """The validated protocol reads no test label: with all of them wrong everything is chosen alike."""
    source = spots(35)
    for clip_id in source.clip_ids[28:]:
        record, frames = source._clips[clip_id]
        wrong = EMOTIONS[(EMOTIONS.index(str(record.emotion)) + 1) % len(EMOTIONS)]
        source._clips[clip_id] = dataclasses.replace(record, emotion=wrong), frames
    run(source, tmp_path, HELD, **PARTS)
    for name in (VALIDATED, VALIDATION, LAST):
        assert (tmp_path / "out" / name).read_bytes() == (trained / "out" / name).read_bytes(), name
    assert (tmp_path / "out" / HISTORY).read_bytes() != (trained / "out" / HISTORY).read_bytes()  # it was poison


@pytest.mark.slow
def test_a_killed_training_chooses_the_same(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        run(spots(35), tmp_path, HELD, **PARTS, **after_epoch(2))
    run(spots(35), tmp_path, HELD, **PARTS)
    for name in (VALIDATED, VALIDATION, LAST, BEST, HISTORY):
        assert (tmp_path / "out" / name).read_bytes() == (trained / "out" / name).read_bytes(), name
    assert json.loads((tmp_path / "out" / VALIDATION).read_text())["clips"]
