"""Messages for killed processes: the signal, its most likely cause, and the settings to lower."""

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
    """Number of processes that the kernel has killed for lack of memory so far; None where it is not reported."""
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
    """Reason for the end of a process that did not report one itself.

    Args:
        exit_code: as `multiprocessing` has it: negative is a signal.
        kills: processes that the kernel killed for want of memory meanwhile; None if that is not known.
    """
    if exit_code >= 0:
        return f"its process ended with status {exit_code} without a message; its log may say more"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = "of no name"
    message = f"its process was killed by signal {-exit_code} ({name})"
    if -exit_code == signal.SIGKILL:
        if kills:
            return f"{message}: memory ran out (the kernel killed {kills} processes for it meanwhile). Lower {_LOWER}"
        doubt = "" if kills is None else " (though the kernel counted none meanwhile; a user may have killed it)"
        return f"{message}, most often because memory ran out{doubt}. If so, lower {_LOWER}"
    if -exit_code in (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGABRT):
        return (
            f"{message}: a library crashed, or a disk was full or lost under a file that it had mapped. Run the "
            "same command again to continue"
        )
    return f"{message}; it was ended on request. Run the same command again to continue"
