"""Moments of an undisturbed run."""

from __future__ import annotations

import random

from devtools.chaos.line import Seen, draw_moments


def test_a_moment_in_each_of_as_many_stretches() -> None:
    seen: Seen = [(0.0, 0), (1.5, 1), (7.0, 4), (10.0, 4)]
    began = {mark: at for at, mark in reversed(seen)}
    for seed in range(20):
        moments = [began[mark] + after for mark, after in draw_moments(seen, 10, random.Random(seed))]
        assert [int(moment) for moment in moments] == list(range(10))
