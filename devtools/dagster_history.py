"""Runs in a project folder, from Dagster's history and a run's own output.

Reads the databases themselves, so that reading repairs nothing. Keep out: MLflow, processes, the store
(`devtools.job_state`).
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any


def reasons(told: str) -> str:
    """What stopped a run, as the first lines of the summary at its end have it."""
    _, _, summary = told.partition("what stopped this run:\n")
    return "\n".join(line for line in summary.splitlines()[:4] if line.startswith("  "))


def runs(folder: Path) -> list[tuple[str, str]]:
    """Id and status of each run, oldest first; there must have been one."""
    history = folder / ".dagster" / "storage" / "history" / "runs.db"
    with sqlite3.connect(f"{history.as_uri()}?mode=ro", uri=True) as database:
        return database.execute("select run_id, status from runs order by id").fetchall()


def said(folder: Path) -> str:
    """What the last run's steps logged, from Dagster's history: in a terminal, lines of two processes may get mixed."""
    run_id, _ = runs(folder)[-1]
    log = folder / ".dagster" / "storage" / "history" / "runs" / f"{run_id}.db"
    with sqlite3.connect(f"{log.as_uri()}?mode=ro", uri=True) as database:
        events = database.execute("select event from event_logs order by id").fetchall()
    return "\n".join(json.loads(event).get("user_message") or "" for (event,) in events)


def metadata_of_last(folder: Path) -> dict[str, dict[str, Any]]:
    """Asset -> label -> what its newest materialisation shows under it."""
    index = folder / ".dagster" / "storage" / "history" / "runs" / "index.db"
    with sqlite3.connect(f"{index.as_uri()}?mode=ro", uri=True) as database:
        question = (
            "select asset_key, event from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION' order by id"
        )
        events = dict(database.execute(question))
    shown = {}
    for name, event in events.items():
        entries = json.loads(event)["dagster_event"]["event_specific_data"]["materialization"]["metadata_entries"]
        shown["/".join(json.loads(name))] = {entry["label"]: entry["entry_data"] for entry in entries}
    return shown
