"""Cores and memory that this process may use: the machine's, or less in a container or under a scheduler."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from pathlib import Path

import psutil

from nrdfer.diagnostics.findings import Section, amount

GROUPS, OWN_GROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_LEAST_MEMORY = 4 << 30  # the sample's two trainings at a time, Dagster and MLflow, with some room
_UNLIMITED = 1 << 60  # version 1 of control groups has no word for it, but a number near the largest


def examine() -> Section:
    """Cores and memory of the machine, and the limits of this process's control group."""
    found = Section("machine")
    cores, memory = _cores(), psutil.virtual_memory()
    share, limit = cpu_limit(), memory_limit()
    found.facts = {
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "usable_cores": cores,
        "core_limit": share,
        "memory": memory.total,
        "memory_available": memory.available,
        "memory_limit": limit,
    }
    found.note("ok", f"{platform.system()} {platform.release()}, {platform.machine()}")
    few = f" of {os.cpu_count()}" if cores != os.cpu_count() else ""
    bound = f"; this container has the time of {share:g} of them" if share is not None and share < cores else ""
    found.note("ok", f"{cores}{few} cores{bound}")
    most = min(memory.total, limit or memory.total)
    bound = f"; this container may use {amount(most)}" if most < memory.total else ""
    words = f"{amount(memory.total)} of memory, {amount(memory.available)} available{bound}"
    if most < _LEAST_MEMORY:
        found.note(
            "warning", f"{words}: fewer than {amount(_LEAST_MEMORY)} may not suffice for two trainings at a time"
        )
    else:
        found.note("ok", words)
    return found


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_limit() -> float | None:
    """Cores' worth of time that the control group may use; None without a limit."""
    shares = []
    for folder in _groups("cpu"):
        with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
            if (folder / "cpu.max").is_file():
                quota, period = (folder / "cpu.max").read_text().split()
            else:
                quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
            if quota != "max" and float(quota) > 0:
                shares.append(float(quota) / float(period))
    return min(shares, default=None)


def memory_limit() -> int | None:
    """Bytes that the control group may use; None without a limit."""
    limits = []
    for folder in _groups("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with contextlib.suppress(OSError, ValueError):  # "max" is no number
                limits.append(int((folder / name).read_text()))
    return min((limit for limit in limits if limit < _UNLIMITED), default=None)


def _groups(controller: str) -> Iterator[Path]:
    """Folders of this process's control group and of those around it, of either version."""
    try:
        lines = OWN_GROUP.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, names, path = line.split(":", 2)
        if names and controller not in names.split(","):
            continue
        top = GROUPS / controller if names else GROUPS
        own = top / path.strip("/")
        for folder in (own, *own.parents):
            if folder.is_relative_to(top):
                yield folder
