"""Letters on pictures and frames, in any script that a font here has; figures are lettered by Matplotlib.

The font is DejaVu Sans, which comes with Matplotlib; for letters that it lacks (Chinese, say), the first font of the
machine that has all of them. Without one, missing letters are drawn as boxes.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

RGB = tuple[int, int, int]
Picture = npt.NDArray[np.uint8]
_USUAL = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
_EM = 1.1  # of a line's size
_MOST_FONTS = 4000  # files that are looked at


def extent(text: str, size: float) -> tuple[int, int, int]:
    """Width, height above the base line, and depth below it, pixels."""
    left, top, right, bottom = _font(_font_for(text), _em(size)).getbbox(text or " ", anchor="ls")
    return int(right - min(left, 0)), int(-top), int(max(bottom, 0))


def write(picture: Picture, text: str, at: tuple[int, int], size: float, colour: RGB) -> None:
    """Write a line of about `size` pixels; `at` is the left end of its base line. What is outside is cut off."""
    mask, (dx, dy) = _mask(text, _em(size))
    x, y = at[0] + dx, at[1] + dy
    x1, y1 = max(x, 0), max(y, 0)
    x2, y2 = min(x + mask.shape[1], picture.shape[1]), min(y + mask.shape[0], picture.shape[0])
    if x1 >= x2 or y1 >= y2:
        return
    part = mask[y1 - y : y2 - y, x1 - x : x2 - x, None].astype(np.uint16)
    region = picture[y1:y2, x1:x2]
    mixed = region.astype(np.uint16) * (255 - part) + np.asarray(colour, np.uint16) * part
    region[...] = ((mixed + 127) // 255).astype(np.uint8)


def write_within(picture: Picture, text: str, at: tuple[int, int], room: int, size: float, colour: RGB) -> None:
    """Write a line in smaller letters if they need it to fit, so that no word of it is lost."""
    write(picture, text, at, size * min(1.0, room / max(1, extent(text, size)[0])), colour)


def _em(size: float) -> int:
    return max(6, round(size * _EM))


@lru_cache(maxsize=512)
def _mask(text: str, em: int) -> tuple[Picture, tuple[int, int]]:
    """The letters (H, W), 0 to 255, and where they begin relative to the base line's left end."""
    font = _font(_font_for(text), em)
    left, top, right, bottom = (int(v) for v in font.getbbox(text or " ", anchor="ls"))
    image = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(image).text((-left, -top), text, fill=255, font=font, anchor="ls")
    return np.asarray(image, np.uint8), (left, top)


@lru_cache(maxsize=64)
def _font(path: str, em: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, em)


@lru_cache(maxsize=256)
def _font_for(text: str) -> str:
    """The file of a font that has all letters of a text; the usual one if none has."""
    needed = {ord(letter) for letter in text if not letter.isspace()}
    if needed <= _letters(str(_USUAL)):
        return str(_USUAL)
    from matplotlib.font_manager import findSystemFonts

    for path in sorted(findSystemFonts())[:_MOST_FONTS]:
        if needed <= _letters(path):
            return path
    return str(_USUAL)


@lru_cache(maxsize=1024)
def _letters(path: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):  # no font, or one of a kind that is not read
        return frozenset()
