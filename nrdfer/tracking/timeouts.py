"""Short timeouts for MLflow's server, for callers that retry later on their own."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

# Of requests that may meet a server that is away: MLflow's own patience is minutes.
_BRIEF = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "20", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "PGCONNECT_TIMEOUT": "10"}
_brief_guard = threading.Lock()
_brief_users = 0
_brief_set: list[str] = []


@contextlib.contextmanager
def brief_requests() -> Iterator[None]:
    """Limit requests to MLflow to seconds, for callers that retry later on their own.

    MLflow, and PostgreSQL's driver, read this from the environment at every request; what a user has set there stays.
    """
    global _brief_users
    with _brief_guard:
        if _brief_users == 0:
            _brief_set[:] = [name for name in _BRIEF if name not in os.environ]
            os.environ.update({name: _BRIEF[name] for name in _brief_set})
        _brief_users += 1
    try:
        yield
    finally:
        with _brief_guard:
            _brief_users -= 1
            if _brief_users == 0:
                for name in _brief_set:
                    os.environ.pop(name, None)
