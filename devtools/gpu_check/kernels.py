"""What PyTorch's profiler saw of some steps: the kernels that took longest, and how long the device had none.

The profile is taken by ``measurements``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch.autograd.profiler_util import FunctionEvent

Interval = tuple[float, float]  # begin and end in microseconds


def busy(intervals: Iterable[Interval]) -> float:
    """Microseconds covered by at least one interval: kernels of several streams overlap."""
    total, end = 0.0, float("-inf")
    for first, last in sorted(intervals):
        total += max(0.0, last - max(first, end))
        end = max(end, last)
    return total


def share_without_kernel(intervals: Sequence[Interval]) -> float | None:
    """Share of the time from the first kernel's begin to the last one's end in which none ran; None without kernels."""
    if not intervals:
        return None
    whole = max(last for _, last in intervals) - min(first for first, _ in intervals)
    return 1 - busy(intervals) / whole if whole else 0.0


def described(events: Sequence[FunctionEvent], steps: int, most: int = 20) -> dict[str, Any]:
    """The report: of the device's kernels, or, of a CPU, which has none, of operators by their own time."""
    on_device = [event for event in events if event.device_type != torch.autograd.DeviceType.CPU]
    intervals = [(float(event.time_range.start), float(event.time_range.end)) for event in on_device]
    took: dict[str, float] = defaultdict(float)
    count: dict[str, int] = defaultdict(int)
    for event in on_device or events:
        took[event.name] += float(event.time_range.elapsed_us() if on_device else event.self_cpu_time_total)
        count[event.name] += 1
    total = sum(took.values()) or 1.0
    top = sorted(took, key=lambda name: -took[name])[:most]
    share = share_without_kernel(intervals)
    return {
        "of": "kernels" if on_device else "operators of the CPU",
        "steps": steps,
        "calls_a_step": round(sum(count.values()) / steps, 1),
        "milliseconds_a_step": round(total / steps / 1000, 3),
        "share_of_time_without_a_kernel": None if share is None else round(share, 4),
        "top": [
            {"name": name[:120], "share": round(took[name] / total, 4), "calls_a_step": round(count[name] / steps, 1)}
            for name in top
        ],
    }
