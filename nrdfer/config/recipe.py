"""The recipe: every setting that determines a training's result, frozen, and the named recipes.

What the paper leaves open is chosen here once; ``nrdfer.training.open_choices`` gives the reasons. How a training is
computed belongs to ``nrdfer.runtime.engine``, the network's settings to ``nrdfer.models``, the choice of training clips
to the caller.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from nrdfer.config.settings import LaidOver, Overrides, renamed
from nrdfer.core.coerce import brief
from nrdfer.core.errors import ProfileError
from nrdfer.core.stored_settings import as_stored, later
from nrdfer.data.settings import AugmentSettings, Sampling

SPELLINGS = ("optimizer", "optimiser")  # of one field: in code and profiles, and in digests and older profiles
OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("exponential", "step", "onecycle")


@dataclass(frozen=True)
class Recipe:
    """Settings of one training; the defaults are the paper's for DFEW (section 4.2).

    Raises:
        ValueError: a value that is not valid.
    """

    name: Annotated[str, "the recipe it began as, one of `nrdfer recipes`"] = "custom"
    epochs: Annotated[int, "passes over the training clips"] = 70
    batch: Annotated[int, "clips a step, over all devices together"] = 32
    optimizer: Annotated[str, "sgd (the paper's), adam or adamw"] = "sgd"
    lr: Annotated[float, "learning rate at the start; of onecycle, the highest"] = 0.001
    momentum: Annotated[float, "of sgd; of adam and adamw, the first beta"] = 0.9
    weight_decay: Annotated[float, "of the optimiser"] = 1e-4
    schedule: Annotated[str, "exponential, step (every few epochs) or onecycle (every batch)"] = "exponential"
    gamma: Annotated[float, "factor of the schedules exponential and step"] = 0.9
    step_epochs: Annotated[int, "epochs between two steps of the schedule step"] = 7
    warmup: Annotated[float, "share of all batches that onecycle warms up"] = 0.3
    clip_norm: Annotated[float | None, "limit of the gradient's norm"] = None
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    sampling: Sampling = field(default_factory=Sampling)  # in training and testing
    oversample: Annotated[bool, "every emotion equally often (Table 5, second row of the method)"] = False
    min_frames: Annotated[int, "shorter clips are not used for training; they are tested all the same"] = 0
    absent_emotions: Annotated[bool, "whether a list of clips may lack an emotion"] = False
    seed: Annotated[int, "of initialisation, order and augmentation"] = 0
    validation: Annotated[float | None, "share of training clips held out to choose epoch and thresholds"] = later(None)

    def __post_init__(self) -> None:
        for name, known in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}")
        for name in ("epochs", "batch", "step_epochs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("momentum", "weight_decay", "min_frames", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, but is {getattr(self, name)}")
        if self.lr <= 0:
            raise ValueError(f"lr must be positive, not {self.lr}")
        if not 0 < self.gamma <= 1:
            raise ValueError(f"gamma must be above 0 and at most 1, not {self.gamma}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup is a share of the batches below 1, not {self.warmup}")
        if self.clip_norm is not None and self.clip_norm <= 0:
            raise ValueError(f"clip_norm must be positive or None, not {self.clip_norm}")
        if self.validation is not None and not 0 < self.validation < 1:
            raise ValueError(
                f"validation is a share of the training clips, above 0 and below 1, not {self.validation}; leave it "
                "out to learn from all of them"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain types, with the spelling of digests and files: finished trainings are found by it."""
        return renamed(as_stored(self), *SPELLINGS)


# Rendered clips are few: the paper's own recipe stays at chance on them; AdamW, warm-up and clipped gradients learn.
_SAMPLE: dict[str, Any] = {
    "batch": 16,
    "optimizer": "adamw",
    "weight_decay": 0.05,
    "schedule": "onecycle",
    "warmup": 0.2,
    "clip_norm": 1.0,
    "augment": AugmentSettings(brightness=0.3),
}

# Former-DFER's code crops strongly and changes no colours; that of DFEW's authors changes nothing.
_CROPS_ONLY = AugmentSettings(area=(0.08, 1.0), ratio=(3 / 4, 4 / 3), rotation=0.0, brightness=0.0)
_NOTHING = AugmentSettings(area=(1.0, 1.0), ratio=(1.0, 1.0), flip=0.0, rotation=0.0, brightness=0.0)
_DFEW_AUTHORS: dict[str, Any] = {"optimizer": "adam", "weight_decay": 0.0, "augment": _NOTHING}
_FORMER_DFER: dict[str, Any] = {"schedule": "step", "step_epochs": 40, "gamma": 0.1, "augment": _CROPS_ONLY}

#: Recipes by name. A profile, the launchpad and the command line start from one and change single fields.
RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("dfew-paper"),
        Recipe("afew-paper", epochs=30, lr=0.0003),  # starts from DFEW's fold 1
        Recipe("dfew-paper-oversampled", oversample=True),
        Recipe("dfew-author-code", weight_decay=0.1, schedule="step", gamma=0.5, min_frames=16),
        Recipe("former-dfer", epochs=100, lr=0.01, **_FORMER_DFER),
        Recipe("former-dfer-afew", epochs=20, lr=0.001, **_FORMER_DFER),
        Recipe("dfew-authors", epochs=100, sampling=Sampling("ti"), **_DFEW_AUTHORS),
        Recipe("sample", epochs=13, lr=0.001, **_SAMPLE),
        Recipe("sample-afew", epochs=10, lr=0.0005, **_SAMPLE),
    )
}


def named_recipe(values: Overrides) -> dict[str, Any]:
    """All fields of the recipe that `values` name under ``name``; without a name, the paper's for DFEW.

    Raises:
        ProfileError: there is no recipe of that name.
    """
    name = values.get("name", "dfew-paper")
    if not isinstance(name, str) or name not in RECIPES:
        raise ProfileError(f"there is no recipe {brief(name)}; recipes are {', '.join(RECIPES)}")
    return dataclasses.asdict(RECIPES[name])


#: A recipe from plain values: a name of `RECIPES` under ``name``, and the fields that differ from it.
NamedRecipe = Annotated[Recipe, LaidOver(named_recipe)]
