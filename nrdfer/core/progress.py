"""The type of what long work tells of its progress; bars that show it belong to ``nrdfer.commands``."""

from __future__ import annotations

from collections.abc import Callable

#: Called with (pieces done, pieces in all).
Progress = Callable[[int, int], None]
