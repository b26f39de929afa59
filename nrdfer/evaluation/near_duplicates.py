"""Near-duplicate clips: the same picture again, re-encoded, cropped, brighter or darker.

Each test clip's frames are looked up among those of the training clips by perceptual hash (``frame_hashes``), and the
nearest are aligned on the pixels: Evangelidis and Psarakis' correlation (ECC, 2008), which ignores brightness and
contrast, under a small affine change. So few bits decide where to look, and all pixels what is found. That a film or a
person is in both parts without sharing a picture is not seen here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from nrdfer.core.progress import Progress
from nrdfer.evaluation.frame_hashes import CROPS, Grey, coefficients, hashes_of, matrices, nearest, variants

FRAMES = 8  # of each clip, at equal distances, that others are compared with
ASKED = 4  # of these, that are looked up
MOST_BITS = 40  # between the hashes of frames that are aligned at all
SAME = 0.97  # correlation of aligned frames from which they are near-duplicates; copies have .99, strangers below .96
CANDIDATES = 3  # clips that are aligned for one test clip
_SIDE = 64  # pixels
_FLATTEST = 4.0  # grey levels; the standard deviation of a frame below which there is nothing to compare
_MOST_SCALED, _MOST_SHEARED = 0.12, 0.08  # of the affine change that still counts as the same picture
_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 1e-4)


class Frames(Protocol):
    """Clips with frames (`nrdfer.shards.reader.ShardReader`)."""

    def frames(self, clip_id: str, indices: Sequence[int] | None = None) -> npt.NDArray[np.uint8]:
        """Frames (T, H, W, 3) RGB at `indices`, or all."""
        ...


@dataclass(frozen=True)
class Neighbour:
    """A test clip and the training clip that shares a picture with it."""

    clip_id: str
    of: str  # the training clip
    correlation: float  # of the aligned frames, `SAME` to 1


@dataclass
class Pictures:
    """What is kept of every clip: grey frames (F, `_SIDE`, `_SIDE`), and the lowest frequencies of each."""

    small: dict[str, Grey] = field(default_factory=dict)
    low: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)

    def add(self, clip_id: str, frames_THWC: npt.NDArray[np.uint8]) -> None:
        """Keep the frames of a clip that show something; of one picture too flat to compare none is kept."""
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames_THWC]
        kept = [
            small
            for frame in grey
            if (small := cv2.resize(frame, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)).std() >= _FLATTEST
        ]
        if kept:
            self.small[clip_id] = np.stack(kept).astype(np.uint8)
            self.low[clip_id] = np.stack([coefficients(frame) for frame in kept])


def read_pictures(
    source: Frames, lengths: Mapping[str, int], *, workers: int = 2, progress: Progress | None = None
) -> Pictures:
    """Read `FRAMES` frames of each clip.

    Args:
        source: of the clips.
        lengths: number of frames of each clip to read.
        workers: threads.
        progress: called with (clips read, clips).
    """
    pictures = Pictures()

    def read(clip_id: str) -> tuple[str, npt.NDArray[np.uint8]]:
        places = np.linspace(0, lengths[clip_id] - 1, FRAMES).round().astype(int)
        return clip_id, source.frames(clip_id, sorted(set(places.tolist())))

    with ThreadPoolExecutor(max(1, workers)) as pool:
        ids = list(lengths)
        for start in range(0, len(ids), 256):  # so that few frames wait in memory
            for clip_id, frames in pool.map(read, ids[start : start + 256]):
                pictures.add(clip_id, frames)
            if progress is not None:
                progress(min(start + 256, len(ids)), len(ids))
    return pictures


def near_neighbours(
    pictures: Pictures,
    train_ids: Sequence[str],
    test_ids: Sequence[str],
    *,
    workers: int = 2,
    progress: Progress | None = None,
) -> list[Neighbour]:
    """Test clips that share a picture with a training clip, in order, each with the most alike of those looked at.

    Args:
        pictures: of both.
        train_ids: clips to look in.
        test_ids: clips to look up.
        workers: threads.
        progress: called with (test clips looked up, test clips).
    """
    trained = [clip_id for clip_id in sorted(train_ids) if clip_id in pictures.low]
    asked = [clip_id for clip_id in sorted(test_ids) if clip_id in pictures.low]
    if not trained or not asked:
        return []
    low_FB = np.concatenate([pictures.low[clip_id] for clip_id in trained])
    medians_B = np.median(low_FB, axis=0)
    base = hashes_of(low_FB, medians_B)
    places = [(clip_id, frame) for clip_id in trained for frame in range(len(pictures.low[clip_id]))]

    def look_up(clip_id: str) -> Neighbour | None:
        return _look_up(clip_id, pictures, base, medians_B, places)

    found: list[Neighbour] = []
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for done, neighbour in enumerate(pool.map(look_up, asked), start=1):
            found += [] if neighbour is None else [neighbour]
            if progress is not None:
                progress(done, len(asked))
    return found


def _look_up(
    clip_id: str,
    pictures: Pictures,
    base: npt.NDArray[np.uint64],
    medians_B: npt.NDArray[np.float32],
    places: Sequence[tuple[str, int]],
) -> Neighbour | None:
    frames = pictures.small[clip_id]
    rows = sorted({*np.linspace(0, len(frames) - 1, ASKED).round().astype(int).tolist()})
    questions_VB = np.concatenate([variants(frames[row]) for row in rows])
    each = len(questions_VB) // len(rows)
    found, bits = nearest(hashes_of(questions_VB, medians_B), base)
    candidates: dict[str, tuple[int, int, int]] = {}  # training clip -> frame of the test clip, its variant, own frame
    for number in np.argsort(bits, kind="stable").tolist():
        of, frame = places[int(found[number])]
        if bits[number] <= MOST_BITS:
            candidates.setdefault(of, (rows[number // each], number % each, frame))
    best: Neighbour | None = None
    for of, (mine, variant, theirs) in list(candidates.items())[:CANDIDATES]:
        correlation = aligned_correlation(frames[mine], pictures.small[of][theirs], [variant, 0])
        if correlation >= SAME and (best is None or correlation > best.correlation):
            best = Neighbour(clip_id, of, round(correlation, 4))
    return best


def aligned_correlation(one: Grey, other: Grey, starts: Sequence[int] | None = None) -> float:
    """The correlation of two grey pictures of one size once one is aligned on the other; -1 if that is not possible.

    The change that aligns them is affine and near to none, since two faces could be warped into each other otherwise.

    Args:
        one: square.
        other: of its size.
        starts: variants (`nrdfer.evaluation.frame_hashes.matrices`) from which the alignment begins; all unless given.
    """
    best = -1.0
    known = matrices(one.shape[0])
    for number in dict.fromkeys(range(len(known)) if starts is None else starts):
        # the smaller part of the scene is laid over the larger one, which has a pixel everywhere below it
        within = 1 <= number <= CROPS
        found = _align(other, one, known[number + CROPS]) if within else _align(one, other, known[number])
        if found is not None:
            best = max(best, found)
        if best >= SAME:
            break
    return best


def _align(one: Grey, other: Grey, start: npt.NDArray[np.float32]) -> float | None:
    align: Callable[..., tuple[float, Any]] = cv2.findTransformECC
    try:
        correlation, matrix = align(one, other, start, cv2.MOTION_AFFINE, _CRITERIA, None, 5)
    except cv2.error:  # it does not converge: they are unlike
        return None
    scaled = max(abs(matrix[0, 0] - 1), abs(matrix[1, 1] - 1))
    sheared = max(abs(matrix[0, 1]), abs(matrix[1, 0]))
    return float(correlation) if scaled <= _MOST_SCALED and sheared <= _MOST_SHEARED else None
