"""Assigning ground-truth faces to the detector's priors: the target of each prior in training.

The priors themselves, and the decoding of boxes and points relative to them, are in `nrdfer.faces.priors`;
the loss is in `devtools.pretraining.multibox_loss`. Coordinates here are fractions of the picture's width and
height (0..1).

Shape legend: P priors, F faces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nrdfer.faces.priors import VARIANCES

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Targets:
    """Training targets of each prior; boxes and points count only where `positive`."""

    positive: NDArray[np.bool_]  # (P,)
    boxes: NDArray[np.float32]  # (P, 4), encoded
    points: NDArray[np.float32]  # (P, 10), encoded


def iou_matrix(a_N4: Floats, b_M4: Floats) -> NDArray[np.float32]:
    """Intersection over union of every pair of boxes (x1, y1, x2, y2): (N, M), 0 for empty boxes."""
    top_left_NM2 = np.maximum(a_N4[:, None, :2], b_M4[None, :, :2])
    bottom_right_NM2 = np.minimum(a_N4[:, None, 2:], b_M4[None, :, 2:])
    shared_NM = np.clip(bottom_right_NM2 - top_left_NM2, 0.0, None).prod(axis=2)
    area_N = np.clip(a_N4[:, 2:] - a_N4[:, :2], 0.0, None).prod(axis=1)
    area_M = np.clip(b_M4[:, 2:] - b_M4[:, :2], 0.0, None).prod(axis=1)
    union_NM = area_N[:, None] + area_M[None, :] - shared_NM
    iou_NM = np.zeros(shared_NM.shape, np.float32)
    np.divide(shared_NM, union_NM, out=iou_NM, where=union_NM > 0, casting="same_kind")
    return iou_NM


def encode_boxes(boxes_N4: Floats, priors_N4: Floats) -> NDArray[np.float32]:
    """Regression targets (N, 4) of boxes (x1, y1, x2, y2) against the anchors matched to them."""
    centres = (boxes_N4[:, :2] + boxes_N4[:, 2:]) / 2
    sizes = np.maximum(boxes_N4[:, 2:] - boxes_N4[:, :2], 1e-8)
    offsets = (centres - priors_N4[:, :2]) / (VARIANCES[0] * priors_N4[:, 2:])
    scales = np.log(sizes / priors_N4[:, 2:]) / VARIANCES[1]
    return np.concatenate([offsets, scales], axis=1).astype(np.float32)


def encode_points(points_N10: Floats, priors_N4: Floats) -> NDArray[np.float32]:
    """Regression targets (N, 10) of five points (x, y interleaved, 0..1) against their anchors."""
    points_N52 = points_N10.reshape(-1, 5, 2)
    encoded = (points_N52 - priors_N4[:, None, :2]) / (VARIANCES[0] * priors_N4[:, None, 2:])
    return encoded.reshape(-1, 10).astype(np.float32)


def match(boxes_F4: Floats, points_F52: Floats, priors_P4: Floats, threshold: float = 0.35) -> Targets:
    """Assign every prior its face, or none.

    A prior takes the face it overlaps most if their IoU is at least `threshold` (0.35 in Pytorch_Retinaface);
    each face also takes its own best prior whatever the IoU, so that no face goes untaught. Where two faces
    have the same best prior, the one that overlaps it more keeps it.

    Args:
        boxes_F4: corners (x1, y1, x2, y2), fractions of the picture; F may be 0.
        points_F52: the five points of each face, fractions.
        priors_P4: (cx, cy, w, h) as of `nrdfer.faces.priors.prior_boxes`.
        threshold: least IoU of a positive prior.
    """
    n_priors = len(priors_P4)
    if len(boxes_F4) == 0:
        empty = np.zeros((n_priors, 14), np.float32)
        return Targets(np.zeros(n_priors, np.bool_), empty[:, :4], empty[:, 4:])
    half_P2 = priors_P4[:, 2:] / 2
    corners_P4 = np.concatenate((priors_P4[:, :2] - half_P2, priors_P4[:, :2] + half_P2), axis=1)
    iou_FP = iou_matrix(boxes_F4, corners_P4)
    face_P = iou_FP.argmax(axis=0)
    best_P = iou_FP.max(axis=0)
    own_prior_F = iou_FP.argmax(axis=1)
    for face in np.argsort(iou_FP.max(axis=1), kind="stable"):  # the strongest claim is written last
        face_P[own_prior_F[face]] = face
        best_P[own_prior_F[face]] = 1.0
    return Targets(
        positive=best_P >= threshold,
        boxes=encode_boxes(boxes_F4[face_P], priors_P4).astype(np.float32),
        points=encode_points(points_F52[face_P].reshape(n_priors, 10), priors_P4).astype(np.float32),
    )
