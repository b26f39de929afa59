"""Start five folds at the same instant on an empty tracking database: ``make chaos-tracking``.

    python -m scripts.chaos.tracking [--rounds 20] [--with-server 5] [--json FILE]

A round is a new folder without a database, and five processes that have imported everything, wait for each other, and
then do what five trainings of one pipeline do: each brings its log into MLflow (`nrdfer.tracking.background_upload`),
below the one run of the pipeline. In the last rounds ``mlflow ui`` is starting on the same file meanwhile. A run
counts as recorded if the database itself has its parameters, every point of its curve, its parent and its end. Ends
with status 1 unless all are.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from devtools.own_places import json_file
from nrdfer.core.own_files import write_made

FOLDS, POINTS = (1, 2, 3, 4, 5), 20
PIPELINE = "00000000-0000-4000-8000-000000000000"
_PATIENCE = 300.0


def fold(k: int, home: Path, together: Barrier) -> None:
    """One training's exchange with MLflow, in a process of its own."""
    os.environ["NRDFER_HOME"] = str(home)
    import mlflow  # noqa: F401  (what takes long comes before the barrier)
    from mlflow.store.tracking import sqlalchemy_store  # noqa: F401

    from nrdfer.tracking.background_upload import Delivery
    from nrdfer.tracking.client import TAG_DAGSTER_RUN, Tracking
    from nrdfer.tracking.log_uploader import RunFacts
    from nrdfer.tracking.training_log import TrainingLog

    path = home / f"fd{k}.jsonl"
    facts = RunFacts(
        f"{k}" * 64, f"fd{k} training", {TAG_DAGSTER_RUN: PIPELINE}, {"fold": k, "lr": 0.1}, PIPELINE, {"name": "chaos"}
    )
    together.wait(_PATIENCE)
    with TrainingLog(path) as log, Delivery(Tracking(), path, facts, wait=_PATIENCE, every=0.1) as delivery:
        for epoch in range(1, POINTS + 1):
            log.write("epoch", step=epoch, epoch=epoch, train_loss=1 / epoch)
    if not delivery.complete:
        raise SystemExit(f"fd{k} was not delivered")


def server(home: Path) -> subprocess.Popen[bytes]:
    """``mlflow ui`` on the same file, on a free port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = [sys.executable, "-m", "mlflow", "ui", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    line += ["--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}"]
    with (home / "server.log").open("wb") as log:
        return subprocess.Popen(line, cwd=home, stdout=log, stderr=log, start_new_session=True)  # noqa: S603


def recorded(home: Path) -> int:
    """How many of the trainings the database has whole, below one pipeline run."""
    with closing(sqlite3.connect(f"{(home / 'mlflow.db').as_uri()}?mode=ro", uri=True)) as database:

        def ask(question: str, *values: str) -> list[Any]:
            return [row[0] for row in database.execute(question, values)]

        whose = "select run_uuid from tags where key = ? and value = ?"
        parents = ask(whose, "nrdfer.role", "pipeline")
        good = 0
        for k in FOLDS:
            found = ask(whose, "nrdfer.digest", f"{k}" * 64)
            if len(found) != 1 or len(parents) != 1:
                continue
            params = dict(database.execute("select key, value from params where run_uuid = ?", found))
            points = ask("select step from metrics where run_uuid = ? and key = 'train_loss' order by step", *found)
            parent = ask("select value from tags where key = 'mlflow.parentRunId' and run_uuid = ?", *found)
            status = ask("select status from runs where run_uuid = ?", *found)
            good += (params, points, parent, status) == (
                {"fold": str(k), "lr": "0.1"},
                list(range(1, POINTS + 1)),
                parents,
                ["FINISHED"],
            )
        return good


def play(home: Path, before: float | None) -> int:
    """One round; returns how many trainings are recorded.

    Args:
        home: folder to make.
        before: seconds that ``mlflow ui`` starts before the trainings go on; None: it does not.
    """
    home.mkdir()
    spawn = multiprocessing.get_context("spawn")
    together = spawn.Barrier(len(FOLDS) + 1)
    processes = [spawn.Process(target=fold, args=(k, home, together)) for k in FOLDS]
    for process in processes:
        process.start()
    while together.n_waiting < len(FOLDS) and all(process.is_alive() for process in processes):
        time.sleep(0.01)
    ui = None if before is None else server(home)
    time.sleep(before or 0.0)
    try:
        together.wait(_PATIENCE)
        for process in processes:
            process.join(_PATIENCE)
        if ui is not None:
            _wait_for(home, ui)
    finally:
        if ui is not None:
            os.killpg(ui.pid, signal.SIGKILL)
            ui.wait()
    codes = [process.exitcode for process in processes]
    if any(codes):
        print(f"the processes ended with {codes}", flush=True)
    return recorded(home)


def _wait_for(home: Path, ui: subprocess.Popen[bytes]) -> None:
    """Wait until the server has come up."""
    deadline = time.monotonic() + _PATIENCE
    while "Application startup complete" not in (home / "server.log").read_text():
        if ui.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"mlflow ui did not start:\n{(home / 'server.log').read_text()[-4000:]}")
        time.sleep(0.1)


def main() -> None:
    """Read the options, run, and end with status 1 unless every run is recorded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="of five processes each")
    parser.add_argument("--with-server", type=int, default=5, help="how many of them with a starting `mlflow ui`")
    parser.add_argument("--json", type=json_file, help="file to write")
    given = parser.parse_args()
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_BACKEND_STORE_URI", "NRDFER_HOME"):
        os.environ.pop(name, None)
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
    counts, rng = [], random.Random(0)
    with tempfile.TemporaryDirectory(prefix="chaos-tracking-") as folder:
        for number in range(1, given.rounds + 1):
            # it imports for seconds before it looks at the database
            before = rng.uniform(0, 10) if number > given.rounds - given.with_server else None
            counts.append(play(Path(folder) / str(number), before))
            told = "" if before is None else f", mlflow ui was started {before:.1f} s before"
            print(f"round {number}: {counts[-1]} of {len(FOLDS)}{told}", flush=True)
    if given.json:
        write_made(given.json, json.dumps({"rounds": counts}).encode())
    print(f"recorded: {sum(counts)} of {len(FOLDS) * given.rounds}")
    if sum(counts) != len(FOLDS) * given.rounds:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
