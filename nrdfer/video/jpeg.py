"""Frames to JPEG and back: the one encoder and decoder of pictures in shards and of the rendered corpus."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]
MOST_PIXELS = 50_000_000  # damage can claim thousands of millions
_SIZES = b"\xff\xc0"  # the segment of a sequential JPEG that holds its height and width


def encode_jpeg(frame: Frames, quality: int) -> bytes:
    """One RGB frame (H, W, 3) uint8 as JPEG.

    Raises:
        ValueError: the frame has another shape or type.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or 0 in frame.shape:
        raise ValueError(f"a frame must be (H, W, 3) uint8, not {frame.shape} {frame.dtype}")
    _, data = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(data)


def decode_jpeg(data: bytes) -> Frames:
    """One picture (H, W, 3) uint8 RGB.

    Raises:
        ValueError: the bytes are not a picture.
    """
    start = data.find(_SIZES, 0, 4096)
    height, width = (int.from_bytes(data[start + i : start + i + 2], "big") for i in (5, 7))
    if start >= 0 and height * width > MOST_PIXELS:
        raise ValueError(f"{len(data)} bytes claim to be a picture of {width} x {height} pixels")
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB) if data else None
    except cv2.error as error:
        raise ValueError(f"{len(data)} bytes are not a picture ({error.err})") from error
    if picture is None:
        raise ValueError(f"{len(data)} bytes are not a picture")
    return np.asarray(picture, np.uint8)
