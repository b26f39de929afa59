"""RetinaFace's anchors: making them, encoding targets against them, decoding, removing duplicates.

Everything here is NumPy on normalised coordinates (0 to 1 of the picture's width and height). The network and
the colour conventions do not belong here. Anchor sizes and variances are those of
github.com/biubug6/Pytorch_Retinaface; a look-alike checkpoint (Face-Detector-1MB-with-landmark) has the same
tensors but other sizes and is refused by its digest in `nrdfer.faces.detector`.

Shape legend: P anchors, N boxes; 4 is (cx, cy, w, h) for priors and (x1, y1, x2, y2) for boxes; 10 is five
(x, y).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

MIN_SIZES: tuple[tuple[int, int], ...] = ((16, 32), (64, 128), (256, 512))
STEPS: tuple[int, ...] = (8, 16, 32)
VARIANCES: tuple[float, float] = (0.1, 0.2)


# Bounded: a corpus of many picture sizes would otherwise keep one array for each size it ever met. Regions of one
# video come in up to about a hundred sizes, of which the largest takes 270 kB.
@lru_cache(maxsize=64)
def prior_boxes(height: int, width: int) -> NDArray[np.float32]:
    """Anchors (P, 4) as (cx, cy, w, h) in 0..1 for a picture of `height` x `width` pixels, read-only.

    Row order: stride 8, 16, 32; within a stride by row, column, then the two anchor sizes.

    Raises:
        ValueError: a side is not positive.
    """
    if height <= 0 or width <= 0:
        raise ValueError(f"anchors need a picture with positive sides, not {height} x {width}")
    levels = []
    for step, sizes in zip(STEPS, MIN_SIZES, strict=True):
        rows, columns = -(-height // step), -(-width // step)
        level = np.empty((rows, columns, len(sizes), 4), dtype=np.float64)
        level[..., 0] = ((np.arange(columns) + 0.5) * step / width)[None, :, None]
        level[..., 1] = ((np.arange(rows) + 0.5) * step / height)[:, None, None]
        level[..., 2] = np.asarray(sizes) / width
        level[..., 3] = np.asarray(sizes) / height
        levels.append(level.reshape(-1, 4))
    priors_P4 = np.concatenate(levels).astype(np.float32)
    priors_P4.flags.writeable = False
    return priors_P4


def decode_boxes(encoded_N4: Floats, priors_N4: Floats) -> NDArray[np.float32]:
    """Boxes (N, 4) as (x1, y1, x2, y2) in 0..1, of what the network says about its anchors."""
    centres = priors_N4[:, :2] + encoded_N4[:, :2] * VARIANCES[0] * priors_N4[:, 2:]
    # an untrained network may predict any exponent; e^20 is far beyond every picture and still finite
    sizes = priors_N4[:, 2:] * np.exp(np.minimum(encoded_N4[:, 2:] * VARIANCES[1], 20.0))
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1).astype(np.float32)


def decode_points(encoded_N10: Floats, priors_N4: Floats) -> NDArray[np.float32]:
    """Five points (N, 10), x, y interleaved in 0..1, of what the network says about its anchors."""
    encoded_N52 = encoded_N10.reshape(-1, 5, 2)
    points = priors_N4[:, None, :2] + encoded_N52 * VARIANCES[0] * priors_N4[:, None, 2:]
    return points.reshape(-1, 10).astype(np.float32)


def iou(box_4: Floats, boxes_N4: Floats) -> NDArray[np.float64]:
    """Intersection over union (N,) of one box with each of N, all (x1, y1, x2, y2); empty boxes give 0."""
    box = np.asarray(box_4, dtype=np.float64)
    boxes = np.asarray(boxes_N4, dtype=np.float64)
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = np.prod(np.maximum(sides, 0), axis=1)
    area = float(np.prod(np.maximum(box[2:] - box[:2], 0)))
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    union = area + areas - common
    overlap: NDArray[np.float64] = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return overlap


def nms(boxes_N4: Floats, scores_N: Floats, threshold: float = 0.4) -> NDArray[np.intp]:
    """Greedy non-maximum suppression: indices of the boxes kept, best score first.

    A box is dropped when it overlaps a better one by more than `threshold` (intersection over union).
    """
    # stable, so that equal scores keep their order on every machine
    order = np.argsort(-np.asarray(scores_N), kind="stable")
    kept: list[int] = []
    while order.size:
        best = int(order[0])
        kept.append(best)
        order = order[1:][iou(boxes_N4[best], boxes_N4[order[1:]]) <= threshold]
    return np.asarray(kept, dtype=np.intp)
