"""The headline is the emotion that the timeline shows longest, and says for how much of the video."""

from __future__ import annotations

import pytest

from nrdfer.predict.headline import of_clip, of_windows
from nrdfer.predict.inference import Answer, uncertainty_of

EMOTIONS = ("happiness", "sadness", "neutral")


def answer(*probabilities: float, vetoed: bool = False, frames: tuple[int, ...] = (0,)) -> Answer:
    return Answer(probabilities, probabilities, vetoed, frames, EMOTIONS, ())


def test_the_longest_counts_and_not_the_surest() -> None:
    rows = [answer(0.4, 0.3, 0.3, frames=(3,)), answer(0.0, 0.95, 0.05, vetoed=True, frames=(1, 3)), None]
    found = of_windows(rows, [5, 4, 11])
    assert found is not None
    assert (found.emotion, found.share, found.answered_share) == ("happiness", 0.25, 0.45)
    assert found.probability == pytest.approx(0.4 * 5 / 9)
    assert (found.divided, found.vetoed, found.frames, found.kind) == ("sadness", True, (1, 3), "windows")


def test_of_equally_long_emotions_the_more_probable_one_counts() -> None:
    found = of_windows([answer(0.5, 0.3, 0.2), answer(0.1, 0.6, 0.3)], [2, 2])
    assert found is not None and (found.emotion, found.share, found.divided) == ("sadness", 0.5, "")


def test_without_an_answered_moment_there_is_none() -> None:
    assert of_windows([None, None], [1, 1]) is None
    assert of_windows([answer(1, 0, 0)], [0]) is None


def test_a_clip_says_how_long_the_timeline_agrees() -> None:
    timeline = of_windows([answer(0.8, 0.1, 0.1), None], [3, 1])
    assert timeline is not None
    same, other = of_clip(answer(0.6, 0.2, 0.2), timeline), of_clip(answer(0.1, 0.2, 0.7), timeline)
    assert (same.emotion, same.share, same.answered_share, same.kind) == ("happiness", 0.75, 0.75, "clip")
    assert (other.emotion, other.share, other.answered_share) == ("neutral", 0.0, 0.75)


def test_uncertainty_is_entropy() -> None:
    assert uncertainty_of([1, 0, 0]) == 0
    assert uncertainty_of([1 / 3] * 3) == pytest.approx(1)
    assert uncertainty_of([1]) == 0
