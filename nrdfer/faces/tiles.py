"""Small and far faces: whole frames are searched shrunk as usual, and at their full size in overlapping parts.

For any detector of this package; what is found twice counts once. How often whole frames are searched is
`sparse_detection`'s, which searches between them at the full size, too.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nrdfer.faces.detector import NMS_THRESHOLD, Detector, Face, Region
from nrdfer.faces.priors import nms

TILE = 640  # pixels, side of a part
OVERLAP = 128  # pixels: a face smaller than that is whole in one part at least
LONGEST = 4096  # pixels: longer frames are shrunk to it
GRID = 32  # the coarsest stride of the network


class TiledDetector:
    """A detector that sees small faces, too.

    Args:
        detector: searches shrunk frames, and parts.
    """

    def __init__(self, detector: Detector) -> None:
        self.shrunk = detector
        self.full = copy.copy(detector)
        self.full.max_side = LONGEST
        self.threshold = detector.threshold
        self.max_side = LONGEST

    @property
    def on_gpu(self) -> bool:
        """See `Detector`."""
        return self.shrunk.on_gpu

    def detect_batch(self, pictures: Sequence[NDArray[np.uint8]]) -> list[list[Face]]:
        """See `Detector`."""
        found = self.shrunk.detect_batch(pictures)
        if not pictures or max(pictures[0].shape[:2]) <= self.shrunk.max_side:
            return found
        scale = min(1.0, LONGEST / max(pictures[0].shape[:2]))
        high, wide = (round(side * scale) for side in pictures[0].shape[:2])
        parts = [(x, y, min(x + TILE, wide), min(y + TILE, high)) for y in starts(high) for x in starts(wide)]
        return [once([*faces, *self.full.detect_in(p, parts)]) for faces, p in zip(found, pictures, strict=True)]

    def detect_in(self, rgb: NDArray[np.uint8], regions: Sequence[Region]) -> list[Face]:
        """See `Detector`."""
        return self.full.detect_in(rgb, regions)


def starts(length: int) -> list[int]:
    """Where parts begin along a side, on the network's grid; together they cover it."""
    if length <= TILE:
        return [0]
    last = -(-(length - TILE) // GRID) * GRID
    return [*range(0, last, TILE - OVERLAP), last]


def once(faces: Sequence[Face]) -> list[Face]:
    """Faces without those that another, better one overlaps; best score first."""
    if not faces:
        return []
    boxes_N4 = np.stack([face.box for face in faces])
    kept = nms(boxes_N4, np.array([face.score for face in faces], np.float32), NMS_THRESHOLD)
    return [faces[i] for i in kept]
