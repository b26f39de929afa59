"""Everyone is followed across cuts, has tables, a strip and a label for each frame; nobody is answered for another."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from devtools.planted_people import SHOT, Planted, plant
from nrdfer.predict.annotate import Canvas
from nrdfer.predict.predictor import Predictor
from nrdfer.predict.result import Person, Prediction, prediction_to_dict
from nrdfer.predict.video_output import Work, predict_one
from nrdfer.video.decode import iter_frames
from nrdfer.video.discovery import list_sources

pytestmark = pytest.mark.slow
EMPTY = 10  # frames


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Planted]:
    """Two people in three shots, of which the middle one shows the second person at most, and a wall."""
    video = tmp_path_factory.mktemp("planted") / "two.avi"
    return video, plant(video, people=2, cuts=2, seed=4, empty=EMPTY)


@pytest.fixture(scope="module")
def found(predictor: Predictor, planted: tuple[Path, Planted]) -> Prediction:
    return predictor.predict(planted[0])


def owners(person: Person, truth: Planted) -> list[int | None]:
    """Whose face each frame's box is on."""
    whose: list[int | None] = []
    for record, boxes in zip(person.records, truth.frames, strict=True):
        if not record.has_face or record.box is None:
            whose.append(None)
            continue
        x, y = (record.box[0] + record.box[2]) / 2, (record.box[1] + record.box[3]) / 2
        inside = [who for who, (x1, y1, x2, y2) in boxes.items() if x1 < x < x2 and y1 < y < y2]
        whose.append(inside[0] if inside else -1)
    return whose


def test_both_are_followed_across_cuts(found: Prediction, planted: tuple[Path, Planted]) -> None:
    truth = planted[1]
    assert (found.status, found.people_found, len(found.people)) == ("ok", 2, 2)
    assert [person.number for person in found.people] == [1, 2]
    assert found.target is found.people[0]
    seen = [owners(person, truth) for person in found.people]
    assert {frozenset(who for who in whose if who is not None) for whose in seen} == {frozenset({0}), frozenset({1})}
    for whose in seen:
        (who,) = {one for one in whose if one is not None}
        shown = [who in boxes for boxes in truth.frames]
        followed = sum(there for one, there in zip(whose, shown, strict=True) if one is not None)
        assert followed >= 0.95 * sum(shown)


def test_a_frames_label_says_what_it_shows_instead(found: Prediction, planted: tuple[Path, Planted]) -> None:
    truth = planted[1]
    (person,) = (each for each in found.people if 0 in owners(each, truth))
    middle = truth.frames[SHOT + SHOT // 2]
    assert 0 not in middle
    assert person.labels[SHOT + SHOT // 2] == ("another_person" if middle else "no_face")
    assert set(person.labels[-EMPTY:]) == {"no_face"}
    assert person.labels[0] == "person"


def test_answers_see_frames_of_their_own_person_only(found: Prediction) -> None:
    for person in found.people:
        assert any(row.answer for row in person.windows)
        for row in person.windows:
            if row.answer is not None:
                assert all(person.records[frame].has_face for frame in row.answer.frames)
            else:
                assert row.label in ("no_face", "another_person", "not_sure")


def test_everyone_is_in_the_files_and_the_main_person_keeps_the_names(
    predictor: Predictor, planted: tuple[Path, Planted], found: Prediction, tmp_path: Path
) -> None:
    (source,) = list_sources([planted[0]])
    row = predict_one(source, Work(predictor, tmp_path, annotate=False))
    folder = tmp_path / source.clip_id
    names = {"frames.csv", "timeline.csv", "strip.png", "people.csv", "prediction.json"}
    assert {path.name for path in folder.iterdir()} == names | {"frames_2.csv", "timeline_2.csv", "strip_2.png"}
    with (folder / "people.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(line["person"], line["emotion"]) for line in rows] == [
        (str(person.number), person.answer.emotion if person.answer else "") for person in found.people
    ]
    assert (row.person, row.people, row.emotion, len(row.others)) == (1, 2, found.answer and found.answer.emotion, 2)
    with (folder / "frames_2.csv").open() as file:
        labels = [line["label"] for line in csv.DictReader(file)]
    assert labels == list(found.people[1].labels)
    assert predict_one(source, Work(predictor, tmp_path, annotate=False)).repeated
    told = prediction_to_dict(found)
    assert [person["colour"] for person in told["people"]] == [person.colour for person in found.people]
    assert sum(run["last_frame"] - run["first_frame"] + 1 for run in told["people"][1]["labels"]) == len(labels)


def test_the_annotated_picture_shows_all(found: Prediction, planted: tuple[Path, Planted]) -> None:
    canvas = Canvas(found)
    frame = next(iter_frames(planted[0]))
    drawn = canvas.draw(frame, 0)
    for person in found.people:
        box = person.records[0].box
        assert box is not None
        scale = canvas.width / frame.shape[1]
        pixel = drawn[round((box[1] + box[3]) / 2 * scale), round(box[0] * scale)].tolist()
        assert pixel == [int(person.colour[i : i + 2], 16) for i in (1, 3, 5)]


@pytest.mark.parametrize(("people", "count"), [("main", 1), (1, 1), (5, 2)])
def test_fewer_people_may_be_asked_for(
    predictor: Predictor, planted: tuple[Path, Planted], found: Prediction, people: str | int, count: int
) -> None:
    asked = Predictor(predictor.model, predictor.cropper, predictor.windows, device="cpu", people=people)
    fewer = asked.predict(planted[0])
    assert (len(fewer.people), fewer.people_found) == (count, 2)
    assert fewer.answer == found.answer
