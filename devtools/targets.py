"""The target's face in every frame of a clip whose faces are all in memory, for tests and benches.

The policy is `nrdfer.faces.tracking`'s; the product finds faces and chooses in `nrdfer.faces.align_clip`.
"""

from __future__ import annotations

from collections.abc import Sequence

from nrdfer.faces.detector import Face
from nrdfer.faces.tracking import MAX_RESIDUAL, MIN_TRACK, choose_track, link


def choose_target(
    detections: Sequence[list[Face]],
    width: int,
    height: int,
    *,
    shots: Sequence[int] | None = None,
    policy: str = "presence",
    min_track: int = MIN_TRACK,
    max_residual: float = MAX_RESIDUAL,
) -> list[Face | None]:
    """The target person's face in each frame, or None where it was not found.

    Args:
        detections: the faces found in each frame, in any order within a frame.
        width: frame width in pixels.
        height: frame height in pixels.
        shots: the number of each frame's camera shot (`nrdfer.video.shots`); None takes the clip for one
            shot.
        policy: see `choose_track`.
        min_track: see `choose_track`.
        max_residual: see `choose_track`.
    """
    track = choose_track(
        link(detections, shots),
        width,
        height,
        len(detections),
        policy=policy,
        min_track=min_track,
        max_residual=max_residual,
    )
    return [None if track is None else track.faces.get(frame) for frame in range(len(detections))]
