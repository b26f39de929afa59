"""Turning, scaling and cropping a face so that its five points meet a template.

The template is ArcFace's for 112 x 112 pixels. The transform is the least-squares similarity of Umeyama
(1991) over all five points; OpenCV's robust estimators throw points away and tilt faces, so they are not
used. Which face to align is decided in `nrdfer.faces.tracking`; what a bad fit means for a frame, in
`nrdfer.preprocessing.videos`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

#: ArcFace's template (github.com/deepinsight/insightface): image-left eye, right eye, nose, left and right
#: mouth corner; x, y in pixels of a 112 x 112 crop.
TEMPLATE_112: NDArray[np.float64] = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
TEMPLATE_112.flags.writeable = False


def template(size: int = 112, margin: float = 0.0) -> NDArray[np.float64]:
    """Positions of the five points in a crop of `size` x `size` pixels, (5, 2).

    Args:
        size: side of the crop.
        margin: fraction by which the template shrinks toward the crop's centre, so that more of the head is
            seen: 0 is ArcFace's tight crop, 0.2 makes the face four fifths of that size.

    Raises:
        ValueError: a size below 8 or a margin outside -0.5..0.9.
    """
    if size < 8 or not -0.5 <= margin <= 0.9:
        raise ValueError(f"no template for size {size} and margin {margin}; size >= 8 and margin in -0.5..0.9")
    return ((TEMPLATE_112 - 56.0) * (1 - margin) + 56.0) * (size / 112.0)


def umeyama(src: ArrayLike, dst: ArrayLike) -> NDArray[np.float64]:
    """The similarity (turn, scale, shift; never a mirror image) that best maps `src` onto `dst`.

    Least squares over all points: Umeyama (1991), "Least-squares estimation of transformation parameters
        between two
    point patterns", equations 40 to 42.

    Args:
        src: points (N, 2), N >= 2.
        dst: points (N, 2).

    Returns:
        The matrix (2, 3): ``dst ~ matrix[:, :2] @ src + matrix[:, 2]``.

    Raises:
        ValueError: shapes differ, values are not finite, or the source points coincide.
    """
    source, target = np.asarray(src, dtype=np.float64), np.asarray(dst, dtype=np.float64)
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 2 or len(source) < 2:
        raise ValueError(f"umeyama needs two equal (N, 2) arrays with N >= 2, not {source.shape} and {target.shape}")
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise ValueError("umeyama cannot fit points that are not finite")
    source_mean, target_mean = source.mean(0), target.mean(0)
    source_0, target_0 = source - source_mean, target - target_mean
    variance = float((source_0**2).sum() / len(source))
    if variance <= 1e-12 * max(1.0, float(np.abs(source).max())) ** 2:
        raise ValueError("umeyama cannot fit points that coincide")
    u, singular, vt = np.linalg.svd(target_0.T @ source_0 / len(source))
    # turn the mirrored solution into the best proper rotation
    sign = np.array([1.0, -1.0 if np.linalg.det(u) * np.linalg.det(vt) < 0 else 1.0])
    rotation = (u * sign) @ vt
    scale = float((singular * sign).sum()) / variance
    matrix = np.empty((2, 3))
    matrix[:, :2] = scale * rotation
    matrix[:, 2] = target_mean - matrix[:, :2] @ source_mean
    return matrix


def fit_template(points: ArrayLike, size: int = 112, margin: float = 0.0) -> tuple[NDArray[np.float64], float]:
    """The similarity that aligns five points, and how badly they then fit.

    Returns:
        The matrix (2, 3) from source pixels to crop pixels, and the residual: the points' mean distance from
        the template, in pixels of the 112 x 112 template whatever the crop's size and margin.

    Raises:
        ValueError: points that are not (5, 2), not finite, coincide, or collapse to a crop without extent.
    """
    target = template(size, margin)
    matrix = umeyama(points, target)
    if abs(float(np.linalg.det(matrix[:, :2]))) < 1e-12:
        raise ValueError("the five points fit the template only by shrinking to a point")
    mapped = np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2]
    unit = size / 112.0 * (1 - margin)
    return matrix, float(np.linalg.norm(mapped - target, axis=1).mean() / unit)


def warp(rgb: NDArray[np.uint8], matrix: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    """Cut the crop (size, size, 3) that `matrix` (source to crop) describes.

    Beyond its edge the picture is mirrored. Where the face is shrunk to less than half, the picture is first
    averaged down by a whole factor: bilinear sampling alone would skip pixels and flicker.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    scale = math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
    if 0 < scale < 0.5:
        factor = min(math.floor(1 / scale), *rgb.shape[:2])
        rgb = _averaged(rgb, factor)
        matrix = matrix.copy()
        # pixel centres: x = factor * x_small + (factor - 1) / 2
        matrix[:, 2] += matrix[:, :2] @ np.full(2, (factor - 1) / 2)
        matrix[:, :2] *= factor
    crop = cv2.warpAffine(rgb, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return cast(NDArray[np.uint8], crop)


def _averaged(rgb: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Means of factor x factor pixels; sides that do not divide are first continued by reflection."""
    height, width = rgb.shape[:2]
    below, right = -height % factor, -width % factor
    if below or right:
        rgb = cast(NDArray[np.uint8], cv2.copyMakeBorder(rgb, 0, below, 0, right, cv2.BORDER_REFLECT))
    size = (rgb.shape[1] // factor, rgb.shape[0] // factor)
    return cast(NDArray[np.uint8], cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))


def nearest_matrices(matrices: Sequence[NDArray[np.float64] | None]) -> list[NDArray[np.float64]] | None:
    """Fill gaps with the nearest frame's matrix (the earlier of two); None if no frame has one."""
    known = [(index, matrix) for index, matrix in enumerate(matrices) if matrix is not None]
    if not known:
        return None
    filled: list[NDArray[np.float64]] = []
    at = 0
    for index in range(len(matrices)):
        while at + 1 < len(known) and abs(known[at + 1][0] - index) < abs(known[at][0] - index):
            at += 1
        filled.append(known[at][1])
    return filled


def middle_square(width: int, height: int, size: int) -> NDArray[np.float64]:
    """The matrix (2, 3) that shows a picture's largest centred square in `size` x `size` pixels."""
    scale = size / min(width, height)
    # pixel centres: the square's middle ((width - 1) / 2, ...) goes to the crop's
    shift = (size - 1) / 2 - scale * (np.array([width, height]) - 1) / 2
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
