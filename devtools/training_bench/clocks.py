"""Alternating runs of the loops, and the time of each."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from devtools.training_bench.ways import Way
from nrdfer.core.errors import TrainingError
from nrdfer.data.loader import Positions


@dataclass
class Clock:
    """What one way took."""

    warm_up: float = 0.0
    seconds: list[float] = field(default_factory=list)  # of each turn
    waited: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)  # the process's seconds, of all its threads

    def rates(self, clips: int) -> list[float]:
        """Clips per second of each turn of so many clips."""
        return [clips / seconds for seconds in self.seconds]


def turn(
    way: Way, parts: Callable[[int], list[Positions]], steps: int, epoch: int, device: torch.device
) -> tuple[float, float, float]:
    """Seconds of some steps, of those spent waiting, and the process's; the loader's queue is full before and after."""
    way.set_up()
    doing = way.steps(parts(1 + steps + way.ahead), epoch)
    next(doing)
    wait_for(device)
    started, own = time.perf_counter(), time.process_time()
    waited = sum(next(doing) for _ in range(steps))
    wait_for(device)
    took, own = time.perf_counter() - started, time.process_time() - own
    doing.close()
    return took, waited, own


def wait_for(device: torch.device) -> None:
    """Wait until a GPU has done all that it was given; a CPU has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def in_turns(
    ways: dict[str, Way],
    parts: Callable[[int], list[Positions]],
    rounds: int,
    steps: int,
    device: torch.device,
) -> tuple[dict[str, Clock], dict[str, str]]:
    """Every way's clock, and why a way was left out."""
    clocks: dict[str, Clock] = {}
    left_out: dict[str, str] = {}
    for name, way in ways.items():
        started = time.perf_counter()
        try:
            turn(way, parts, 1, 0, device)
        except TrainingError as error:
            left_out[name] = str(error)
            continue
        clocks[name] = Clock(time.perf_counter() - started)
        print(f"{name}: ready after {clocks[name].warm_up:.1f} s", file=sys.stderr)
    for epoch in range(1, rounds + 1):
        for name, clock in clocks.items():
            took = turn(ways[name], parts, steps, epoch, device)
            for kept, seconds in zip((clock.seconds, clock.waited, clock.own), took, strict=True):
                kept.append(seconds)
        print(f"round {epoch}: " + ", ".join(f"{n} {c.seconds[-1]:.2f} s" for n, c in clocks.items()), file=sys.stderr)
    return clocks, left_out


def best(rows: Mapping[str, Mapping[str, Any]], precision: str) -> dict[str, Any] | None:
    """The quickest of ours in a precision; None if none of them was timed."""
    known = {name: row for name, row in rows.items() if "ratio" in row and row["engine"]["precision"] == precision}
    if not known:
        return None
    name = max(known, key=lambda name: known[name]["clips_per_second"])
    keys = ("clips_per_second", "ratio", "ratio_of_process_seconds")
    return {"engine": name, **{key: known[name][key] for key in keys}}


def ratio(theirs: Sequence[float], mine: Sequence[float]) -> float:
    """How many times quicker, round by round: the median."""
    return round(statistics.median(t / m for t, m in zip(theirs, mine, strict=True)), 2)


def row(clock: Clock, rates: Sequence[float]) -> dict[str, Any]:
    """The figures of one way."""
    return {
        "clips_per_second": round(statistics.median(rates), 2),
        "slowest_and_quickest_round": [round(min(rates), 2), round(max(rates), 2)],
        "waiting_share": round(sum(clock.waited) / sum(clock.seconds), 4),
        "warm_up_seconds": round(clock.warm_up, 1),
    }
