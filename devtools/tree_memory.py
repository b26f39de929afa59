"""Memory of a process and of all that it starts, sampled while it runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from subprocess import Popen

import psutil

EVERY = 0.5  # seconds between two samples


@dataclass
class Samples:
    """Memory of a tree of processes over its run, each shared page counted once."""

    seconds: list[float] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)

    @property
    def peak(self) -> int:
        """The largest sample, bytes."""
        return max(self.bytes, default=0)

    def peaks(self, parts: int) -> list[int]:
        """The largest sample of each of equal parts of the run, bytes; 0 for a part without one."""
        found = [0] * parts
        whole = max(self.seconds, default=0.0)
        for second, size in zip(self.seconds, self.bytes, strict=True):
            part = min(parts - 1, int(second / whole * parts)) if whole else 0
            found[part] = max(found[part], size)
        return found


def sampled(process: Popen[bytes], every: float = EVERY) -> Samples:
    """Sample a running process and its descendants until it ends."""
    samples, began = Samples(), time.monotonic()
    root = psutil.Process(process.pid)
    while process.poll() is None:
        size = _size(root)
        if size:
            samples.seconds.append(time.monotonic() - began)
            samples.bytes.append(size)
        time.sleep(every)
    return samples


def _size(root: psutil.Process) -> int:
    total = 0
    try:
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for each in family:
        try:
            memory = each.memory_full_info()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        total += int(getattr(memory, "pss", memory.uss))
    return total
