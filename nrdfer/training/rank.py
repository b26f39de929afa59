"""``python -m nrdfer.training.rank task.json``: one process of a training that several share.

Its number comes from the environment (``RANK``, ``LOCAL_RANK``, ``WORLD_SIZE``), as `launch` or ``torchrun`` set it.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from nrdfer.config.profile import build_settings
from nrdfer.core import environment
from nrdfer.core.atomic_files import write_whole
from nrdfer.core.errors import NrdferError, TrainingStopped
from nrdfer.core.processes import die_with_parent
from nrdfer.runtime.engine import Engine
from nrdfer.training.launch import PARENT, STOPPED, Task, error_file
from nrdfer.training.recipe import Recipe


def read_task(path: Path) -> Task:
    """The training that a task's file describes."""
    values: dict[str, Any] = json.loads(path.read_text())
    for name in ("shards", "workdir", "out"):
        values[name] = Path(values[name])
    values["initial_weights"] = Path(values["initial_weights"]) if values["initial_weights"] else None
    values["recipe"] = build_settings(Recipe, values["recipe"], f"recipe in {path}")
    values["engine"] = build_settings(Engine, values["engine"], f"engine in {path}")
    for name in ("train_ids", "test_ids"):
        values[name] = tuple(values[name])
    return Task(**values)


def run(path: Path) -> int:
    """Take part in a training; the exit code."""
    task = read_task(path)
    rank = environment.whole("RANK", 0, least=0, most=sys.maxsize)  # `joined` holds it against the world
    # imported late: a file that cannot be read is told at once
    from nrdfer.shards.reader import ShardReader
    from nrdfer.training.loop import train

    try:
        train(
            task.model,
            task.settings,
            task.recipe,
            ShardReader(task.shards),
            task.train_ids,
            task.test_ids,
            engine=task.engine,
            workdir=task.workdir,
            out=task.out,
            initial_weights=task.initial_weights,
        )
    except Exception as error:
        stopped, readable = isinstance(error, TrainingStopped), isinstance(error, NrdferError)
        if not readable:
            traceback.print_exc()
        message = str(error) if readable else f"{type(error).__name__}: {error}"
        said = {"message": message, "stopped": stopped, "readable": readable, "time": time.time()}
        write_whole(error_file(task.workdir, rank), json.dumps(said).encode())
        return STOPPED if stopped else 1
    return 0


if __name__ == "__main__":
    started_by = os.environ.get(PARENT)
    die_with_parent(int(started_by) if started_by else None)
    sys.exit(run(Path(sys.argv[1])))
