"""Settings of sampling and augmentation; what they do belongs to ``sampling`` and ``augment``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

METHODS = ("ti", "linear")  # of time interpolation
STRATEGIES = ("ds", *METHODS)


@dataclass(frozen=True)
class AugmentSettings:
    """Ranges of the random changes.

    Raises:
        ValueError: a range that is empty or a share outside 0 to 1.
    """

    area: Annotated[tuple[float, float], "share of the picture that a crop keeps, from, to"] = (0.9, 1.0)
    ratio: Annotated[tuple[float, float], "width to height of the crop, from, to"] = (5 / 7, 7 / 5)
    flip: Annotated[float, "probability of a mirror image"] = 0.5
    rotation: Annotated[float, "degrees, either way"] = 4.0
    brightness: Annotated[float, "factor from 1 - b to 1 + b"] = 0.6
    contrast: Annotated[float, "factor from 1 - c to 1 + c around the clip's mean"] = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise ValueError(f"area must be a range inside 0 to 1, not {self.area}")
        if not 0 < self.ratio[0] <= self.ratio[1]:
            raise ValueError(f"ratio must be a range of positive numbers, not {self.ratio}")
        for name in ("flip", "brightness", "contrast"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in 0 to 1, not {getattr(self, name)}")
        if not 0 <= self.rotation < 180:
            raise ValueError(f"rotation must be in 0 to 180 degrees, not {self.rotation}")


@dataclass(frozen=True)
class Sampling:
    """Sampling of T = segments x duration frames from a clip of any length.

    Raises:
        ValueError: unknown strategy, or a count below 1.
    """

    strategy: Annotated[str, "ds; ti: time interpolation of Zhou et al.; linear: a blend of neighbours"] = "ds"
    segments: Annotated[int, "U, equal parts of a clip"] = 8
    duration: Annotated[int, "V, consecutive frames of each segment"] = 2

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise ValueError(f"strategy must be one of {', '.join(STRATEGIES)}, not {self.strategy!r}")
        for name in ("segments", "duration"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")

    @property
    def frames(self) -> int:
        """T."""
        return self.segments * self.duration
