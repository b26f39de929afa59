"""Perceptual hashes of frames, and the nearest of many: candidates for near-duplicates, found by bits alone.

A hash holds the signs of the lowest 128 frequencies of the grey frame (DCT, without the mean), each compared with its
median over a corpus, because aligned faces are alike in most of them. Bits alone say too little of two faces; whether a
candidate is a near-duplicate is decided by ``near_duplicates``. Shapes: F frames, V variants of a frame, Q questions.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

BITS = 128  # two words
_SIDE = 32  # pixels of the frame that is transformed
_FREQUENCIES = 20  # of each axis among which the lowest are taken
#: How much of a frame's side a copy may have been cropped to.
CROPPED = 0.95
_CORNERS = ((0.5, 0.5), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
CROPS = len(_CORNERS)
_QUESTIONS, _BASE = 64, 8192  # of a block of distances, which stays in the processor's cache
Grey = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]  # (..., 2)

_LOWEST = sorted(
    ((u, v) for u in range(_FREQUENCIES) for v in range(_FREQUENCIES) if u + v),
    key=lambda place: (place[0] + place[1], place),
)[:BITS]
_ROWS, _COLUMNS = (np.array(axis) for axis in zip(*_LOWEST, strict=True))


def coefficients(frame_HW: Grey) -> npt.NDArray[np.float32]:
    """The lowest frequencies of a grey frame, (`BITS`,)."""
    small = cv2.resize(frame_HW, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(cv2.dct(small)[_ROWS, _COLUMNS], np.float32)


def variants(frame_HW: Grey) -> npt.NDArray[np.float32]:
    """Coefficients (V, `BITS`) of a frame as it is, cropped at centre and corners, and as a crop of a larger one."""
    small = cv2.resize(frame_HW, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    flags, border = cv2.INTER_LINEAR, cv2.BORDER_REFLECT
    made = [cv2.warpAffine(small, m, (_SIDE, _SIDE), flags=flags, borderMode=border) for m in matrices(_SIDE)]
    return np.stack([cv2.dct(picture)[_ROWS, _COLUMNS] for picture in made])


def matrices(side: int) -> list[npt.NDArray[np.float32]]:
    """The affine change (2, 3) of each variant, in pixels of a square picture: none, `CROPS` crops, their inverses."""
    made = [np.array([[1, 0, 0], [0, 1, 0]], np.float32)]
    for scale in (1 / CROPPED, CROPPED):
        margin = side * (1 - scale)  # negative where the frame grows
        made += [np.array([[scale, 0, margin * x], [0, scale, margin * y]], np.float32) for x, y in _CORNERS]
    return made


def hashes_of(coefficients_FB: npt.NDArray[np.float32], medians_B: npt.NDArray[np.float32]) -> Hashes:
    """Hashes (..., 2) of coefficients (..., `BITS`) beside a corpus's medians."""
    packed = np.packbits(coefficients_FB > medians_B, axis=-1)
    return np.ascontiguousarray(packed).view(np.uint64)


def nearest(questions_Q: Hashes, base_F: Hashes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Of each question's hash the position of the nearest in `base_F`, and the number of bits between them.

    Raises:
        ValueError: nothing to compare with.
    """
    if not len(base_F):
        raise ValueError("no hash to compare with")
    found, least = np.zeros(len(questions_Q), np.int64), np.full(len(questions_Q), BITS + 1, np.int64)
    words = [np.ascontiguousarray(base_F[:, w]) for w in range(base_F.shape[1])]
    for rows in _blocks(len(questions_Q), _QUESTIONS):
        asked = questions_Q[rows]
        for block in _blocks(len(base_F), _BASE):
            bits = np.zeros((len(asked), len(words[0][block])), np.uint8)
            for w, word in enumerate(words):
                bits += _set_bits(asked[:, w, None] ^ word[block][None])
            best = bits.argmin(1)
            distance = bits[np.arange(len(asked)), best].astype(np.int64)
            better = distance < least[rows]
            found[rows] = np.where(better, best + block.start, found[rows])
            least[rows] = np.where(better, distance, least[rows])
    return found, least


def _blocks(length: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


def _set_bits(words: Hashes) -> npt.NDArray[np.uint8]:
    if hasattr(np, "bitwise_count"):
        return np.asarray(np.bitwise_count(words), np.uint8)
    halves = words.view(np.uint16).reshape(*words.shape, 4)  # numpy 1
    return np.asarray(_TABLE[halves].sum(-1), np.uint8)


_TABLE = np.array([number.bit_count() for number in range(1 << 16)], np.uint8)
