"""Killing a build at moments spread over its whole duration, and repeating the same command until it succeeds.

A moment is drawn uniformly in the duration of a build that nobody killed, and found again in the repeated runs by the
last mark before it, so that late moments (publishing, folds) are hit as well, however often the work was cut short.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from typing import Any

from bench.full_size.build import END, Build, Mark, digest_store, visible_problems
from nrdfer.corpora.base import Corpus

_LOOK = 0.005  # seconds between two looks at the marks


def draw_moments(marks: list[tuple[float, Mark]], times: int, seed: int) -> list[tuple[Mark, float]]:
    """(Mark, seconds after it) of `times` moments in order, from the marks of a build that was not killed."""
    end = max(at for at, mark in marks if mark[0] == END)
    rng = random.Random(seed)
    # one moment in each of as many equal stretches: random, and nowhere a long gap
    drawn = [(i + rng.random()) * end / times for i in range(times)]
    last = [max((at, mark) for at, mark in marks if at <= moment) for moment in drawn]
    return [(mark, moment - at) for moment, (at, mark) in zip(drawn, last, strict=True)]


def kill_builds(line: list[str], store: Path, corpus: Corpus, moments: list[tuple[Mark, float]]) -> dict[str, Any]:
    """Start `line`, kill it at each of `moments`, let it finish at last; returns what happened."""
    killed: list[dict[str, Any]] = []
    early = 0
    problems: list[str] = []
    began = time.monotonic()
    for number, (mark, after) in enumerate(moments, start=1):
        build = Build(line)
        started = time.monotonic()
        while build.running and not build.reached(mark):
            time.sleep(_LOOK)
        time.sleep(after)
        if build.kill():
            killed.append({"mark": list(mark), "after": round(after, 2), "ran": round(time.monotonic() - started, 2)})
        else:
            early += 1
        problems += visible_problems(store, corpus)
        print(f"\nkill {number} of {len(moments)} at {mark} + {after:.2f} s", file=sys.stderr)
    last = Build(line)
    last.finish()
    print(file=sys.stderr)
    return {
        "kills": len(killed),
        "ended_before_the_kill": early,
        "visible_and_not_whole": problems,
        "seconds_in_all": round(time.monotonic() - began, 1),
        "killed_at": killed,
        "digest": digest_store(store, corpus),
    }
