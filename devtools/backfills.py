"""Backfills of a project on PostgreSQL: the daemon that starts their runs, the line that is typed, and their end.

Keep out: backfills below ``dagster dev`` on SQLite, which ``tests/end_to_end/test_tables.py`` starts itself.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from devtools.postgres_project import dagster_runs
from devtools.postgres_server import PostgresServer
from nrdfer.core.processes import die_with_parent

_ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


@contextlib.contextmanager
def daemon(folder: Path, environment: dict[str, str]) -> Iterator[Path]:
    """``dagster-daemon run`` in a project; its log."""
    log = folder / "daemon.log"
    line = ["dagster-daemon", "run", "-m", "pipelines.definitions"]
    without = {name: value for name, value in environment.items() if name != "DAGSTER_MODULE_NAME"}
    with log.open("ab") as out:
        process = subprocess.Popen(  # noqa: S603
            line, cwd=folder, env=without, stdout=out, stderr=out, start_new_session=True,
            preexec_fn=lambda: die_with_parent(number=signal.SIGINT),
        )  # fmt: skip
    try:
        yield log
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def type_backfill(folder: Path, environment: dict[str, str], job: str, partitions: Sequence[str]) -> None:
    """Type the line; the daemon starts the runs."""
    line = ["dagster", "job", "backfill", "-j", job, "--partitions", ",".join(partitions), "--noprompt"]
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=1800)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"the backfill was refused: {done.stdout[-1500:]}{done.stderr[-3000:]}")


def states_at_end(server: PostgresServer, expected: int, patience: float) -> list[str]:
    """Statuses of all runs once as many as expected have ended, or when patience ends; oldest first."""
    deadline = time.monotonic() + patience
    while True:
        states = [status for _, status in dagster_runs(server)]
        if (len(states) >= expected and set(states) <= _ENDED) or time.monotonic() > deadline:
            return states
        time.sleep(1)
