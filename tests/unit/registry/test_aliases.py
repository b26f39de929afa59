"""The champion moves to a better honest figure only."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrdfer import registry
from nrdfer.core.errors import WeightsError
from nrdfer.registry import tags
from nrdfer.tracking.client import Tracking
from tests.unit.registry.registered import NAME, make_checkpoint, model_folder, register


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_checkpoint(tmp_path / "checkpoint")


def champion(tracking: Tracking) -> str:
    return str(tracking.client.get_model_version_by_alias(NAME, registry.CHAMPION).version)


def test_it_moves_to_what_is_better_and_to_nothing_else(tracking: Tracking, folder: Path) -> None:
    steps = [(0.5, True, "1"), (0.4, False, "1"), (0.5, False, "1"), (0.6, True, "4"), (0.59, False, "4")]
    for number, (war, moves, now) in enumerate(steps):
        made = register(tracking, folder, f"{number:064x}", war=war)
        outcome = registry.challenge(tracking, NAME, made.version)
        assert (outcome.moved, outcome.champion, champion(tracking)) == (moves, now, now)
    assert registry.challenge(tracking, NAME, "4").reason == "is the champion"
    assert registry.challenge(tracking, NAME, "2").reason == "honest WAR 40.00 against 60.00 of version 4"


def test_figures_of_other_clips_are_not_compared(tracking: Tracking, folder: Path) -> None:
    sample = register(tracking, folder, "a" * 64, war=0.9, clips=168, data="a")
    quick = register(tracking, folder, "b" * 64, war=1.0, clips=7, data="b")
    paper = register(tracking, folder, "c" * 64, war=0.6, clips=2341, data="c")
    assert registry.challenge(tracking, NAME, sample.version).reason == "there was no champion"
    outcome = registry.challenge(tracking, NAME, quick.version)
    assert (outcome.moved, champion(tracking)) == (False, sample.version)
    assert outcome.reason == (
        "version 1 was measured on other clips: 168 of them, this one on 7; the larger test counts"
    )
    assert registry.challenge(tracking, NAME, paper.version).moved
    assert champion(tracking) == paper.version


def test_a_champion_that_was_deleted_is_followed_by_the_next(tracking: Tracking, folder: Path) -> None:
    first, second = (register(tracking, folder, digit * 64, war=war) for digit, war in (("a", 0.9), ("b", 0.5)))
    registry.challenge(tracking, NAME, first.version)
    tracking.client.delete_model_version(NAME, first.version)
    assert registry.challenge(tracking, NAME, second.version).moved


def test_a_champion_that_cannot_be_opened_gives_way_on_a_tie(tracking: Tracking, folder: Path) -> None:
    first = register(tracking, folder)
    registry.challenge(tracking, NAME, first.version)
    (model_folder(tracking, first.version) / "artifacts" / "last.safetensors").unlink()
    second = register(tracking, folder)  # as the same line does
    outcome = registry.challenge(tracking, NAME, second.version)
    assert (second.created, outcome.moved, champion(tracking)) == (True, True, second.version)
    assert "version 1 cannot be opened any more" in outcome.reason
    assert registry.open_version(f"models:/{NAME}@champion").version == second.version


def test_a_version_without_figures_is_refused(tracking: Tracking, folder: Path) -> None:
    made = register(tracking, folder)
    tracking.client.delete_model_version_tag(NAME, made.version, tags.WAR)
    with pytest.raises(WeightsError, match="does not say what it was measured at"):
        registry.challenge(tracking, NAME, made.version)
