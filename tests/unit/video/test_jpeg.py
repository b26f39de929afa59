from __future__ import annotations

import cv2
import numpy as np
import pytest

from nrdfer.video.jpeg import decode_jpeg, encode_jpeg


def test_jpeg_keeps_the_picture() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 3, 3), np.uint8)
    frame = np.asarray(cv2.resize(noise, (48, 40), interpolation=cv2.INTER_CUBIC), np.uint8)
    decoded = decode_jpeg(encode_jpeg(frame, 95))
    assert decoded.shape == frame.shape
    assert np.abs(decoded.astype(int) - frame).mean() < 3
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    assert decode_jpeg(encode_jpeg(red, 95))[8, 8].tolist() == pytest.approx([254, 0, 0], abs=2)
    for bad in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match="uint8"):
            encode_jpeg(bad, 95)  # type: ignore[arg-type]
    for junk in (b"", b"no picture"):
        with pytest.raises(ValueError, match="not a picture"):
            decode_jpeg(junk)
