"""``python -m nrdfer.training.rank request.json``: one process of a training that several share.

Its number comes from the environment (``RANK``, ``LOCAL_RANK``, ``WORLD_SIZE``), as `launch` or ``torchrun`` sets it.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path

from nrdfer.core import environment
from nrdfer.core.atomic_files import write_whole
from nrdfer.core.errors import NrdferError, TrainingLost, TrainingStopped
from nrdfer.core.processes import die_with_parent
from nrdfer.training.launch import PARENT, STOPPED, error_file
from nrdfer.training.request import TrainingRequest
from nrdfer.training.torchrun import lost_in_words


def run(path: Path) -> int:
    """Take part in a training; the exit code."""
    request = TrainingRequest.from_json(path.read_text(), str(path))
    rank = environment.whole("RANK", 0, least=0, most=sys.maxsize)  # `joined` holds it against the world
    # imported late: a file that cannot be read is reported at once
    from nrdfer.training.loop import train

    try:
        with lost_in_words():
            train(request)
    except Exception as error:
        stopped, readable = isinstance(error, TrainingStopped), isinstance(error, NrdferError)
        if not readable:
            traceback.print_exc()
        message = str(error) if readable else f"{type(error).__name__}: {error}"
        lost = isinstance(error, TrainingLost)
        said = {"message": message, "stopped": stopped, "lost": lost, "readable": readable, "time": time.time()}
        write_whole(error_file(request.workdir, rank), json.dumps(said).encode())
        return STOPPED if stopped else 1
    return 0


if __name__ == "__main__":
    started_by = os.environ.get(PARENT)
    die_with_parent(int(started_by) if started_by else None)
    sys.exit(run(Path(sys.argv[1])))
