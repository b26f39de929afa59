from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from nrdfer.config.profile import load_profile
from nrdfer.config.recipe import RECIPES, Recipe
from nrdfer.data.augment import DRAWS, change_of, plain
from nrdfer.data.settings import Sampling
from nrdfer.training.optimizer import make_optimizer
from pipelines.resources import PROFILES

PAPER_DFEW, PAPER_AFEW = RECIPES["dfew-paper"], RECIPES["afew-paper"]


def test_the_papers_recipes_say_what_section_4_2_says() -> None:
    assert (PAPER_DFEW.epochs, PAPER_DFEW.batch, PAPER_DFEW.lr) == (70, 32, 0.001)
    assert (PAPER_AFEW.epochs, PAPER_AFEW.batch, PAPER_AFEW.lr) == (30, 32, 0.0003)
    assert PAPER_DFEW.schedule == PAPER_AFEW.schedule == "exponential"
    assert PAPER_DFEW.sampling == Sampling("ds", segments=8, duration=2)
    assert PAPER_DFEW.clip_norm is None


@pytest.mark.parametrize("corpus", ["dfew", "afew"])
def test_profiles_hold_the_recipes_they_name(corpus: str) -> None:
    paper = load_profile(PROFILES / "paper.yaml").recipe_for(corpus)
    assert paper == {"dfew": PAPER_DFEW, "afew": PAPER_AFEW}[corpus]
    # two folds train at the same time on two cores, and sums depend on the number of threads
    sample = load_profile(PROFILES / "sample.yaml").engine
    assert (sample.threads, sample.device) == (1, "cpu")


@pytest.mark.parametrize(
    "change",
    [
        {"schedule": "cosine"},
        {"optimizer": "lion"},
        {"epochs": 0},
        {"batch": 0},
        {"step_epochs": 0},
        {"lr": 0.0},
        {"gamma": 1.5},
        {"warmup": 1.0},
        {"clip_norm": 0.0},
        {"momentum": -0.1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_values_that_cannot_be_meant_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        dataclasses.replace(Recipe(), **change)  # type: ignore[arg-type]


def test_peers_recipes_say_what_their_code_says() -> None:
    former, fine_tuned, dfew = (RECIPES[name] for name in ("former-dfer", "former-dfer-afew", "dfew-authors"))
    assert (former.epochs, former.lr, former.schedule, former.step_epochs, former.gamma) == (100, 0.01, "step", 40, 0.1)
    assert (former.augment.area, former.augment.brightness, former.augment.rotation) == ((0.08, 1.0), 0, 0)
    assert (fine_tuned.epochs, fine_tuned.lr, fine_tuned.augment) == (20, 0.001, former.augment)
    assert (dfew.optimizer, dfew.lr, dfew.schedule, dfew.gamma) == ("adam", 0.001, "exponential", 0.9)
    assert (dfew.augment.area, dfew.augment.ratio, dfew.augment.flip) == ((1, 1), (1, 1), 0)


def test_no_augmentation_leaves_a_picture_as_it_is() -> None:
    change = change_of((40, 40), 40, RECIPES["dfew-authors"].augment, [0.3] * DRAWS)
    assert np.allclose(change.matrix, plain((40, 40), 40).matrix)
    assert (change.brightness, change.contrast) == (1, 1)


def test_adam_is_adam() -> None:
    optimizer = make_optimizer(torch.nn.Linear(2, 2), RECIPES["dfew-authors"])
    assert type(optimizer) is torch.optim.Adam
    assert optimizer.defaults["betas"] == (0.9, 0.999)
