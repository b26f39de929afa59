"""The type of progress callbacks; progress bars belong to ``nrdfer.commands``."""

from __future__ import annotations

from collections.abc import Callable

#: Called with (pieces done, pieces in all).
Progress = Callable[[int, int], None]
