"""Time interpolation: a clip of any length as exactly T frames (TI in the paper's Table 5).

`tim_weights` is the temporal interpolation model of Zhou et al. (2011, 2013), with which DFEW's authors made their
clips of 16 frames; `linear_weights` is a blend of the two nearest frames, for comparison. Choosing frames instead
belongs to ``sampling``.

The model puts a clip's n frames on a path graph, embeds the graph in a curve of sines (the eigenvectors of its
Laplacian) and fits a linear map from frames to the curve. If the frames are linearly independent, the map is exact and
has an inverse, and mapping a point of the curve back is the same as interpolating the frames with the curve's own
coordinates: the k-th eigenvector is cos(pi k (i - 1/2) / n) at frame i, and at any time between frames. That closed
form is what is computed here. It needs no decomposition of all pixels, and holds for frames that are not independent
(a still, a repeated frame), for which the published procedure fails. Shapes: n frames in, T out, H x W pixels, C
colours.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nrdfer.data.settings import METHODS

_BLOCK = 8192  # values of a frame that are interpolated at a time


def _times(n_frames: int, count: int) -> npt.NDArray[np.float64]:
    """`count` times from the first frame, 1, to the last, n."""
    return np.linspace(1.0, n_frames, count) if count > 1 else np.array([1.0])


def tim_weights(n_frames: int, count: int) -> npt.NDArray[np.float64]:
    """Weights (T, n) of the frames in each interpolated one; rows sum to 1, and some may be negative.

    Args:
        n_frames: n, at least 1.
        count: T, at least 1; the first and the last frame are kept as they are.
    """
    frame_n = np.arange(1, n_frames + 1)
    k_K = np.arange(1, n_frames)[:, None]
    curve_Kn = np.cos(np.pi * k_K * (frame_n - 0.5) / n_frames)
    curve_KT = np.cos(np.pi * k_K * (_times(n_frames, count) - 0.5) / n_frames)
    weights: npt.NDArray[np.float64] = (1 + 2 * curve_KT.T @ curve_Kn) / n_frames
    return weights


def linear_weights(n_frames: int, count: int) -> npt.NDArray[np.float64]:
    """Weights (T, n) that blend the two nearest frames."""
    distance_Tn = np.abs(_times(n_frames, count)[:, None] - np.arange(1, n_frames + 1))
    return np.maximum(0.0, 1.0 - distance_Tn)


def interpolate(frames_nHWC: npt.NDArray[np.uint8], count: int, method: str = "ti") -> npt.NDArray[np.uint8]:
    """A clip as `count` frames: (n, H, W, C) -> (T, H, W, C), values rounded and kept in 0 to 255.

    Args:
        frames_nHWC: all frames of a clip, at least one.
        count: T.
        method: ``ti`` (Zhou et al.) or ``linear``.

    Raises:
        ValueError: no frame, no frame requested, or an unknown method.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    n_frames = len(frames_nHWC)
    if n_frames < 1 or count < 1:
        raise ValueError(f"cannot interpolate {n_frames} frames to {count}; both must be at least 1")
    weights_Tn = tim_weights(n_frames, count) if method == "ti" else linear_weights(n_frames, count)
    flat_nM = frames_nHWC.reshape(n_frames, -1)
    out_TM = np.empty((count, flat_nM.shape[1]), dtype=np.uint8)
    # In double precision, so that no order of summation rounds a value differently; in blocks, to hold little of it.
    for start in range(0, flat_nM.shape[1], _BLOCK):
        block = slice(start, start + _BLOCK)
        out_TM[:, block] = np.clip(np.rint(weights_Tn @ flat_nM[:, block].astype(np.float64)), 0, 255)
    return out_TM.reshape(count, *frames_nHWC.shape[1:])
