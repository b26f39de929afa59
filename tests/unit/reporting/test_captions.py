"""Captions say what was measured, and whether the paper says otherwise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nrdfer.config.recipe import RECIPES
from nrdfer.reporting import captions
from nrdfer.reporting.figures.feature_map import Separation
from nrdfer.reporting.recipe_words import network_in_words, recipe_in_words
from tests.unit.reporting.made_up import components, thresholds


def recalls(**found: float) -> pd.DataFrame:
    return pd.DataFrame({"recall": found})


def test_recalls_name_the_extremes_and_what_is_never_recognised() -> None:
    words = captions.recalls(recalls(anger=50.0, disgust=0.0, fear=np.nan, happiness=80.123), None)
    assert "highest for happiness (80.12 %), lowest for disgust (0.00 %)" in words
    assert "Not one clip of disgust is recognised." in words and "published" not in words
    words = captions.recalls(recalls(anger=50.0, disgust=10.0), {"anger": 20.0, "disgust": 0.0, "fear": 99.0})
    assert words.endswith("Furthest from the published recall is anger: 50.00 % here, 20.00 % there.")
    assert captions.recalls(recalls(anger=np.nan), {"anger": 1.0}) == "No emotion has a test clip."


@pytest.mark.parametrize(("corrected", "lost", "words"), [
    (5, 2, "So 3 more clips are right, as the paper says"),
    (2, 5, "So 3 fewer clips are right, unlike what the paper says"),
    (0, 0, "So the filter changes nothing in WAR"),
])  # fmt: skip
def test_the_filters_balance_is_told_also_where_it_is_negative(corrected: int, lost: int, words: str) -> None:
    assert captions.balance(corrected, lost).startswith(words)


def test_curves_are_summed_up_over_the_folds() -> None:
    rows = [
        {"train_loss": 2.0, "test_war": 0.2},
        {"train_loss": 1.0, "test_war": 0.6},
        {"train_loss": 0.5, "test_war": 0.4},
    ]
    words = captions.curves([rows, rows])
    assert (
        "the loss falls, from 2.000 to 0.500; WAR is 40.00 % after the last epoch and 60.00 % in each fold's" in words
    )
    assert "does not fall" in captions.curves([rows[::-1]])
    assert captions.curves([]) == captions.curves([[]]) and "Mean" not in captions.curves([])


@pytest.mark.parametrize(("other", "words"), [(0.1, ", as the paper says"), (0.3, ", unlike what the paper says")])
def test_features_are_compared_with_the_baselines(other: float, words: str) -> None:
    def fold(silhouette: float | None) -> dict[str, Separation]:
        return {"fd1": Separation(7, silhouette, 0.5, 0.2)}

    for found in (  # in any order of the rows
        {"ours": fold(0.2), "baseline": fold(other)},
        {"baseline": fold(other), "ours": fold(0.2)},
        {"baseline": fold(other), "ours": {**fold(0.2), "fd2": Separation(7, -1.0, 0.5, 0.2)}},  # one fold is shared
    ):
        assert captions.separation(found).endswith(f"{words}.")
    assert captions.separation({"ours": fold(0.2)}) == ""
    assert captions.separation({"ours": fold(0.2), "baseline": fold(None)}) == ""


def test_thresholds_are_compared_with_the_papers() -> None:
    assert "highest at mu1 " in captions.thresholds(thresholds())
    assert captions.thresholds(components()) == "Pooled, honest protocol; the box is the paper's default."


def test_a_recipe_in_a_line_has_rate_decay_epochs_and_sizes() -> None:
    assert recipe_in_words(RECIPES["dfew-paper"]) == (
        "70 epochs in batches of 32 clips; SGD, learning rate 0.001, times 0.9 after each epoch; momentum 0.9; weight "
        "decay 0.0001 (recipe `dfew-paper`)"
    )
    assert "times 0.5 after every 7 epochs" in recipe_in_words(RECIPES["dfew-author-code"])
    assert "the highest of one cycle, reached after 20 % of the batches" in recipe_in_words(RECIPES["sample"])
    assert "every emotion equally often" in recipe_in_words(RECIPES["dfew-paper-oversampled"])
    assert network_in_words("Net", {"image_size": 112, "frames": 16}) == "Net, 112x112 pixels, 16 frames a clip"
    assert network_in_words("Net", {}) == "Net"
