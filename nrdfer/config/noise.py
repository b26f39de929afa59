"""Settings of the noise benchmark, and its sizes by name.

The measurements belong to ``measure``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nrdfer.config.recipe import RECIPES, NamedRecipe
from nrdfer.config.settings import Overrides, merge
from nrdfer.core.coerce import brief
from nrdfer.core.errors import ProfileError

N1, N2 = "n1", "n2"
#: Table 1's trainings by name: whether the network has DSF and DCT.
COMPONENTS: Mapping[str, tuple[bool, bool]] = {
    "baseline": (False, False),
    "dct": (False, True),
    "dsf": (True, False),
    "dsf-dct": (True, True),
}


@dataclass(frozen=True)
class NoiseSettings:
    """One benchmark; the defaults are the small one, which two cores finish.

    Raises:
        ValueError: a value that is not valid.
    """

    preset: str = "small"
    seed: int = 100  # of the clips; the sample corpus has 0
    training_people: int = 60  # each filmed once for every emotion
    test_people: int = 20  # others; each of their clips is rendered once for every level of noise
    frames: tuple[int, int] = (16, 24)  # shortest and longest clip
    amplitude: float = 1.3  # of the expressions; smaller is harder
    image_size: int = 64  # of the crops, pixels
    n1_levels: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)  # share of frames without the target's face
    n2_levels: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8)  # share of neutral frames in clips of other emotions
    training_n1: float = 0.06  # mean level in the training clips; as in the sample corpus
    training_n2_clips: float = 0.2  # share of training clips that are mostly neutral; as in the sample corpus
    seeds: int = 3  # trainings of each network
    rivals: tuple[str, ...] = ("resnet18-lstm", "former-dfer")  # a recurrent network, and this network's predecessor
    network_preset: str = "sample"
    recipe: NamedRecipe = field(default_factory=lambda: replace(RECIPES["sample"], epochs=14))

    def __post_init__(self) -> None:
        # one training, or one person, gives no estimate of the variance
        for name, least in (("training_people", 1), ("test_people", 2), ("seeds", 2)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if len(self.frames) != 2 or not 2 <= self.frames[0] <= self.frames[1]:
            raise ValueError(f"frames is (shortest, longest), 2 or more, not {self.frames}")
        for name, most in (("n1_levels", 0.6), ("n2_levels", 0.9)):
            levels = getattr(self, name)
            if len(levels) < 2 or levels[0] != 0 or list(levels) != sorted(set(levels)) or levels[-1] > most:
                raise ValueError(f"{name} must rise from 0 to at most {most}, not {levels}")
        if not 0 <= self.training_n1 <= 0.6 or not 0 <= self.training_n2_clips <= 1:
            raise ValueError("training_n1 must be in 0 to 0.6, training_n2_clips in 0 to 1")
        if self.amplitude <= 0:
            raise ValueError(f"amplitude must be positive, not {self.amplitude}")

    @property
    def networks(self) -> tuple[str, ...]:
        """Every network that is trained."""
        return (*COMPONENTS, *self.rivals)

    @property
    def conditions(self) -> tuple[tuple[str, float], ...]:
        """Kind and level of every version of a test clip; without noise it is rendered once, as N1 0."""
        return (*((N1, level) for level in self.n1_levels), *((N2, level) for level in self.n2_levels[1:]))


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "small": {},
    # for a GPU: enough people for narrow intervals, the paper's network at its own size
    "full": {
        "training_people": 600,
        "test_people": 120,
        "frames": (16, 60),
        "image_size": 112,
        "seeds": 10,
        "network_preset": "paper",
        "recipe": {"name": "sample", "epochs": 30, "batch": 32},
        "rivals": ("resnet18-lstm", "former-dfer", "r3d-18", "resnet18-gru"),
    },
    # a test of every part, in seconds
    "tiny": {
        "training_people": 2,
        "test_people": 2,
        "frames": (16, 18),
        "image_size": 32,
        "n1_levels": (0.0, 0.3, 0.6),
        "n2_levels": (0.0, 0.6),
        "seeds": 2,
        "rivals": ("resnet18-lstm",),
        "recipe": {"name": "sample", "epochs": 1, "batch": 7},
    },
}


def noise_preset(values: Overrides) -> Mapping[str, Any]:
    """The fields of the preset that `values` name under ``preset``; without a name, of the small one.

    Raises:
        ProfileError: there is no preset of that name.
    """
    preset = values.get("preset", "small")
    if not isinstance(preset, str) or preset not in PRESETS:
        raise ProfileError(f"there is no preset {brief(preset)}; presets are {', '.join(PRESETS)}")
    return PRESETS[preset]


def recipe_as_written(values: Overrides) -> Any:
    """The fields of the recipe that a profile's `noise` and its preset name, as digests of the benchmark hold them."""
    return merge(noise_preset(values), values).get("recipe", {"name": "sample", "epochs": 14})
