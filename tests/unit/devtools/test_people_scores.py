"""Scores of how people are followed, on made-up findings whose counts are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from devtools.people_scores import Score
from devtools.planted_people import Planted

LEFT, RIGHT, WALL = (0.0, 0.0, 50.0, 50.0), (200.0, 0.0, 250.0, 50.0), (400.0, 200.0, 440.0, 240.0)
#: Ten frames of both, five of the right one alone, five of nobody.
TRUTH = Planted(2, 1, (*({0: LEFT, 1: RIGHT},) * 10, *({1: RIGHT},) * 5, *({},) * 5))


def person(boxes: list[Any], windows: Sequence[Any] = (), emotion: str | None = None) -> dict[str, Any]:
    seen = [i for i, box in enumerate(boxes) if box is not None]
    return {"boxes": boxes, "windows": windows, "emotion": emotion, "frames_seen": seen}


def cells(target: dict[str, Any], *others: dict[str, Any]) -> list[str]:
    score = Score()
    score.add(TRUTH, {"target": target, "people": [target, *others]})
    return score.cells


def test_a_person_who_is_followed_throughout() -> None:
    left = person([LEFT] * 10 + [None] * 10, [{"frames": list(range(10))}], "fear")
    right = person([RIGHT] * 15 + [None] * 5)
    assert cells(left, right) == ["100.0 %", "0.00", "0 of 1", "0", "100.0 %"]
    assert cells(right) == ["100.0 %", "0.00", "0 of 0", "0", "60.0 %"]


def test_a_target_that_becomes_another_person_and_then_a_wall() -> None:
    boxes = [LEFT] * 10 + [RIGHT] * 5 + [WALL] * 5
    found = cells(person(boxes, [{"frames": [0, 1, 2, 3]}, {"frames": list(range(10, 20))}], "fear"))
    assert found[:4] == ["100.0 %", f"{2 / (20 / 10 / 60):.2f}", "1 of 2", "0"]


def test_an_answer_from_a_wall_has_no_evidence() -> None:
    found = cells(person([WALL] * 20, [{"frames": list(range(20))}], "fear"))
    assert found == ["0.0 %", "0.00", "1 of 1", "1", "0.0 %"]


def test_nobody_who_is_found_is_no_error() -> None:
    assert cells(person([None] * 20)) == ["0.0 %", "0.00", "0 of 0", "0", "0.0 %"]
