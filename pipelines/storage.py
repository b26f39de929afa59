"""Dagster's storage in SQLite, opened by one process at a time.

``dagster.yaml`` names this class. Dagster makes its databases when they are first opened, and two processes that do so
at once (two shells, the parts of ``dagster dev``) write the schema's version twice: one fails, or every later command
does. Keep out: the lease of a run (``run_lease.py``).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from nrdfer.core.file_locks import held
from nrdfer.core.migrations import keep_lists
from pipelines import activation, last_words
from pipelines.dagster_caches import keep_engines
from pipelines.dagster_internals import ConfigurableClassData, DagsterSqliteStorage

_LOCK = ".opening.lock"
_log = logging.getLogger(__name__)
last_words.install()  # the first of this project that Dagster loads
activation.advise()
keep_engines()
keep_lists()


class SharedSqliteStorage(DagsterSqliteStorage):
    """As Dagster's ``sqlite``, with the same setting ``base_dir`` and the same files."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Open or create the databases, while no other process does."""
        waiting = "another process is opening Dagster's storage; waiting for it"
        with held(Path(config_value["base_dir"]) / _LOCK, lambda: _log.info(waiting)):
            return cls.from_local(inst_data=inst_data, **config_value)
