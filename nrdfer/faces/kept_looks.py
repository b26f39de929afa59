"""Looks at the tracks of a video while it is read: of a long one a part, so that memory does not grow with its length.

What a look is belongs to `appearance`; comparing them, to `identity`.
"""

from __future__ import annotations

from nrdfer.faces.appearance import Look
from nrdfer.faces.identity import MOST_LOOKS

#: Looks of a whole video: half an hour of two faces, at some 4 kB each.
MOST_KEPT = 16_384
_FEW = 2  # looks by which a track can still be compared


class KeptLooks:
    """Looks at each track, all of them as long as they are few; then fewer of each, evenly spread.

    Tracks with many looks lose some first. Where even `_FEW` of each are too many, the tracks that were looked at least
    lose theirs, so that they join no other: of a crowd the longest tracks are compared
    (`nrdfer.faces.identity.MOST_TRACKS`).

    Args:
        most: looks that are kept.
    """

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._count = 0
        self._of: dict[int, list[Look]] = {}
        self._seen: dict[int, int] = {}  # track -> looks that were offered
        self._step: dict[int, int] = {}  # track -> one in so many is kept

    def __len__(self) -> int:
        return self._count

    def add(self, track: int, look: Look) -> None:
        """Add the next look at a track."""
        seen = self._seen.get(track, 0)
        self._seen[track] = seen + 1
        if seen % self._step.get(track, 1):
            return
        self._of.setdefault(track, []).append(look)
        self._count += 1
        if self._count > self._most:
            self._reduce()

    def of(self) -> dict[int, list[Look]]:
        """Track -> its looks, in the order of frames."""
        return {track: list(looks) for track, looks in sorted(self._of.items())}

    def _reduce(self) -> None:
        """Halve the number of looks."""
        least = MOST_LOOKS
        while self._count > self._most // 2 and least >= _FEW:
            for track in [track for track, looks in self._of.items() if len(looks) > least]:
                self._of[track] = self._of[track][::2]
                self._step[track] = 2 * self._step.get(track, 1)
            if max(map(len, self._of.values())) <= least:
                least //= 2
            self._count = sum(map(len, self._of.values()))
        for track in sorted(self._of, key=lambda track: (self._seen[track], -track)):
            if self._count <= self._most // 2:
                return
            self._count -= len(self._of.pop(track))
