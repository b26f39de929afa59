"""Dagster's databases, first opened by several processes at the same moment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
OPEN = """
import sys, time
import dagster as dg
import pipelines.storage
print("ready", flush=True)
sys.stdin.readline()
with dg.DagsterInstance.get() as instance:
    instance.create_run_for_job(dg.GraphDefinition("nothing").to_job())
    print(instance.get_runs_count(), instance.run_storage.inst_data is None, flush=True)
"""


def test_processes_that_open_it_first_at_once_all_work(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text())
    environment = os.environ | {"DAGSTER_HOME": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=240) for process in started]
    assert [process.returncode for process in started] == [0] * 4, "\n".join(error[-1500:] for _, error in said)
    assert sorted(int(out.split()[0]) for out, _ in said)[-1] == 4
    assert (tmp_path / ".dagster/storage/history/runs.db").is_file()
