"""Contact sheet: one picture of a clip's crops, for judging alignment and gaps at a glance.

Frames without the target carry a frame in vermillion and the words "no target"; the others a blue one. Both colours are
from the palette of Okabe and Ito, which colour-blind readers can distinguish. Writing files does not belong here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from nrdfer.core.records import FrameRecord

FACE_RGB = (0, 114, 178)
MISSING_RGB = (213, 94, 0)
MAX_TILES = 96
_BORDER, _LABEL, _TITLE, _GAP = 3, 16, 26, 4
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def contact_sheet(
    crops: NDArray[np.uint8] | Mapping[int, NDArray[np.uint8]],
    records: Sequence[FrameRecord],
    *,
    title: str = "",
    columns: int = 12,
    max_tiles: int = MAX_TILES,
    tile: int = 112,
) -> NDArray[np.uint8]:
    """A labelled grid of crops, (H, W, 3) uint8 RGB, in frame order.

    Args:
        crops: (T, S, S, 3) uint8 RGB; or, by index, those of the frames that `tile_frames` names.
        records: T records; their index is the label.
        title: first words of the line above the grid.
        columns: tiles in a row.
        max_tiles: longer clips are thinned out evenly, such that frames with a face keep at least two thirds.
        tile: side of a shown crop in pixels.

    Raises:
        ValueError: no crops, or another number of records.
    """
    by_index = isinstance(crops, Mapping)
    if len(crops) == 0 or (not by_index and len(crops) != len(records)):
        raise ValueError(f"a contact sheet needs crops and a record for each; got {len(crops)} and {len(records)}")
    tiles = tile_frames(records, max_tiles)
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    width, height = tile + 2 * _BORDER, tile + 2 * _BORDER + _LABEL
    sheet = np.full((_TITLE + rows * (height + _GAP), max(columns * (width + _GAP), 480), 3), 255, np.uint8)
    with_face = sum(record.has_face for record in records)
    words = f"{title}  {with_face} of {len(records)} frames with the target"
    if len(tiles) < len(records):
        words += f"; {len(tiles)} shown"
    _write(sheet, words.strip(), (6, 18), 0.5)
    for place, index in enumerate(tiles):
        top = _TITLE + place // columns * (height + _GAP)
        left = place % columns * (width + _GAP)
        _draw(sheet[top : top + height, left : left + width], crops[index], records[index], tile)
    return sheet


def tile_frames(records: Sequence[FrameRecord], max_tiles: int = MAX_TILES) -> list[int]:
    """Frame indices that a contact sheet of these records shows."""
    return thinned([record.has_face for record in records], max_tiles)


def thinned(has_face: Sequence[bool], limit: int) -> list[int]:
    """At most `limit` frame indices, evenly spread; if frames with a face are rarer, they get two thirds."""
    everything = np.arange(len(has_face))
    if len(everything) <= limit:
        return everything.tolist()
    faces = everything[np.asarray(has_face)]
    missing = everything[~np.asarray(has_face)]
    share = max(len(faces) / len(everything), 2 / 3 if len(faces) else 0.0)
    n_faces = min(len(faces), round(limit * share))
    n_missing = min(len(missing), limit - n_faces)
    n_faces = min(len(faces), limit - n_missing)
    picked = [group[np.linspace(0, len(group) - 1, n).round().astype(int)] for group, n in
              ((faces, n_faces), (missing, n_missing)) if n]  # fmt: skip
    return cast(list[int], np.unique(np.concatenate(picked)).tolist())


def _draw(cell: NDArray[np.uint8], crop: NDArray[np.uint8], record: FrameRecord, tile: int) -> None:
    """Fill one cell: a frame in the status' colour, the crop, and the frame number below."""
    if crop.shape[0] != tile:
        shrink = crop.shape[0] > tile
        method = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
        crop = cast(NDArray[np.uint8], cv2.resize(crop, (tile, tile), interpolation=method))
    inner = tile + 2 * _BORDER
    cell[:inner] = FACE_RGB if record.has_face else MISSING_RGB
    cell[_BORDER : _BORDER + tile, _BORDER : _BORDER + tile] = crop
    label = f"{record.index}" if record.has_face else f"{record.index} no target"
    _write(cell, label, (2, inner + _LABEL - 4), 0.4)


def _write(target: NDArray[np.uint8], text: str, at: tuple[int, int], scale: float) -> None:
    # OpenCV draws only into contiguous memory, and only ASCII
    canvas = np.ascontiguousarray(target)
    ascii_text = text.encode("ascii", "replace").decode()
    cv2.putText(canvas, ascii_text, at, _FONT, scale, (0, 0, 0), 1, cv2.LINE_AA)
    target[...] = canvas


class SheetCollector:
    """Keeps the crops of a stream that the clip's contact sheet shows."""

    def __init__(self, records: Sequence[FrameRecord]) -> None:
        self._records = records
        self._tiled = set(tile_frames(records))
        self._tiles: dict[int, NDArray[np.uint8]] = {}

    def passing(self, crops: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        """The same crops, one for each record."""
        for index, crop in enumerate(crops):
            if index in self._tiled:
                self._tiles[index] = np.array(crop)
            yield crop

    def sheet(self, title: str) -> NDArray[np.uint8]:
        """The contact sheet of all crops that passed."""
        return contact_sheet(self._tiles, self._records, title=title)
