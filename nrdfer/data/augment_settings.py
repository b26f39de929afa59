"""Ranges of the random changes of a clip; how they are drawn and applied belongs to ``augment``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AugmentSettings:
    """Ranges of the random changes.

    Raises:
        ValueError: a range that is empty or a share outside 0 to 1.
    """

    area: tuple[float, float] = (0.9, 1.0)  # share of the picture that a crop keeps
    ratio: tuple[float, float] = (5 / 7, 7 / 5)  # width to height of the crop
    flip: float = 0.5  # probability
    rotation: float = 4.0  # degrees, either way
    brightness: float = 0.6  # factor from 1 - b to 1 + b
    contrast: float = 0.0  # factor from 1 - c to 1 + c around the clip's mean

    def __post_init__(self) -> None:
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise ValueError(f"area must be a range inside 0 to 1, not {self.area}")
        if not 0 < self.ratio[0] <= self.ratio[1]:
            raise ValueError(f"ratio must be a range of positive numbers, not {self.ratio}")
        for name in ("flip", "brightness", "contrast"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in 0 to 1, not {getattr(self, name)}")
        if not 0 <= self.rotation < 180:
            raise ValueError(f"rotation must lie in 0 to 180 degrees, not {self.rotation}")
