"""The emotions' colours on pictures and frames: the report's, as numbers, and ink that is read on them."""

from __future__ import annotations

from collections.abc import Sequence

from nrdfer.core.luma import LUMA
from nrdfer.plotting.style import emotion_style

RGB = tuple[int, int, int]
NO_FACE_RGB: RGB = (150, 150, 150)


def rgb_of(emotion: str | None, emotions: Sequence[str]) -> RGB:
    """The colour of an emotion of a label set, or of no face."""
    return NO_FACE_RGB if emotion is None else from_hex(emotion_style(emotion, emotions)[0])


def from_hex(text: str) -> RGB:
    """``#RRGGBB`` as numbers."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def ink_on(colour: RGB) -> RGB:
    """Black or white, whichever is more legible."""
    return (0, 0, 0) if sum(share * value for share, value in zip(LUMA, colour, strict=True)) > 140 else (255, 255, 255)
