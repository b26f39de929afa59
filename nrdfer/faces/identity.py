"""Joining tracks to people, across cuts and returns.

A track is one face followed within one camera shot (`tracking`). Two tracks are of one person if their faces look alike
(`appearance`) and never show in one frame. The most alike are joined first, and a joined pair is compared as a whole:
what it looks like from all sides. A track without enough usable faces is nobody's; one that cannot be described joins
no other.

A person needs as many usable faces as a target; who of them is the target is `tracking.choose_track`'s. Corpora are not
cropped by this: there, a target is one track.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nrdfer.faces.appearance import Cue, Look
from nrdfer.faces.tracking import Track, is_usable

LEAST_USABLE = 3  # faces of a track that may join others
MOST_LOOKS = 8  # that are kept of a track or a person
MOST_TRACKS = 400  # that are compared; of a crowd the longest ones


@dataclass(slots=True)
class Identity:
    """One person: the tracks that were joined, as one track, and what they look like."""

    track: Track
    looks: list[Look] = field(default_factory=list)
    tracks: int = 1

    def joined(self, other: Identity) -> Identity:
        """This person and another one, who turned out to be the same."""
        faces = dict(sorted({**self.track.faces, **other.track.faces}.items()))
        track = Track(faces, max(self.track.last_frame, other.track.last_frame))
        return Identity(track, _spread([*self.looks, *other.looks]), self.tracks + other.tracks)


def identities(
    tracks: Sequence[Track], looks: Mapping[int, Sequence[Look]], cue: Cue | None, least: int = LEAST_USABLE
) -> list[Identity]:
    """People, by their first frame; tracks that are too short are left out.

    Args:
        tracks: of `tracking.link`.
        looks: of some of them, number -> looks in the order of frames.
        cue: that described them; None joins nobody.
        least: usable faces of a track that may join others.
    """
    usable = [
        number for number, track in enumerate(tracks) if sum(is_usable(face) for face in track.faces.values()) >= least
    ]
    usable.sort(key=lambda number: (-len(tracks[number].faces), number))
    kept = usable if cue is None else usable[:MOST_TRACKS]
    people = [Identity(tracks[number], _spread(looks.get(number, ()))) for number in sorted(kept)]
    joined = people if cue is None else _join(people, cue)
    return sorted(joined, key=lambda who: next(iter(who.track.faces)))


def _join(people: list[Identity], cue: Cue) -> list[Identity]:
    """Join the most alike until nobody else is alike enough."""
    alive: dict[int, Identity] = dict(enumerate(people))
    alike = {(a, b): _alike(people[a], people[b], cue) for a in range(len(people)) for b in range(a + 1, len(people))}
    alike = {pair: value for pair, value in alike.items() if value >= cue.same}
    count = len(people)
    while alike:
        a, b = max(alike, key=lambda pair: (alike[pair], -pair[0], -pair[1]))
        joined = alive.pop(a).joined(alive.pop(b))
        alike = {pair: value for pair, value in alike.items() if a not in pair and b not in pair}
        for number, other in alive.items():
            value = _alike(other, joined, cue)
            if value >= cue.same:
                alike[number, count] = value
        alive[count] = joined
        count += 1
    return list(alive.values())


def _alike(a: Identity, b: Identity, cue: Cue) -> float:
    """Similarity of two people, 0 if both show in one frame."""
    if not a.looks or not b.looks:
        return 0.0
    first, second = sorted((a.track.faces, b.track.faces), key=len)
    return 0.0 if any(frame in second for frame in first) else cue.similarity(a.looks, b.looks)


def _spread(looks: Sequence[Look]) -> list[Look]:
    """At most `MOST_LOOKS`, evenly spread."""
    if len(looks) <= MOST_LOOKS:
        return list(looks)
    return [looks[i] for i in np.linspace(0, len(looks) - 1, MOST_LOOKS).round().astype(int)]
