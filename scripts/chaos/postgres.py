"""Dagster and MLflow on one PostgreSQL server, used by many at once: ``make chaos-postgres``.

    python -m scripts.chaos.postgres [--starts 20] [--partitions 60] [--restarts 3] [--folder DIR] [--json FILE]

In order, with a tiny profile and a real server that asks for a password:

1. the whole job with all five folds in the pool at once;
2. so many starts of ``dagster job execute -j preprocessing`` at the same moment, on empty databases;
3. a backfill of so many partitions of the tables, which the daemon starts;
4. the whole job, in whose middle the server is stopped and started again; then the same line.

Of each it prints how many runs Dagster has as successful and MLflow as finished, and how often the runs printed a
traceback or ``locked``. At last it looks for the password in everything that was written. Ends with status 1 unless
nothing is lost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from devtools.backfills import daemon, states_at_end, type_backfill
from devtools.own_places import json_file, take_folder
from devtools.postgres_project import dagster_runs, held_slots, mlflow_runs, on_postgres, texts
from devtools.postgres_server import PostgresServer, postgres_server
from devtools.tiny_project import LINE
from nrdfer.core.own_files import write_made
from nrdfer.experiments.catalogue import TABLES, TRAINED

_PREPROCESSING = ["dagster", "job", "execute", "-j", "preprocessing"]
_FOLDS = 5
_PATIENCE = 3600.0
Part = dict[str, Any]


def complaints(*told: str) -> int:
    """How often runs printed a traceback, or that a database is locked."""
    return sum(text.count("Traceback (most recent call last)") + text.count("locked") for text in told)


def whole_job(server: PostgresServer, folder: Path) -> Part:
    """One run of the job with every fold in the pool at once."""
    environment = on_postgres(server, folder, epochs=1)
    limit = ["dagster", "instance", "concurrency", "set", "gpu", str(_FOLDS)]
    subprocess.run(limit, cwd=folder, env=environment, check=True, capture_output=True)  # noqa: S603
    began = time.monotonic()
    done = subprocess.run(LINE, cwd=folder, env=environment, capture_output=True, text=True)  # noqa: S603
    seconds = round(time.monotonic() - began)
    lineage = ["nrdfer", "lineage", "--all", "--json"]
    shown = subprocess.run(lineage, cwd="/", env=environment, capture_output=True, text=True)  # noqa: S603
    broken = json.loads(shown.stdout)["broken"] if shown.returncode == 0 else shown.stderr[-500:]
    return {"part": "five folds at once", "status": done.returncode, "seconds": seconds, "broken links": broken,
            **state(server, 1, 1 + _FOLDS + 1), "complaints": complaints(done.stdout, done.stderr)}  # fmt: skip


def state(server: PostgresServer, runs: int, tracked: int) -> Part:
    """How many runs are recorded as they should be, and how many should."""
    good = sum(status == "SUCCESS" for _, status in dagster_runs(server))
    finished = sum(status == "FINISHED" for _, status in mlflow_runs(server))
    return {"dagster": f"{good} of {runs}", "mlflow": f"{finished} of {tracked}", "held slots": held_slots(server),
            "lost": runs - good + tracked - finished}  # fmt: skip


def starts(folder: Path, ready: Path, count: int) -> Part:
    """So many starts at the same moment on a server with empty databases; the data are ready."""
    with postgres_server() as server:
        environment = on_postgres(server, folder)
        (folder / ".nrdfer").mkdir()
        for part in ("corpus", "store", "pointers"):
            (folder / ".nrdfer" / part).symlink_to(ready / ".nrdfer" / part)
        began = time.monotonic()
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        processes = [
            subprocess.Popen(_PREPROCESSING, cwd=folder, env=environment, **pipes)  # noqa: S603
            for _ in range(count)
        ]
        told = [process.communicate()[0] for process in processes]
        return {"part": "starts at once", "status": max(process.returncode for process in processes),
                "seconds": round(time.monotonic() - began), **state(server, count, count),
                "complaints": complaints(*told)}  # fmt: skip


def cheap_partitions(count: int) -> Iterator[tuple[str, list[str]]]:
    """Jobs of tables with their partitions, as many as asked for; with fewer in all, the first come again."""
    left = count
    while left > 0:
        for name in TRAINED:
            table = TABLES[name]
            keys = [f"{experiment}|{split}" for experiment in table.names for split in table.splits][:left]
            left -= len(keys)
            if keys:
                yield name, keys


def backfill(server: PostgresServer, folder: Path, count: int) -> Part:
    """A backfill of so many partitions, after the runs that the server has seen."""
    environment = on_postgres(server, folder, epochs=1)
    before, tracked = len(dagster_runs(server)), len(mlflow_runs(server))
    began = time.monotonic()
    with daemon(folder, environment) as log:
        for job, keys in cheap_partitions(count):
            type_backfill(folder, environment, job, keys)
        states = states_at_end(server, before + count, _PATIENCE)
        said = log.read_text(errors="replace")
    pipelines = [status for role, status in mlflow_runs(server) if role == "pipeline"]
    open_runs = [status for _, status in mlflow_runs(server)[tracked:] if status == "RUNNING"]
    good = sum(status == "SUCCESS" for status in states[before:])
    return {"part": "backfill", "status": 0 if good == count else 1, "seconds": round(time.monotonic() - began),
            "dagster": f"{good} of {count}", "mlflow": f"{pipelines.count('FINISHED') - 1} of {count} pipelines",
            "held slots": held_slots(server), "lost": count - good + len(open_runs),
            "complaints": complaints(said)}  # fmt: skip


def restarted(server: PostgresServer, folder: Path, rng: random.Random) -> Part:
    """A run in whose middle the server is away for two seconds, and the same line after it if it failed."""
    environment = on_postgres(server, folder, epochs=1)
    seen = rng.randint(1, 20)
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(LINE, cwd=folder, env=environment, **pipes)  # noqa: S603
    head: list[str] = []
    for text in process.stdout or []:
        head.append(text)
        if sum("STEP_SUCCESS" in line for line in head) == seen:
            break
    server.stop()
    time.sleep(2)
    server.start()
    told = process.communicate()[0]
    again = 0
    if process.returncode:
        again = subprocess.run(LINE, cwd=folder, env=environment, capture_output=True).returncode  # noqa: S603
    words = [line.strip() for line in told.splitlines() if "what stopped this run" in line or "server" in line]
    return {"part": f"restarted after {seen} steps", "status": again, "first": process.returncode,
            "held slots": held_slots(server), "lost": int(dagster_runs(server)[-1][1] != "SUCCESS"),
            "words": words[-3:], "complaints": 0}  # fmt: skip


def leaked(server: PostgresServer, folder: Path) -> int:
    """How many files, and dumps of the databases, hold the password."""
    secret = server.password.encode()
    files = sum(secret in path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return files + (server.password in texts(server))


def main() -> None:
    """Read the options, run all parts, and end with status 1 unless nothing is lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=20, help="at the same moment (20)")
    parser.add_argument("--partitions", type=int, default=60, help="of the backfill (60)")
    parser.add_argument("--restarts", type=int, default=3, help="of the server (3)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of restarts (0)")
    parser.add_argument("--folder", type=Path, help="to work in and to keep")
    parser.add_argument("--json", type=json_file, help="file to write")
    given = parser.parse_args()
    for name in ("NRDFER_HOME", "MLFLOW_TRACKING_URI", "PGPASSWORD"):
        os.environ.pop(name, None)
    parts: list[Part] = []

    def tell(part: Part) -> None:
        parts.append(part)
        print("  ".join(f"{name}: {value}" for name, value in part.items()), flush=True)

    with tempfile.TemporaryDirectory(prefix="chaos-postgres-") as temporary, postgres_server() as server:
        folder = (given.folder or Path(temporary)).resolve()
        take_folder(folder)
        project = folder / "project"
        tell(whole_job(server, project))
        if given.starts:
            tell(starts(folder / "starts", project, given.starts))
        if given.partitions:
            tell(backfill(server, project, given.partitions))
        rng = random.Random(given.seed)
        for _ in range(given.restarts):
            tell(restarted(server, project, rng))
        secrets = leaked(server, folder)
    print(f"places with the password: {secrets}")
    if given.json:
        write_made(given.json, json.dumps({"parts": parts, "leaked": secrets}, indent=1).encode())
    bad = [part for part in parts if part["status"] or part["lost"] or part["held slots"] or part["complaints"]]
    print(f"parts without loss: {len(parts) - len(bad)} of {len(parts)}")
    if bad or secrets or parts[0]["broken links"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
