"""Settings of detection, alignment and enhancement; how each processes a clip belongs to its own package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

MODES = ("none", "crop", "frame")  # of enhancement
NO_FACE = ("drop", "centre", "fail")
EVERY = 5  # frames between two detections in a whole frame
MIN_TRACK = 5  # frames
POLICIES = ("presence", "longest", "largest", "central")
RETINAFACE = "retinaface"  # the built-in detector
MAX_RESIDUAL = 10.0  # pixels of the 112 template; real faces stay below 6, profiles and false detections do not


@dataclass(frozen=True, slots=True)
class AlignSettings:
    """Detection and alignment of one corpus."""

    size: Annotated[int, "side of a crop, pixels"] = 112
    margin: Annotated[float, "how far the template shrinks toward the centre; 0 is ArcFace's tight crop"] = 0.15
    threshold: Annotated[float, "least score of the detector"] = 0.7
    max_side: Annotated[int, "longest side of a frame that the detector sees, pixels"] = 640
    max_residual: Annotated[float, "pixels at size 112; points that fit worse are no face"] = MAX_RESIDUAL
    every: Annotated[int, "frames between two searches of a whole frame; 1 searches all of every frame"] = EVERY
    target: Annotated[str, "which track is the clip's person: presence, longest, largest or central"] = "presence"
    min_track: Annotated[int, "frames; a shorter track (a false detection, a passer-by) is no target"] = MIN_TRACK
    no_face: Annotated[str, "without a target: drop (exclude), centre (keep middle squares) or fail"] = "drop"
    detector: Annotated[str, "retinaface, or a detector of another package, by name"] = RETINAFACE

    def __post_init__(self) -> None:
        if self.size < 8 or not -0.5 <= self.margin <= 0.9:
            raise ValueError(f"crops need size >= 8 and margin in -0.5..0.9, not {self.size} and {self.margin}")
        if self.max_residual <= 0:
            raise ValueError(f"max_residual {self.max_residual} would refuse every face")
        if self.every < 1 or self.min_track < 1:
            raise ValueError(f"every and min_track count frames from 1 on, not {self.every} and {self.min_track}")
        if self.target not in POLICIES:
            raise ValueError(f"target {self.target!r} is not known; choose one of {', '.join(POLICIES)}")
        if self.no_face not in NO_FACE:
            raise ValueError(f"no_face {self.no_face!r} is not known; choose one of {', '.join(NO_FACE)}")
