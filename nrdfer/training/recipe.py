"""The recipe: every setting that decides what a training learns, frozen, and the named recipes.

What the paper leaves open is chosen here once; ``open_choices`` says by what. How a training is computed belongs to
``nrdfer.runtime.engine``, the network's settings to ``nrdfer.models``, which clips are learnt from to the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nrdfer.config.profile import build_settings, merge
from nrdfer.core.coerce import brief
from nrdfer.core.errors import ProfileError
from nrdfer.data.augment import AugmentSettings
from nrdfer.data.sampling import Sampling

OPTIMISERS = ("sgd", "adamw")
SCHEDULES = ("exponential", "step", "onecycle")


@dataclass(frozen=True)
class Recipe:
    """Settings of one training; the defaults are the paper's for DFEW (section 4.2).

    Raises:
        ValueError: a value that cannot be meant.
    """

    name: str = "custom"  # of the recipe it began as
    epochs: int = 70
    batch: int = 32  # clips, over all devices together
    optimiser: str = "sgd"  # the paper's; or "adamw"
    lr: float = 0.001
    momentum: float = 0.9  # AdamW's first beta
    weight_decay: float = 1e-4
    schedule: str = "exponential"  # every epoch; "step": every few; "onecycle": warm-up, then cosine, every batch
    gamma: float = 0.9  # factor of "exponential" and "step"
    step_epochs: int = 7  # epochs between steps of "step"
    warmup: float = 0.3  # share of all batches, of "onecycle"
    clip_norm: float | None = None  # gradient norm limit
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    sampling: Sampling = field(default_factory=Sampling)  # in training and testing
    oversample: bool = False  # Table 5, second row of the method: every emotion equally often
    min_frames: int = 0  # shorter clips are not learnt from; they are tested all the same
    absent_emotions: bool = False  # whether a list of clips may lack an emotion
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (("optimiser", OPTIMISERS), ("schedule", SCHEDULES)):
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
            raise ValueError(f"gamma must lie in 0 to 1, not {self.gamma}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup is a share of the batches below 1, not {self.warmup}")
        if self.clip_norm is not None and self.clip_norm <= 0:
            raise ValueError(f"clip_norm must be positive or None, not {self.clip_norm}")


# Rendered clips are few: the paper's own recipe stays at chance on them; AdamW, warm-up and clipped gradients learn.
_SAMPLE: dict[str, Any] = {
    "batch": 16,
    "optimiser": "adamw",
    "weight_decay": 0.05,
    "schedule": "onecycle",
    "warmup": 0.2,
    "clip_norm": 1.0,
    "augment": AugmentSettings(brightness=0.3),
}

#: Recipes by name. A profile, the launchpad and the command line start from one and change single fields.
RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("dfew-paper"),
        Recipe("afew-paper", epochs=30, lr=0.0003),  # starts from DFEW's fold 1
        Recipe("dfew-paper-oversampled", oversample=True),
        Recipe("dfew-author-code", weight_decay=0.1, schedule="step", gamma=0.5, min_frames=16),
        Recipe("sample", epochs=13, lr=0.001, **_SAMPLE),
        Recipe("sample-afew", epochs=10, lr=0.0005, **_SAMPLE),
    )
}


def build_recipe(values: Mapping[str, Any], where: str) -> Recipe:
    """A recipe from plain values: a name of `RECIPES` under ``name``, and the fields that differ from it.

    Raises:
        ProfileError: no recipe of that name, an unknown field, or a value that cannot be meant.
    """
    import dataclasses

    name = values.get("name", "dfew-paper")
    if not isinstance(name, str) or name not in RECIPES:
        raise ProfileError(f"{where}: there is no recipe {brief(name)}; recipes are {', '.join(RECIPES)}")
    return build_settings(Recipe, merge(dataclasses.asdict(RECIPES[name]), values), where)
