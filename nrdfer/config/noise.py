"""Settings of the noise benchmark, its sizes by name, and the contrasts that are named before anything is run.

The measurements belong to ``measure``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from nrdfer.config.recipe import RECIPES, NamedRecipe
from nrdfer.config.settings import Overrides
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
#: Temporal stages by their class token: a learned one; the mean of the clip's features (DCT); none, but the mean of
#: what the encoders make of the features; and DCT whose mean lacks one frame, drawn anew at every training step.
LEARNED, DYNAMIC, POOLED, LEFT_OUT = "learned", "dynamic", "mean pooling", "dynamic, one left out"
TOKENS = (LEARNED, DYNAMIC, POOLED, LEFT_OUT)
#: Training clips: with noise as in the sample corpora; without; with neutral as frequent as in DFEW.
ARMS = ("a", "b", "c")


@dataclass(frozen=True)
class Contrast:
    """One of the claims that a benchmark is run to decide."""

    claim: str
    measured: str  # what the number is; its unit is points, of a hundred
    wanted: int  # 1 or -1: the sign that the claim gives it


#: By name; a profile names those that count. All others of the page are described without a verdict.
CONTRASTS: Mapping[str, Contrast] = {
    "premise": Contrast(
        "A frame of N1 lies farther from the mean of its clip's features than the clip's other frames",
        "how often it does, of pairs of one frame each, less 50; mean of the levels of N1; frozen features",
        1,
    ),
    "attention": Contrast(
        "The dynamic class token looks less at frames of N1 than a learned token does",
        "share of attention on them, dynamic less learned; mean of the levels of N1 and of the arms; frozen features",
        -1,
    ),
    "slope-n1": Contrast(
        "With the dynamic class token WAR falls less as frames become N1 than with a learned one",
        "slope of WAR over the levels by least squares, for half of the frames; dynamic less learned; mean of the "
        "arms; frozen features",
        1,
    ),
    "slope-n2": Contrast(
        "With the dynamic class token WAR falls less as frames become neutral (N2) than with a learned one",
        "slope of WAR over the levels by least squares, for half of the frames; dynamic less learned; mean of the "
        "arms; frozen features",
        1,
    ),
    "sf": Contrast(
        "The snippet-based filter raises WAR by more than a veto of as many clips at random would",
        "difference of the two gains; mean of the clips without noise and the levels of N2, both tokens, and the arms; "
        "frozen features",
        1,
    ),
    "dsf": Contrast(
        "Dynamic-static fusion raises WAR",
        "networks with DSF less networks without; mean of both tokens and all conditions; trained end to end",
        1,
    ),
}


@dataclass(frozen=True)
class StageSettings:
    """Temporal stages on frozen features, and how they are trained.

    Raises:
        ValueError: a value that is not valid.
    """

    width: int = 64  # principal components of the features
    depth: int = 2
    heads: int = 4
    dim_head: int = 16
    mlp: int = 128
    views: int = 4  # times that each training clip is sampled and augmented; epochs take them in turn
    epochs: int = 12
    batch: int = 35
    lr: float = 0.002  # the highest of AdamW's one cycle
    weight_decay: float = 0.05

    def __post_init__(self) -> None:
        for name in ("width", "depth", "heads", "dim_head", "mlp", "views", "epochs", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.lr <= 0 or self.weight_decay < 0:
            raise ValueError("lr must be positive, and weight_decay not negative")


def _recipe(epochs: int) -> NamedRecipe:
    return replace(RECIPES["sample"], epochs=epochs)


@dataclass(frozen=True)
class NoiseSettings:
    """One benchmark; the defaults are the small one, which two cores finish.

    Raises:
        ValueError: a value that is not valid.
    """

    preset: str = "small"
    seed: int = 100  # of the clips; the sample corpus has 0
    training_people: int = 60  # each filmed once for every emotion
    backbone_people: int = 40  # others, on whose clips, without noise, the frozen networks are trained
    test_people: int = 40  # others; each of their clips is rendered once for every level of noise
    frames: tuple[int, int] = (24, 40)  # shortest and longest clip: a sampler's rounding hides little of it
    amplitude: float = 1.3  # of the expressions; smaller is harder
    image_size: int = 48  # of the crops, pixels
    n1_levels: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6)  # share of frames without the target's face
    n2_levels: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8)  # share of neutral frames in clips of other emotions
    training_n1: float = 0.06  # mean level in the training clips; as in the sample corpus
    training_n2_clips: float = 0.2  # share of training clips that are mostly neutral; as in the sample corpus
    neutral_share: float = 0.23  # of neutral among the training clips of arm c; DFEW's
    backbones: int = 4  # frozen networks
    stage_seeds: int = 10  # temporal stages of each token, arm and backbone
    stage: StageSettings = field(default_factory=StageSettings)
    seeds: int = 6  # end-to-end trainings of each network
    rivals: tuple[str, ...] = ()  # more networks to train end to end
    network_preset: str = "sample"
    network: Mapping[str, object] = field(
        default_factory=dict
    )  # settings of the networks that differ from the preset's
    recipe: NamedRecipe = field(default_factory=lambda: _recipe(10))
    backbone_recipe: NamedRecipe = field(default_factory=lambda: _recipe(12))
    contrasts: tuple[str, ...] = tuple(CONTRASTS)  # decided together, with Holm's correction
    margin: float = 2.0  # points; a difference below it does not matter

    def __post_init__(self) -> None:
        # one training, or one person, gives no estimate of the variance
        if self.stage_seeds > 1000:
            raise ValueError(f"stage_seeds must be at most 1000, not {self.stage_seeds}")
        for name, least in (
            ("training_people", 2), ("backbone_people", 1), ("test_people", 2), ("seeds", 2), ("backbones", 2),
            ("stage_seeds", 1),
        ):  # fmt: skip
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
        if not 1 / 7 <= self.neutral_share <= 0.25:  # each person is filmed at most twice for neutral
            raise ValueError(f"neutral_share must be in 1/7 to 0.25, not {self.neutral_share}")
        if self.amplitude <= 0 or self.margin <= 0:
            raise ValueError("amplitude and margin must be positive")
        unknown = [name for name in self.contrasts if name not in CONTRASTS]
        if unknown or not self.contrasts or len(set(self.contrasts)) != len(self.contrasts):
            raise ValueError(f"contrasts must be some of {', '.join(CONTRASTS)}, each once, not {self.contrasts}")

    @property
    def networks(self) -> tuple[str, ...]:
        """Every network that is trained end to end."""
        return (*COMPONENTS, *self.rivals)

    @property
    def conditions(self) -> tuple[tuple[str, float], ...]:
        """Kind and level of every version of a test clip; without noise it is rendered once, as N1 0."""
        return (*((N1, level) for level in self.n1_levels), *((N2, level) for level in self.n2_levels[1:]))

    def registered(self) -> dict[str, Any]:
        """What is decided, as it is named before anything is run: the contrasts in full, the margin, and the seeds."""
        return {
            "contrasts": {name: asdict(CONTRASTS[name]) for name in self.contrasts},
            "margin": self.margin,
            "seeds": [self.seed, self.backbones, self.stage_seeds, self.seeds],
        }


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "small": {},
    # for a GPU: enough people for narrow intervals, the paper's network at its own size
    "full": {
        "training_people": 600,
        "backbone_people": 300,
        "test_people": 120,
        "frames": (24, 60),
        "image_size": 112,
        "n1_levels": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
        "backbones": 6,
        "seeds": 10,
        "stage": {"width": 256, "depth": 4, "dim_head": 32, "mlp": 512},
        "network_preset": "paper",
        "recipe": {"name": "sample", "epochs": 30, "batch": 32},
        "backbone_recipe": {"name": "sample", "epochs": 30, "batch": 32},
        "rivals": ("resnet18-lstm", "former-dfer", "r3d-18", "resnet18-gru"),
    },
    # a test of every part, in seconds
    "tiny": {
        "training_people": 2,
        "backbone_people": 1,
        "test_people": 2,
        "frames": (16, 18),
        "image_size": 32,
        "n1_levels": (0.0, 0.3, 0.6),
        "n2_levels": (0.0, 0.6),
        "backbones": 2,
        "stage_seeds": 2,
        "stage": {"width": 8, "dim_head": 4, "mlp": 8, "views": 1, "epochs": 2, "batch": 14},
        "seeds": 2,
        "rivals": ("resnet18-lstm",),
        "recipe": {"name": "sample", "epochs": 1, "batch": 7},
        "backbone_recipe": {"name": "sample", "epochs": 1, "batch": 7},
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
