"""Models that answer late, load late, end their process, or are none.

A worker's process imports this file to open them: here nothing is imported that loads torch or MLflow.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from nrdfer.core.errors import NrdferError
from nrdfer.serving.service import Reply


class _Slow:
    def reply(self, body: bytes) -> Reply:
        if body == b"die":
            os._exit(9)
        time.sleep(60 if body == b"sleep" else 0)
        return Reply(200, body)


def make_slow() -> Any:
    """Open a model that answers what it is asked."""
    return _Slow()


def make_slowly_later(mark: Path) -> Any:
    """Load at once the first time, slowly afterwards."""
    if mark.exists():
        time.sleep(8)
    mark.touch()
    return _Slow()


def refuse() -> Any:
    """Open no model."""
    raise NrdferError("the weights are gone")
