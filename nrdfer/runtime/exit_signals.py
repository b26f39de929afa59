"""Processes that were killed, in words: by which signal, most likely why, and what to lower."""

from __future__ import annotations

import re
import signal
from pathlib import Path

#: Where Linux counts how often it killed a process for want of memory: of the machine, and of this container.
_COUNTS = (Path("/proc/vmstat"), Path("/sys/fs/cgroup/memory.events"), Path("/sys/fs/cgroup/memory/memory.oom_control"))
_LOWER = (
    "the profile's `workers` and `engine.workers`, the recipe's `batch`, the pool `gpu` (dagster instance "
    "concurrency set gpu 1), or how many steps run at once (execution: {config: {max_concurrent: 1}})"
)


def out_of_memory_kills(counts: tuple[Path, ...] = _COUNTS) -> int | None:
    """How many processes the kernel has killed for want of memory so far; None where it does not say."""
    found = []
    for path in counts:
        try:
            match = re.search(r"^oom_kill (\d+)$", path.read_text(), re.M)
        except OSError:
            continue
        if match:
            found.append(int(match[1]))
    return max(found, default=None)


def in_words(exit_code: int, kills: int | None) -> str:
    """Why a process ended that did not say so itself.

    Args:
        exit_code: as `multiprocessing` has it: negative is a signal.
        kills: processes that the kernel killed for want of memory meanwhile; None if that is not known.
    """
    if exit_code >= 0:
        return f"its process ended with status {exit_code} without a word; its log may say more"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = "of no name"
    message = f"its process was killed by signal {-exit_code} ({name})"
    if -exit_code == signal.SIGKILL:
        if kills:
            return f"{message}: memory ran out (the kernel killed {kills} processes for it meanwhile). Lower {_LOWER}"
        doubt = "" if kills is None else " (though the kernel counts none meanwhile; somebody may have killed it)"
        return f"{message}, most often because memory ran out{doubt}. If so, lower {_LOWER}"
    if -exit_code in (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGABRT):
        return (
            f"{message}: a library crashed, or a disk was full or lost under a file that it had mapped. The same line "
            "goes on from what is finished"
        )
    return f"{message}; somebody asked it to end. The same line goes on from what is finished"
