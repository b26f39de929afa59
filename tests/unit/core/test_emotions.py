"""Label sets: names to class indices, neutral wherever it is, and names that cannot be one."""

from __future__ import annotations

import pytest

from nrdfer.core.emotions import EMOTIONS, check_label_set, emotion_indices, emotions_in, neutral_index


def test_class_indices_are_places_in_the_label_set() -> None:
    assert emotion_indices(["fear", "calm", "fear"], ("calm", "fear")).tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match="'joy' is not an emotion of this label set; it has calm, fear"):
        emotion_indices(["calm", "joy"], ("calm", "fear"))


def test_neutral_is_found_in_any_capitals_or_not_at_all() -> None:
    assert neutral_index(EMOTIONS) == 2
    assert neutral_index(("angry", "Neutral")) == 1
    assert neutral_index(("angry", "calm")) is None


def test_settings_without_names_are_of_the_seven() -> None:
    assert emotions_in({"classes": 7}) == EMOTIONS
    assert emotions_in({"emotions": ["a", "b"]}) == ("a", "b")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("calm",), "2 to 200 emotions, not 1"),
        (tuple(map(str, range(201))), "not 201"),
        (("calm", ""), "printable characters.*not ''"),
        (("calm", " fear"), "without outer spaces, not ' fear'"),
        (("calm", "fe\nar"), r"not 'fe\\nar'"),
        (("calm", "x" * 41), "1 to 40"),
        (("calm", "Calm"), "'calm' and 'Calm' of a label set differ in capitals at most"),
    ],
)
def test_names_that_cannot_be_a_label_set(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_label_set(names)
